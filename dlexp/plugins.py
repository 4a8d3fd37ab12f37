"""The import home of every plugin: `dlexp.plugins.<kind>.<name>`, whichever folder its file stands in.

Folders, in this order: the shipped catalogue, `./plugins` of the working folder, and those in the environment variable
`DLEXP_PLUGINS` (separated like PATH). Packages on the system can register theirs under the entry point group
`dlexp.plugins`.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from dlexp.errors import PluginError
from dlexp.kinds import KINDS
from dlexp.places import PLUGINS
from dlexp.registry import every

log = logging.getLogger("dlexp")

__path__: list[str] = [str(PLUGINS)]  # what makes this module a package
_broken: dict[tuple[str, str], PluginError] = {}
_loaded: set[Path] = set()


def folders() -> list[Path]:
    """The plugin folders that exist, each once."""
    asked = [Path(p).expanduser() for p in os.environ.get("DLEXP_PLUGINS", "").split(os.pathsep) if p]
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
    for point in entry_points(group="dlexp.plugins"):
        try:
            point.load()
        except (Exception, SystemExit) as e:
            log.warning("plugin %s left out: %s: %s", point.value, type(e).__name__, e)


def broken(kind: str, name: str) -> PluginError | None:
    """Why the plugin file of that name could not be loaded, or None where nothing is wrong with it."""
    return _broken.get((kind, name))


def _load(kind: str, file: Path) -> None:
    module = f"{__name__}.{kind}.{file.stem}"
    try:
        other = getattr(sys.modules.get(module), "__file__", None)
        if other is not None and Path(other).resolve() != file.resolve():
            raise PluginError(f"{file} has the same name as {other}; rename one of them")
        importlib.import_module(module)
        if file.stem not in (cls.name for cls in every(kind)):
            raise PluginError(f"it registers no {kind} called {file.stem}: file and option share a name")
    except (Exception, SystemExit) as e:
        frames = reversed(traceback.extract_tb(e.__traceback__))
        line = next((f.lineno for f in frames if f.filename == str(file)), None)
        line = getattr(e, "lineno", line) if isinstance(e, SyntaxError) else line
        place = f"{file}:{line}" if line else str(file)
        _broken.setdefault((kind, file.stem), PluginError(f"cannot be loaded: {place}: {type(e).__name__}: {e}"))
        log.warning("plugin %s left out: %s: %s: %s", f"{kind}/{file.stem}", place, type(e).__name__, e)
