"""The import home of every plugin: `dlexp.plugins.<kind>.<name>`, whichever folder its file stands in.

Folders, in this order: the shipped catalogue, `./plugins` of the working folder, and those in the environment variable
`DLEXP_PLUGINS` (separated like PATH). Packages on the system can register theirs under the entry point group
`dlexp.plugins`.
"""

from __future__ import annotations

import importlib
import io
import logging
import os
import random
import sys
import threading
import traceback
import typing
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from dlexp.errors import PluginError
from dlexp.kinds import KINDS
from dlexp.places import PLUGINS, expanded
from dlexp.registry import Plugin, every, unregister

log = logging.getLogger("dlexp")

__path__: list[str] = [str(PLUGINS)]  # what makes this module a package
_broken: dict[tuple[str, str], PluginError] = {}
_loaded: set[Path] = set()


def folders() -> list[Path]:
    """The plugin folders that exist, each once."""
    asked = [expanded(p) for p in os.environ.get("DLEXP_PLUGINS", "").split(os.pathsep) if p]
    found = (p.resolve() for p in (PLUGINS, Path("plugins"), *asked) if p.is_dir())
    return list(dict.fromkeys(found))


def discover() -> None:
    """Import every `<folder>/<kind>/<name>.py`, which registers it; called again, it imports what has come since.

    Only folders named after a kind are looked into. A file that cannot be imported, or that claims a name already
    taken, is reported and left out: the others go on working, and selecting it fails with the reason.
    """
    __path__[:] = dict.fromkeys([*__path__, *map(str, folders())])
    importlib.invalidate_caches()
    for folder in folders():
        for kind in KINDS:
            for file in sorted((folder / kind).glob("[!_]*.py")):
                if file not in _loaded:
                    _loaded.add(file)
                    _load(kind, file)
    _load_installed()


@cache
def _load_installed() -> None:
    """Plugins of installed packages, once: looking through all packages takes its time."""
    from importlib.metadata import entry_points

    for point in entry_points(group="dlexp.plugins"):
        try:
            point.load()
        except (Exception, SystemExit) as e:
            log.warning("plugin %s left out: %s: %s", point.value, type(e).__name__, " ".join(str(e).split()))


@contextmanager
def quietly() -> Iterator[None]:
    """Inside, nothing is said of plugins that are left out."""
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(logging.NOTSET)


def broken(kind: str, name: str) -> PluginError | None:
    """Why the plugin file of that name could not be loaded, or None where nothing is wrong with it."""
    return _broken.get((kind, name))


def leave_out(cls: type[Plugin], wrong: str) -> None:
    """Forget a registered plugin that cannot be used; selecting it fails with what is wrong."""
    unregister(cls)
    _report(cls.kind, cls.name, wrong)


def _load(kind: str, file: Path) -> None:
    module = f"{__name__}.{kind}.{file.stem}"
    before = set(every())
    try:
        other = getattr(sys.modules.get(module), "__file__", None)
        if other is not None and Path(other).resolve() != file.resolve():
            raise PluginError(f"{file} has the same name as {other}; rename one of them")
        if not file.stem.isidentifier():
            raise PluginError("the name of a plugin's file is letters, digits and underscores, and begins with none")
        with _undisturbed(kind, file):
            importlib.import_module(module)
        if file.stem not in (cls.name for cls in every(kind)):
            raise PluginError(f"it registers no {kind} called {file.stem}: file and option share a name")
        for cls in set(every()) - before:
            typing.get_type_hints(cls)  # a field's type that cannot be found out is found out now
    except KeyboardInterrupt:
        raise
    except BaseException as e:  # SystemExit, and whatever else there is
        for cls in set(every()) - before:
            unregister(cls)
        frames = reversed(traceback.extract_tb(e.__traceback__))
        line = next((f.lineno for f in frames if f.filename == str(file)), None)
        line = getattr(e, "lineno", line) if isinstance(e, SyntaxError) else line
        place = f"{file}:{line}" if line else str(file)
        _report(kind, file.stem, f"{place}: {type(e).__name__}: {' '.join(str(e).split())}")


def _report(kind: str, name: str, wrong: str) -> None:
    _broken.setdefault((kind, name), PluginError(f"cannot be loaded: {wrong}"))
    log.warning("plugin %s left out: %s", f"{kind}/{name}", wrong)


class _Heard(io.StringIO):
    """Stands where stdout was, and notes which line of a file speaks first."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file, self.line = str(file), 0

    def write(self, text: str) -> int:
        frame = sys._getframe(1)
        while frame is not None and not self.line:
            if frame.f_code.co_filename == self.file:
                self.line = frame.f_lineno
            frame = frame.f_back  # type: ignore[assignment]
        return super().write(text)


@contextmanager
def _undisturbed(kind: str, file: Path) -> Iterator[None]:
    """Inside, a plugin is imported; what it then does to others is undone, and said."""
    folder, heard, threads = _working_folder(), _Heard(file), set(threading.enumerate())
    randoms = _random_states()
    try:
        with redirect_stdout(heard):
            yield
    finally:
        said = []
        if text := " ".join(heard.getvalue().split()):
            said.append(f"line {heard.line} prints {text[:60]!r}")
        if folder and folder != _working_folder():
            os.chdir(folder)
            said.append("it changes the working folder, which is changed back")
        if _random_states()[1:] != randoms[1:]:
            random.setstate(randoms[1])
            np.random.set_state(randoms[0])  # noqa: NPY002
            said.append("it uses the global random state, which is put back: use the rng it is given")
        if started := set(threading.enumerate()) - threads:
            said.append(f"it starts a thread, {next(iter(started)).name}")
        for what in said:
            log.warning("plugin %s, when it is imported: %s: %s", f"{kind}/{file.stem}", file, what)


def _random_states() -> tuple[Any, Any, bytes, int]:
    """NumPy's global random state, Python's, and the first as values that can be compared."""
    state: Any = np.random.get_state()  # noqa: NPY002
    return state, random.getstate(), state[1].tobytes(), state[2]


def _working_folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 its name is all that is asked for
    except OSError:  # it is gone
        return ""
