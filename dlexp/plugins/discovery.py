"""Finds plugin files and imports each as `dlexp.plugins.<kind>.<name>`.

Folders, in this order: the shipped plugins, `./plugins` in the working folder, and those in the
environment variable `DLEXP_PLUGINS` (separated like PATH). Installed packages can register theirs
under the entry point group `dlexp.plugins`.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from dlexp.core.kinds import KINDS
from dlexp.core.registry import Plugin, every, unregister
from dlexp.errors import PluginError
from dlexp.paths import PLUGINS, expanded
from dlexp.plugins import source_code
from dlexp.plugins.isolation import Isolation

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

log = logging.getLogger("dlexp")

HOME = "dlexp.plugins"  # the package of all plugins

source_code.watch(HOME)
_broken: dict[tuple[str, str], PluginError] = {}
_left_out: dict[Path, PluginError] = {}
_loaded: set[Path] = set()


def folders() -> list[Path]:
    """The existing plugin folders, each once."""
    named = [expanded(p) for p in os.environ.get("DLEXP_PLUGINS", "").split(os.pathsep) if p]
    existing = (p.resolve() for p in (PLUGINS, Path("plugins"), *named) if p.is_dir())
    return list(dict.fromkeys(existing))


def discover() -> None:
    """Import every `<folder>/<kind>/<name>.py`, which registers it; later calls import new files.

    Only folders named after a kind are searched. A file that cannot be imported, or whose name is
    taken, is reported and left out; selecting it fails with the reason.
    """
    home = sys.modules[HOME]
    home.__path__ = list(dict.fromkeys([*home.__path__, *map(str, folders())]))
    for kind in KINDS:  # made here: an `__init__.py` in a user's folder is not used
        package = sys.modules.setdefault(f"{HOME}.{kind}", ModuleType(f"{HOME}.{kind}"))
        package.__path__ = [str(Path(folder, kind)) for folder in home.__path__]
        setattr(home, kind, package)
    importlib.invalidate_caches()
    files = [
        (kind, f)
        for folder in folders()
        for kind in KINDS
        for f in sorted((folder / kind).glob("[!_]*.py"))
    ]
    new = [(kind, file) for kind, file in files if file not in _loaded]
    installed = _installed()
    if not new and not installed:
        return
    with Isolation() as isolation:
        for kind, file in new:
            _loaded.add(file)
            _load(kind, file, isolation)
        while installed:
            _load_installed(installed.pop(0), isolation)
    source_code.remember(base.__module__ for cls in every() for base in source_code.lineage(cls))
    for cls in every():
        if cls.__module__.startswith(f"{HOME}.") and not is_shipped(cls):
            for path in source_code.companions(cls):
                source_code.source(path)


def is_shipped(cls: type[Plugin]) -> bool:
    """Whether a plugin comes with dlexp; shipped plugins import no modules of the user."""
    file = source_code.file_of(cls)
    return file is not None and file.is_relative_to(PLUGINS)


@cache
def _installed() -> list[EntryPoint]:
    """Plugins of installed packages that are not loaded yet; cached, because the search is slow."""
    from importlib.metadata import entry_points

    return list(entry_points(group="dlexp.plugins"))


def _load_installed(point: EntryPoint, isolation: Isolation) -> None:
    try:
        isolation.admit(point.value, point.load, partial(_warn, point.value, point.value))
    except BaseException as e:
        if isolation.interrupted:
            raise
        wrong = f"{type(e).__name__}: {' '.join(str(e).split())}"
        log.warning("plugin %s left out: %s", point.value, wrong)


@contextmanager
def quietly() -> Iterator[None]:
    """Inside, plugins that are left out are not reported."""
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(logging.NOTSET)


def broken(kind: str, name: str) -> PluginError | None:
    """Why the plugin file of that name could not be loaded; None if it could."""
    return _broken.get((kind, name))


def left_out(file: Path) -> PluginError | None:
    """Why a plugin file is not in use; None if it is."""
    return _left_out.get(file)


def leave_out(cls: type[Plugin], wrong: str) -> None:
    """Remove a registered plugin that cannot be used; selecting it fails with the message."""
    unregister(cls)
    _report(cls.kind, cls.name, wrong)


def _load(kind: str, file: Path, isolation: Isolation) -> None:
    module = f"{HOME}.{kind}.{file.stem}"
    before = set(every())
    try:
        other = getattr(sys.modules.get(module), "__file__", None)
        if other is not None and Path(other).resolve() != file.resolve():
            which = "it" if _is_ours_in_use(kind, file.stem) else "one of them"
            raise PluginError(f"{file} has the same name as {other}; rename {which}")
        if not file.stem.isidentifier():
            rule = "letters, digits and underscores, and does not begin with a digit"
            raise PluginError(f"the name of a plugin's file is {rule}")
        warn = partial(_warn, f"{kind}/{file.stem}", str(file))
        isolation.admit(str(file), partial(importlib.import_module, module), warn)
        if file.stem not in (cls.name for cls in every(kind)):
            wrong = f"it registers no {kind} called {file.stem}: file and option share a name"
            raise PluginError(wrong)
        for cls in set(every()) - before:
            typing.get_type_hints(cls)  # an unknown type of a field is an error now
    except BaseException as e:  # also SystemExit
        for cls in set(every()) - before:
            unregister(cls)
        if isolation.interrupted:
            raise
        frames = reversed(traceback.extract_tb(e.__traceback__))
        line = next((f.lineno for f in frames if f.filename == str(file)), None)
        line = getattr(e, "lineno", line) if isinstance(e, SyntaxError) else line
        place = f"{file}:{line}" if line else str(file)
        _report(kind, file.stem, f"{place}: {type(e).__name__}: {' '.join(str(e).split())}", file)


def _is_ours_in_use(kind: str, name: str) -> bool:
    """Whether dlexp's own plugin of that name is in use, so that another file cannot replace it."""
    ours = (PLUGINS / kind / f"{name}.py").resolve()
    return ours in _loaded and ours not in _left_out


def _report(kind: str, name: str, wrong: str, file: Path | None = None) -> None:
    error = PluginError(f"cannot be loaded: {wrong}")
    if file is None or not _is_ours_in_use(kind, name):
        _broken.setdefault((kind, name), error)
    if file is not None:
        _left_out[file] = error
    log.warning("plugin %s left out: %s", f"{kind}/{name}", wrong)


def _warn(name: str, place: str, message: str) -> None:
    log.warning("plugin %s, when it is imported: %s: %s", name, place, message)
