"""What a run's and a sweep's folder say of it: `run.json` and `sweep.json`, each read and checked
here only.

The annotation of a field says what its value must be. A key that is not there has the default: it
is newer than the file. Keys that this version does not know are kept.
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

# what an annotation begins with: the values that JSON may have there, and their name in messages
KINDS: Mapping[str, tuple[type, str]] = {
    "str": (str, "a text"),
    "int": (int, "a whole number"),
    "Mapping": (dict, "a mapping"),
    "Sequence": (list, "a list"),
}


@dataclass(frozen=True, kw_only=True)
class RunDescription:
    """What was asked of a run, and where it was run: written once, before the first step.

    A field that older runs lack has the default that is true of them.
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
    sources: Mapping[str, str] = field(default_factory=dict)  # file → digest, as information
    tracking: Mapping[str, Any] | None = None  # the store it is for; None: tracking=none
    config_file: str = CONFIG_FILE
    unknown: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, folder: Path) -> RunDescription:
        """The description of the run in a folder. Raises `OSError`, and `ValueError` for what is no
        JSON or, as `DataError`, no description of a run.
        """
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
        """The words that the run was asked for with."""
        return str(self.tags.get("dlexp.overrides") or "").split(" ")

    @property
    def sweep(self) -> str | None:
        """The name of the folder of the sweep that the run belongs to."""
        return self.tags.get("dlexp.sweep")


@dataclass(frozen=True, kw_only=True)
class SweepDescription:
    """What was asked of a sweep. `ended_ms` is None as long as its command has not ended."""

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
    study: Mapping[str, Any] | None = None  # of a named study: its words, as they stand in its file
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)  # the keys of each part's runs
    unknown: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, folder: Path) -> SweepDescription:
        """The description of the sweep in a folder. Raises `OSError`, and `ValueError` for what is
        no JSON or, as `DataError`, no description of a sweep.
        """
        path = folder / SWEEP_FILE
        recorded = read_object(path)
        for name in ("study", "parts"):  # damaged, they are none: the runs can be compared
            if not isinstance(recorded.get(name, {}), dict):
                del recorded[name]
        found = cls(**_values(cls, recorded, path))
        for key, values in found.axes.items():
            if not isinstance(values, list):
                wrong = f"axes.{key} must be a list, not {values!r:.60}"
                raise DataError(wrong, key=str(path))
        return replace(
            found,
            id=found.id or folder.name,
            fixed=_texts(found.fixed),
            axes={key: _texts(values) for key, values in found.axes.items()},
            commands=_texts(found.commands) or ((found.command,) if found.command else ()),
            parts={k: _texts(v) for k, v in found.parts.items() if isinstance(v, list)},
        )

    @property
    def searched(self) -> bool:
        """Whether values were searched, and not all combinations trained."""
        return self.sweeper != "grid"

    def extending(self, before: SweepDescription) -> SweepDescription:
        """Add what was asked before: its axes, parts and commands stay, and gain what is new."""
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
    """A file that holds JSON, and no object."""


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises `OSError`, `json.JSONDecodeError` (a `ValueError`), or
    `NoObject`.
    """
    try:
        found = json.loads(path.read_text("utf-8", "surrogateescape"))
    except RecursionError:
        found = None
    if not isinstance(found, dict):
        raise NoObject("holds no JSON object", key=str(path))
    return found


def is_sweep(folder: Path) -> bool:
    """Whether a folder is a sweep's."""
    return (folder / SWEEP_FILE).is_file()


def description_of(folder: Path) -> Description:
    """What the folder of a run or a sweep says of it. Raises `OSError` or `ValueError`."""
    return (SweepDescription if is_sweep(folder) else RunDescription).read(folder)


def to_json(description: Description) -> dict[str, Any]:
    """The JSON object that stands on the disk; what only studies have is left out elsewhere."""
    values = {f.name: getattr(description, f.name) for f in fields(description)}
    whole = values | dict(values.pop("unknown"))
    return {k: v for k, v in whole.items() if v or k not in ("study", "parts")}


def write(path: Path, description: Description) -> None:
    """Write it: old or new, never half. Raises `OSError`."""
    text = json.dumps(to_json(description), indent=2, ensure_ascii=False)
    write_atomically(path, text + "\n")


def _checks(kind: type[Description]) -> list[tuple[str, tuple[type, ...], str]]:
    """Each field of a description, the values that JSON may have there, and their name."""
    found = []
    for f in fields(kind):
        first, *more = str(f.type).split(" | ")
        wanted, words = KINDS[first.partition("[")[0]]
        found.append((f.name, (wanted, type(None)) if more else (wanted,), words))
    return [check for check in found if check[0] != "unknown"]


CHECKS = {kind: _checks(kind) for kind in (RunDescription, SweepDescription)}


def _values(kind: type[Description], recorded: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The fields of a description that a JSON object holds. Raises `DataError`, which names the
    first key whose value is of another kind.
    """
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
