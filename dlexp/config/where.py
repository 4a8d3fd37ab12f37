"""Where a value was set: on the command line, or in which file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError

COMMAND_LINE = "command line"


def typed_value(key: str, overrides: Sequence[str]) -> str | None:
    """The value that the overrides give a key, as typed; None if they do not mention it."""
    pairs = (o.partition("=") for o in reversed(overrides))
    return next((value for name, _, value in pairs if name.lstrip("+") == key), None)


def where(key: str, overrides: Sequence[str], files: Sequence[tuple[str, Path]] = ()) -> str:
    """The place that set `key`; an empty string if only the default did.

    `files` are the configuration files in use, strongest first, each with the package of its keys.
    """
    for override in overrides:
        name = override.partition("=")[0].lstrip("+~")
        if name == key or key.startswith(f"{name}.") or name.startswith(f"{key}."):
            return COMMAND_LINE
    for package, path in files:
        inside = key.removeprefix(f"{package}.") if package else key
        if package and inside == key:
            continue
        content: Any = _content(path)
        if isinstance(content, dict) and inside in map(str, content):
            return f"{path.parent.name}/{path.name}"
        for part in inside.split("."):
            content = content.get(part) if isinstance(content, dict) else None
        if content is not None:
            return f"{path.parent.name}/{path.name}"
    return ""


def _content(path: Path) -> Any:
    """The content of a file, None if it cannot be read; cached while size and time stay."""
    try:
        status = path.stat()
        return _loaded(path, status.st_size, status.st_mtime_ns)
    except (OSError, ValueError, YAMLError):
        return None


@lru_cache(maxsize=64)
def _loaded(path: Path, size: int, time_ns: int) -> Any:
    return OmegaConf.to_container(OmegaConf.load(path), resolve=False)


def chosen_in(group: str, files: Sequence[tuple[str, Path]]) -> str:
    """The first file that chooses an option of a group; an empty string if none does."""
    return next(
        (
            f"{path.parent.name}/{path.name}"
            for package, path in files
            if group in _keys_in(package, path)
        ),
        "",
    )


def asks_for(kind: str, overrides: Sequence[str], files: Sequence[tuple[str, Path]] = ()) -> bool:
    """Whether the command line or a file of the user, such as a study, sets a kind of plugin."""
    if any(o.lstrip("+").partition("=")[0].partition(".")[0] == kind for o in overrides):
        return True
    return any(
        path.name != "config.yaml" and kind in _keys_in(package, path) for package, path in files
    )


def _keys_in(package: str, path: Path) -> set[str]:
    """The groups and keys that a file mentions."""
    content = _content(path)
    if not isinstance(content, dict) or package:
        return {package}
    menu = [key for item in content.get("defaults") or () if isinstance(item, dict) for key in item]
    return {str(key).removeprefix("override").strip().strip("/") for key in (*menu, *content)}
