"""Where a value was said: on the command line, or in which file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError

COMMAND_LINE = "command line"


def said(key: str, overrides: Sequence[str]) -> str | None:
    """The value the overrides give a key, as it was typed; None where they do not mention it."""
    pairs = (o.partition("=") for o in reversed(overrides))
    return next((value for name, _, value in pairs if name.lstrip("+") == key), None)


def where(key: str, overrides: Sequence[str], files: Sequence[tuple[str, Path]] = ()) -> str:
    """The place that set `key`; an empty string if nothing but the default did.

    `files` are the configuration files in use, strongest first, each with the package its keys
    stand in.
    """
    for override in overrides:
        said = override.partition("=")[0].lstrip("+~")
        if said == key or key.startswith(f"{said}.") or said.startswith(f"{key}."):
            return COMMAND_LINE
    for package, path in files:
        inside = key.removeprefix(f"{package}.") if package else key
        if package and inside == key:
            continue
        held: Any = _held(path)
        if isinstance(held, dict) and inside in map(str, held):
            return f"{path.parent.name}/{path.name}"
        for part in inside.split("."):
            held = held.get(part) if isinstance(held, dict) else None
        if held is not None:
            return f"{path.parent.name}/{path.name}"
    return ""


def _held(path: Path) -> Any:
    """What a file holds, nothing if it cannot be read; remembered as long as the file's size and
    time stay.
    """
    try:
        status = path.stat()
        return _loaded(path, status.st_size, status.st_mtime_ns)
    except (OSError, ValueError, YAMLError):
        return None


@lru_cache(maxsize=64)
def _loaded(path: Path, size: int, time_ns: int) -> Any:
    return OmegaConf.to_container(OmegaConf.load(path), resolve=False)


def chosen_in(group: str, files: Sequence[tuple[str, Path]]) -> str:
    """The first of the files that chooses an option of a group; an empty string where none does."""
    return next(
        (
            f"{path.parent.name}/{path.name}"
            for package, path in files
            if group in _speaks_of(package, path)
        ),
        "",
    )


def asks_for(kind: str, overrides: Sequence[str], files: Sequence[tuple[str, Path]] = ()) -> bool:
    """Whether the command line or a file of the user's, such as a named study, chooses or sets a
    kind of plugin.
    """
    if any(o.lstrip("+").partition("=")[0].partition(".")[0] == kind for o in overrides):
        return True
    return any(
        path.name != "config.yaml" and kind in _speaks_of(package, path) for package, path in files
    )


def _speaks_of(package: str, path: Path) -> set[str]:
    """The groups and keys that a file mentions."""
    held = _held(path)
    if not isinstance(held, dict) or package:
        return {package}
    menu = [key for item in held.get("defaults") or () if isinstance(item, dict) for key in item]
    return {str(key).removeprefix("override").strip().strip("/") for key in (*menu, *held)}
