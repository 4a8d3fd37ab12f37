"""The descriptions of runs and sweeps: `run.json` and `sweep.json`, read and checked here only.

The annotation of a field gives the type of its value. A missing key has the default, since it is
newer than the file. Keys that this version does not know are kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from dlexp.errors import DataError
from dlexp.storage.atomic import write_atomically
from dlexp.storage.lines import LONGEST

RUN_FILE, SWEEP_FILE, CONFIG_FILE = "run.json", "sweep.json", "config.yaml"

# start of an annotation → its type in JSON, and its name in messages
KINDS: Mapping[str, tuple[type, str]] = {
    "str": (str, "a text"),
    "int": (int, "a whole number"),
    "Mapping": (dict, "a mapping"),
    "Sequence": (list, "a list"),
}


@dataclass(frozen=True, kw_only=True)
class RunDescription:
    """The configuration of a run and its environment: written once, before the first step.

    The default of a newer field is right for older runs.
    """

    id: str = ""
    name: str = ""
    created_ms: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    better: Mapping[str, str] = field(default_factory=dict)
    dataset: Mapping[str, Any] | None = None
    # {"numerics": 1, "code": {file: digest}}; early runs lack it
    identity: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)  # file → digest, for information
    tracking: Mapping[str, Any] | None = None  # its store; None: tracking=none
    config_file: str = CONFIG_FILE
    unknown: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, folder: Path) -> RunDescription:
        """The description of the run in a folder. Raises `OSError` and `ValueError`."""
        path = folder / RUN_FILE
        if path.stat().st_size > LONGEST:
            raise DataError("does not describe a run", key=str(path))
        try:
            run = cls(**_values(cls, read_object(path), path))
        except NoObject:
            raise DataError("does not describe a run", key=str(path)) from None
        if run.identity and not (
            isinstance(run.identity.get("numerics"), int)
            and isinstance(run.identity.get("code"), dict)
        ):
            wrong = f"identity must be a number and a mapping, not {run.identity!r:.60}"
            raise DataError(wrong, key=str(path))
        return run

    @property
    def overrides(self) -> list[str]:
        """The overrides of the run."""
        return str(self.tags.get("dlexp.overrides") or "").split(" ")

    @property
    def sweep(self) -> str | None:
        """The folder's name of the sweep that the run belongs to."""
        return self.tags.get("dlexp.sweep")


@dataclass(frozen=True, kw_only=True)
class SweepDescription:
    """The configuration of a sweep. `ended_ms` is None until its command ends."""

    id: str = ""
    name: str | None = None
    created_ms: int = 0
    fixed: Sequence[str] = ()
    sweeper: str = "grid"
    axes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    command: str = ""
    commands: Sequence[str] = ()
    tracking: Mapping[str, Any] | None = None
    ended_ms: int | None = 0  # early versions did not record it
    study: Mapping[str, Any] | None = None  # the texts of a named study's file
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)  # the keys of each part's runs
    unknown: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, folder: Path) -> SweepDescription:
        """The description of the sweep in a folder. Raises `OSError` and `ValueError`."""
        path = folder / SWEEP_FILE
        recorded = read_object(path)
        for name in ("study", "parts"):  # ignored if damaged: the runs can still be compared
            if not isinstance(recorded.get(name, {}), dict):
                del recorded[name]
        sweep = cls(**_values(cls, recorded, path))
        for key, values in sweep.axes.items():
            if not isinstance(values, list):
                wrong = f"axes.{key} must be a list, not {values!r:.60}"
                raise DataError(wrong, key=str(path))
        return replace(
            sweep,
            id=sweep.id or folder.name,
            fixed=_texts(sweep.fixed),
            axes={key: _texts(values) for key, values in sweep.axes.items()},
            commands=_texts(sweep.commands) or ((sweep.command,) if sweep.command else ()),
            parts={k: _texts(v) for k, v in sweep.parts.items() if isinstance(v, list)},
        )

    @property
    def searched(self) -> bool:
        """Whether values were searched, rather than all combinations trained."""
        return self.sweeper != "grid"

    def extending(self, before: SweepDescription) -> SweepDescription:
        """Add the axes, parts and commands of an earlier description."""
        return replace(
            self,
            created_ms=before.created_ms,
            axes=_joined(before.axes, self.axes),
            commands=tuple(dict.fromkeys([*before.commands, *self.commands])),
            parts=_joined(before.parts, self.parts) if self.parts else {},
            unknown={**before.unknown, **self.unknown},
        )


Description = RunDescription | SweepDescription


class NoObject(DataError):
    """A file with JSON, but not an object."""


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises `OSError`, or a `ValueError` such as `NoObject`."""
    try:
        content = json.loads(path.read_text("utf-8", "surrogateescape"))
    except RecursionError:
        content = None
    if not isinstance(content, dict):
        raise NoObject("holds no JSON object", key=str(path))
    return content


def is_sweep(folder: Path) -> bool:
    """Whether a folder is a sweep's."""
    return (folder / SWEEP_FILE).is_file()


def description_of(folder: Path) -> Description:
    """The description of a run or a sweep. Raises `OSError` or `ValueError`."""
    return (SweepDescription if is_sweep(folder) else RunDescription).read(folder)


def to_json(description: Description) -> dict[str, Any]:
    """The JSON object for the disk; keys of studies are left out elsewhere."""
    values = {f.name: getattr(description, f.name) for f in fields(description)}
    whole = values | dict(values.pop("unknown"))
    return {k: v for k, v in whole.items() if v or k not in ("study", "parts")}


def write(path: Path, description: Description) -> None:
    """Write a description atomically. Raises `OSError`."""
    text = json.dumps(to_json(description), indent=2, ensure_ascii=False)
    write_atomically(path, text + "\n")


def _checks(kind: type[Description]) -> list[tuple[str, tuple[type, ...], str]]:
    """Each field of a description, the types that JSON may have there, and their name."""
    checks = []
    for f in fields(kind):
        first, *more = str(f.type).split(" | ")
        wanted, words = KINDS[first.partition("[")[0]]
        checks.append((f.name, (wanted, type(None)) if more else (wanted,), words))
    return [check for check in checks if check[0] != "unknown"]


CHECKS = {kind: _checks(kind) for kind in (RunDescription, SweepDescription)}


def _values(kind: type[Description], recorded: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The fields in a JSON object. Raises `DataError` for the first value of another type."""
    values, unknown = {}, dict(recorded)
    for name, wanted, words in CHECKS[kind]:
        if name in unknown:
            values[name] = value = unknown.pop(name)
            if not isinstance(value, wanted):
                raise DataError(f"{name} must be {words}, not {value!r:.60}", key=str(path))
    return values | {"unknown": unknown}


def _texts(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple(map(str, values))


def _joined(
    before: Mapping[str, Sequence[str]], now: Mapping[str, Sequence[str]]
) -> dict[str, Sequence[str]]:
    """The lists of both, each value once."""
    new = {key: tuple(dict.fromkeys([*before.get(key, ()), *now[key]])) for key in now}
    return {**before, **new}
