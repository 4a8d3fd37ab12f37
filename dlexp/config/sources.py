"""Checks the YAML files that Hydra reads: their form, and the keys that they may set.

A study or a variant of the user may set the same keys as the command line, and of Hydra's own keys
those that cannot name code to run.
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlexp.config.hydra_groups import LAUNCHERS, SWEEPERS
from dlexp.config.overrides import (
    GROUPS,
    HYDRA_KEYS,
    ROOT,
    check,
    misfit,
    normalize,
)
from dlexp.config.wording import of_key
from dlexp.config.yamlfile import construct, read
from dlexp.core import kinds, registry
from dlexp.errors import UserError
from dlexp.paths import CONF

IN_FILES = (
    *(key for key in HYDRA_KEYS if "/" not in key),
    "hydra.sweeper.params",
    "hydra.sweeper.parts",
)
PACKAGES = (None, "_global_", "_group_")
HEAD = 512  # the part of a file in which Hydra looks for a package


@dataclass
class Reading:
    """The files that one loader has read, the latest first, each with the package of its keys.

    While a base is composed, no file sets the root keys in `without`.
    """

    files: list[tuple[str, Path]] = field(default_factory=list)
    without: Collection[str] = ()

    @contextmanager
    def apart_from(self, keys: Collection[str]) -> Iterator[None]:
        """Context manager: no file sets these root keys in one composition."""
        self.files.clear()
        self.without = keys
        try:
            yield
        finally:
            self.without = ()

    def __deepcopy__(self, memo: object) -> Reading:
        """Hydra copies its sources for each composition; all copies report to the same place."""
        return self


class CheckedFiles(ConfigSource):
    """The files of a folder, under dlexp's own URL scheme: `file://` of others is untouched."""

    def __init__(self, provider: str, path: str) -> None:
        super().__init__(provider, path)
        self.reading = Reading()

    @staticmethod
    def scheme() -> str:
        return "dlexp"

    def load_config(self, config_path: str) -> ConfigResult:
        """Raises `UserError` for a file with forbidden content."""
        shown = self._normalize_file_name(config_path).strip("/")
        path = (Path(self.path) / shown).resolve()
        try:
            status = path.stat()
        except OSError as e:
            if not self.is_config(config_path):
                raise ConfigLoadError(f"there is no file {path}") from None
            raise UserError(f"cannot be read: {e.strerror or e}", where=shown) from None
        version = (status.st_size, status.st_mtime_ns)
        if "/" not in shown:  # config.yaml and hydra_defaults.yaml, which are dlexp's
            config, package = deepcopy(_shipped(path, *version))
        else:
            text, package = _checked(path, shown, *version)
            _check_circle(Path(self.path), shown, (), set())
            config = _parsed(text, shown)
            folder = "" if package == "_global_" else shown.rpartition("/")[0]
            self.reading.files.insert(0, (folder, path))
        if "/" not in shown or package == "_global_":
            for key in [key for key in config if key in self.reading.without]:
                del config[key]
        return ConfigResult(self.provider, self.full_path(), config, {"package": package})

    def available(self) -> bool:
        return self.is_group("")

    def is_group(self, config_path: str) -> bool:
        return Path(self.path, config_path).is_dir()

    def is_config(self, config_path: str) -> bool:
        """Only groups in a folder of the user are read, not files beside them."""
        ours = os.path.realpath(self.path) == os.path.realpath(CONF)
        is_one = ours or "/" in config_path.strip("/")
        return is_one and Path(self.path, self._normalize_file_name(config_path)).is_file()

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        names: list[str] = []
        for path in Path(self.path, config_path).iterdir():
            inner = f"{config_path}/{path.name}"
            self._list_add_result(names, inner, path.name, results_filter)
        return sorted(set(names))


@lru_cache(maxsize=16)
def _shipped(path: Path, size: int, time_ns: int) -> tuple[Any, str | None]:
    """A file that Hydra reads twice for each job, parsed once: its content and its package."""
    text = path.read_text("utf-8")
    return OmegaConf.load(io.StringIO(text)), _package(text, path.name)


def _parsed(text: str, shown: str) -> Any:
    try:
        return OmegaConf.load(io.StringIO(text))
    except Exception as e:
        reason = of_key(e) if isinstance(e, OmegaConfBaseException) else " ".join(str(e).split())
        raise UserError(f"cannot be read: {reason}", where=shown) from None


@lru_cache(maxsize=256)
def _checked(path: Path, shown: str, size: int, time_ns: int) -> tuple[str, str | None]:
    """A file's text and the package of its keys."""
    text = read(path, shown)
    content = construct(text, shown)
    if content is None:
        raise UserError("is empty: a study or a variant needs keys with values", where=shown)
    if not isinstance(content, dict):
        raise UserError("must be keys with values, not a list or a single value", where=shown)
    group, _, name = shown.removesuffix(".yaml").rpartition("/")
    package = _package(text, shown)
    if group == "hydra" or group.startswith("hydra/"):
        raise UserError("your files cannot set Hydra's own groups", where=shown)
    if group in kinds.KINDS and name in (cls.name for cls in registry.every(group)):
        raise UserError(
            f"is also the name of the plugin {group}/{name}: give the variant another name",
            where=shown,
        )
    if package not in (*PACKAGES, group):
        raise UserError(f"@package {package}: must be _global_, or be left out", where=shown)
    if group == "experiment" and package != "_global_":
        raise UserError(
            "must begin with the line '# @package _global_': its keys are those of the root",
            where=shown,
        )
    _check_targets(content, "", shown)
    _check_defaults(content.get("defaults"), shown)
    if package == "_global_":
        _check_hydra(content.get("hydra"), "hydra", shown)
    return text, package


def _package(text: str, shown: str) -> str | None:
    """The package that a line `# @package …` at the head of the file names."""
    try:
        package: str | None = ConfigSource._get_header_dict(text[:HEAD])["package"]
    except ValueError as e:
        raise UserError(f"its first lines cannot be read: {e}", where=shown) from None
    return package


def _check_targets(content: Any, key: str, shown: str) -> None:
    """Raises `UserError` for a key such as `_target_` anywhere in a file: it names code to run."""
    if isinstance(content, dict):
        for name, value in content.items():
            inner = f"{key}.{name}" if key else str(name)
            if name == "_target_":
                raise UserError("names code to run, which a file must not", key=inner, where=shown)
            _check_targets(value, inner, shown)
    elif isinstance(content, list):
        for i, value in enumerate(content):
            _check_targets(value, f"{key}[{i}]", shown)


def _check_hydra(content: Any, key: str, shown: str) -> None:
    """Raises `UserError` for a key of Hydra that a file may not set."""
    if key in IN_FILES:
        if key in ("hydra.sweeper.params", "hydra.sweeper.parts"):
            _check_swept(content, key, shown)
        elif why := misfit(key, content):
            raise UserError(why, key=key, value=content, where=shown)
        return
    if isinstance(content, dict) and any(known.startswith(f"{key}.") for known in IN_FILES):
        for name, value in content.items():
            _check_hydra(value, f"{key}.{name}", shown)
    elif content is not None:
        allowed = ", ".join(IN_FILES)
        raise UserError(
            "this key of Hydra cannot be set in a file", key=key, where=shown, allowed=allowed
        )


def _check_swept(content: Any, key: str, shown: str) -> None:
    """Check that a study sweeps only what could be typed."""
    if not isinstance(content, dict | None):
        raise UserError("must be keys with values", key=key, value=content, where=shown)
    for name, value in (content or {}).items():
        if key == "hydra.sweeper.parts":
            _check_swept(value, f"{key}.{name}", shown)
            continue
        if str(name).partition(".")[0] not in (*ROOT, "init"):
            raise UserError(
                "there is no such key", key=f"{key}.{name}", where=shown, allowed=", ".join(ROOT)
            )
        try:
            check(normalize([f"{name}={value if isinstance(value, str) else json.dumps(value)}"]))
        except UserError as e:
            e.key, e.where = f"{key}.{name}", shown
            raise


def _check_defaults(content: Any, shown: str) -> None:
    """Check that a file includes only options of our groups, each in its own place."""
    if content is None:
        return
    if not isinstance(content, list):
        raise UserError("must be a list", key="defaults", where=shown)
    for item in content:
        pairs: Any = item.items() if isinstance(item, dict) else [(str(item), None)]
        for word, value in pairs:
            words = str(word).split()
            group = re.sub(r"^/", "", words[-1]) if words else ""
            known = [*GROUPS, "init", "hydra/launcher", "hydra/sweeper"]
            if "@" in group:
                wrong = "a group cannot be moved to another place; leave the @ out"
                raise UserError(wrong, key=f"defaults.{group}", where=shown)
            # a file in the same folder
            plain = not isinstance(item, dict) and re.fullmatch(r"\w[\w-]*", str(item))
            if not plain and group not in known:
                raise UserError(
                    "is not a group",
                    key=f"defaults.{group}",
                    where=shown,
                    allowed=", ".join(known),
                )
            ours = {"hydra/launcher": [*LAUNCHERS], "hydra/sweeper": [*SWEEPERS]}.get(group)
            if ours and value not in ours:
                raise UserError(
                    "is not an option of dlexp",
                    key=f"defaults.{group}",
                    value=value,
                    where=shown,
                    allowed=", ".join(ours),
                )


def _check_circle(root: Path, shown: str, above: tuple[str, ...], done: set[str]) -> None:
    """Raises `UserError` for a file whose defaults include itself: Hydra would never stop."""
    if shown in above:
        raise UserError("includes this file again", key="defaults", where=shown)
    if shown in done:
        return
    done.add(shown)
    try:
        content = construct(read(root / shown, shown), shown)
    except (OSError, UserError):
        return  # it is reported when it is read
    for item in (content.get("defaults") if isinstance(content, dict) else None) or ():
        pairs: Any = item.items() if isinstance(item, dict) else [(shown.rpartition("/")[0], item)]
        for group, names in pairs:
            for name in names if isinstance(names, list) else [names]:
                _check_circle(
                    root, f"{str(group).removeprefix('/')}/{name}.yaml", (*above, shown), done
                )
