"""Sweeps as they lie on the disk: one `Sweep` per folder, one `Run` per line of its ledger that
counts.

Nothing is dropped here: a run whose folder is gone or damaged is still a run, without measurements.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlexp import paths, shell
from dlexp.errors import UserError, nearest
from dlexp.report import measured
from dlexp.report.measured import Curve
from dlexp.storage import journal

OBSERVED = ("FINISHED", "DIVERGED")  # outcomes; whatever else a run may be, its result is missing
NAMED = 8  # names listed in an error message


@dataclass(frozen=True)
class RunRecord:
    """What a report needs to know of a run; `final` are the latest values, of the weights that were
    kept.
    """

    sweep: str
    key: str
    name: str
    status: str
    seed: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    curves: Mapping[str, Curve] = field(default_factory=dict)
    final: Mapping[str, float] = field(default_factory=dict)
    epoch_steps: int | None = None  # steps per epoch, where an epoch's end was seen
    steps: int = 0
    seconds: float = math.nan
    time_ms: int = 0
    error: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    dataset: Mapping[str, Any] | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    # which way metrics are better, as its objective declares
    better: Mapping[str, str] = field(default_factory=dict)

    @property
    def observed(self) -> bool:
        """Whether it has a result: finished, or diverged, which is one."""
        return self.status in OBSERVED


@dataclass(frozen=True)
class SweepRecord:
    """A sweep's folder: what was asked, and the runs in the order of their keys."""

    folder: Path
    id: str
    name: str
    created_ms: int
    fixed: tuple[str, ...]
    axes: Mapping[str, tuple[str, ...]]
    command: str
    runs: tuple[RunRecord, ...]
    notes: tuple[str, ...] = ()
    # of a named study: its words and claims, as they stand in its file
    study: Mapping[str, Any] | None = None
    # of a study: the keys of each part's runs
    parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    searched: bool = False  # by a sweeper that tries values, not all combinations

    @property
    def quick(self) -> bool:
        """Whether it was asked for with `quick=true`."""
        said = [word.lstrip("+").partition("=") for word in self.fixed]
        return any(key == "quick" and value.lower() == "true" for key, _, value in said)

    @property
    def label(self) -> str:
        """What people call it."""
        return self.name or self.id


def find(word: str, key: str = "report") -> Path:
    """The folder of a sweep: a path, an id, a name, or `last`. Raises `UserError` where there is
    none, for `key`.
    """
    if (Path(word) / "sweep.json").is_file():
        return Path(word)
    home = paths.outputs() / "sweeps"
    known = {
        folder: _told(folder)
        for folder in sorted(home.glob("*"))
        if (folder / "sweep.json").is_file()
    }
    if not known:
        way = shell.command("-m", "optimizer=sgd,adam", "seed=0,1,2")
        raise UserError(
            f"there is no sweep in {home}; one is made by, say, {way}", key=key, value=word
        )
    if word == "last":
        return max(known, key=lambda folder: (_touched(folder, known[folder]), folder.name))
    fits = [f for f, told in known.items() if word in (f.name, told.get("id"))] or [
        f for f, told in known.items() if word == told.get("name")
    ]
    if fits:
        return max(fits, key=lambda folder: (_touched(folder, known[folder]), folder.name))
    names = sorted({str(told.get("name") or f.name) for f, told in known.items()})
    listed = ", ".join(names[:NAMED]) + (f", … ({len(names)} in all)" if len(names) > NAMED else "")
    raise UserError(
        "there is no such sweep, nor a folder with a sweep.json",
        key=key,
        value=word,
        allowed=f"last, {listed}",
        hint=nearest(word, [*names, "last"]),
    )


def names() -> list[str]:
    """What the sweeps under outputs/ are called."""
    folders = (path.parent for path in (paths.outputs() / "sweeps").glob("*/sweep.json"))
    return sorted({str(_told(folder).get("name") or folder.name) for folder in folders})


def read(folder: Path) -> SweepRecord:
    """The sweep in a folder. Raises `UserError` if its sweep.json cannot be read."""
    try:
        told = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
        assert isinstance(told, dict)
        axes = {
            str(key): tuple(map(str, values)) for key, values in (told.get("axes") or {}).items()
        }
    except (OSError, ValueError, AssertionError, AttributeError, TypeError, RecursionError) as e:
        raise UserError(
            f"cannot be read: {e or 'not what a sweep writes'}", key=str(folder / "sweep.json")
        ) from None
    entries, damaged = _ledger(folder)
    sweep = str(told.get("id") or folder.name)
    runs = tuple(_run(folder, sweep, entry) for _, entry in sorted(entries.items()))
    counted = {run.name for run in runs}
    loose = [
        f for f in sorted(folder.glob("runs/*")) if f.is_dir() and f"runs/{f.name}" not in counted
    ]
    notes = []
    if damaged:
        notes.append(
            f"{damaged} damaged line{'s' * (damaged != 1)} of the ledger of {sweep} could not be"
            " read"
        )
    if loose:
        notes.append(
            f"{len(loose)} run folder{'s' * (len(loose) != 1)} of {sweep} not in its ledger: still"
            " training, cut off, or replaced by a later attempt"
        )
    return SweepRecord(
        folder=folder,
        id=sweep,
        name=str(told.get("name") or ""),
        created_ms=int(told.get("created_ms") or 0),
        fixed=tuple(map(str, told.get("fixed") or ())),
        axes=axes,
        command=str(told.get("command") or ""),
        runs=runs,
        notes=tuple(notes),
        study=study if isinstance(study := told.get("study"), dict) else None,
        parts=_parts(told.get("parts")),
        searched=str(told.get("sweeper") or "grid") != "grid",
    )


def _parts(told: Any) -> dict[str, tuple[str, ...]]:
    """Which runs belong to which part; what is damaged is no part."""
    found = told.items() if isinstance(told, dict) else ()
    return {str(part): tuple(map(str, keys)) for part, keys in found if isinstance(keys, list)}


def _told(folder: Path) -> dict[str, Any]:
    try:
        told = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _touched(folder: Path, told: Mapping[str, Any]) -> int:
    """When something last happened to a sweep, by its own account."""
    entries, _ = _ledger(folder)
    return max(
        [int(told.get("created_ms") or 0), *(int(e.get("time_ms") or 0) for e in entries.values())]
    )


def _ledger(folder: Path) -> tuple[dict[str, dict[str, Any]], int]:
    """The last entry of each key, and how many lines before the last are damaged."""
    try:
        text = (folder / "ledger.jsonl").read_bytes()
    except FileNotFoundError:
        return {}, 0
    except OSError as e:
        raise UserError(
            f"cannot be read: {e.strerror or e}", key=str(folder / "ledger.jsonl")
        ) from None
    entries: dict[str, dict[str, Any]] = {}
    damaged = 0
    for line in text[: text.rfind(b"\n") + 1].splitlines():
        try:
            entry = json.loads(line)
            entries[str(entry["key"])] = entry
        except (ValueError, KeyError, TypeError, RecursionError):
            damaged += bool(line.strip())
    return entries, damaged


def _run(folder: Path, sweep: str, entry: Mapping[str, Any]) -> RunRecord:
    """A run by its ledger line, run.json and journal; missing parts stay empty."""
    name = str(entry.get("folder") or "")
    overrides = tuple(map(str, entry.get("overrides") or ()))
    known: dict[str, Any] = {
        "sweep": sweep,
        "key": str(entry["key"]),
        "name": name,
        "status": str(entry.get("status") or "KILLED"),
        "overrides": overrides,
        "seconds": float(entry.get("seconds") or math.nan),
        "time_ms": int(entry.get("time_ms") or 0),
        "seed": _seed(dict(o.lstrip("+").partition("=")[::2] for o in overrides).get("seed")),
        # an exception without words
        "error": str(entry.get("error") or "").strip().removesuffix(":"),
    }
    place = folder / name
    try:
        if not name or folder.resolve() not in place.resolve().parents:
            raise ValueError("its folder is not inside the sweep's")
        told = journal.description(place)
        known |= {k: told.get(k) or {} for k in ("params", "tags", "defaults", "better")} | {
            "dataset": told.get("dataset")
        }
        known["seed"] = _seed(known["params"].get("seed", known["seed"]))
        events, _ = journal.events(place)
        # by the ledger, with the exception's kind, which the journal does not say
        said = known["error"]
        known |= measured.of(events)
        known["error"] = said if said and known["status"] == "FAILED" else known["error"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        lost = known["status"] in OBSERVED
        known |= {
            "status": "MISSING" if lost else known["status"],
            "error": known["error"] or _why(e),
        }
    return RunRecord(**known)


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"no {Path(error.filename).name} in its folder"
    return f"its folder cannot be read: {' '.join(str(error).split())}"


def _seed(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
