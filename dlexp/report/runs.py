"""Sweeps on the disk: a `SweepRecord` per folder, a `RunRecord` per valid entry of its ledger.

A run whose folder is gone or damaged is kept, without measurements.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlexp.errors import UserError
from dlexp.report import measured
from dlexp.report.measured import Curve
from dlexp.storage import journal, ledger
from dlexp.storage.ledger import LEDGER, LedgerEntry
from dlexp.storage.records import SWEEP_FILE, RunDescription, SweepDescription
from dlexp.storage.status import Status

# fields that come from a run's own description
DESCRIBED = ("params", "tags", "defaults", "better", "dataset")


@dataclass(frozen=True)
class RunRecord:
    """A run as a report needs it; `final` are the latest values, of the weights kept."""

    sweep: str
    key: str
    name: str
    status: Status
    seed: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    curves: Mapping[str, Curve] = field(default_factory=dict)
    final: Mapping[str, float] = field(default_factory=dict)
    epoch_steps: int | None = None  # steps per epoch, if an epoch was completed
    steps: int = 0
    seconds: float = math.nan
    time_ms: int = 0
    error: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    dataset: Mapping[str, Any] | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    # the better direction of metrics, as its objective declares
    better: Mapping[str, str] = field(default_factory=dict)

    @property
    def observed(self) -> bool:
        """Whether it has a result: finished, or diverged, which is one."""
        return self.status.is_result


@dataclass(frozen=True, kw_only=True)
class SweepRecord(SweepDescription):
    """A sweep's folder: its description, and the runs in the order of their keys."""

    folder: Path
    runs: tuple[RunRecord, ...]
    notes: tuple[str, ...] = ()

    @property
    def quick(self) -> bool:
        """Whether it was made with `quick=true`."""
        overrides = [word.lstrip("+").partition("=") for word in self.fixed]
        return any(key == "quick" and value.lower() == "true" for key, _, value in overrides)

    @property
    def label(self) -> str:
        """Its name, or its id without one."""
        return self.name or self.id


def read(folder: Path) -> SweepRecord:
    """The sweep in a folder. Raises `UserError` if its sweep.json or its ledger cannot be read."""
    file = SWEEP_FILE
    try:
        description = SweepDescription.read(folder)
        file = LEDGER
        lines = ledger.read(folder)
    except (OSError, ValueError) as e:
        wrong = e.message if isinstance(e, UserError) else e
        raise UserError(f"cannot be read: {wrong}", key=str(folder / file)) from None
    sweep = description.id
    home = folder.resolve()
    runs = tuple(_run(folder, home, sweep, entry) for _, entry in sorted(lines.latest().items()))
    counted = {run.name for run in runs}
    loose = [
        f for f in sorted(folder.glob("runs/*")) if f.is_dir() and f"runs/{f.name}" not in counted
    ]
    notes = []
    if damaged := len(lines.damaged):
        notes.append(
            f"{damaged} damaged line{'s' * (damaged != 1)} of the ledger of {sweep} could not be"
            " read"
        )
    if loose:
        notes.append(
            f"{len(loose)} run folder{'s' * (len(loose) != 1)} of {sweep} not in its ledger: still"
            " training, cut off, or replaced by a later attempt"
        )
    return SweepRecord(**vars(description), folder=folder, runs=runs, notes=tuple(notes))


def _run(folder: Path, home: Path, sweep: str, entry: LedgerEntry) -> RunRecord:
    """A run by its ledger entry, run.json and journal; missing parts stay empty."""
    words = dict(word.lstrip("+").partition("=")[::2] for word in entry.overrides)
    known: dict[str, Any] = {
        "status": entry.status,
        "seed": _seed(words.get("seed")),
        # an exception without a message
        "error": (entry.error or "").strip().removesuffix(":"),
    }
    place = folder / entry.folder
    try:
        if not entry.folder or home not in place.resolve().parents:
            raise ValueError("its folder is not inside the sweep's")
        described = RunDescription.read(place)
        known |= {name: getattr(described, name) for name in DESCRIBED}
        known["seed"] = _seed(described.params.get("seed", known["seed"]))
        measurements = measured.of(journal.events(place)[0])
        # the ledger's error names the exception's class, the journal's does not
        if known["error"] and entry.status == Status.FAILED:
            measurements.pop("error", None)
        known |= measurements
    except (OSError, ValueError) as e:
        known["status"] = Status.MISSING if entry.status.is_result else entry.status
        known["error"] = known["error"] or _why(e)
    return RunRecord(
        sweep,
        entry.key,
        entry.folder,
        overrides=tuple(entry.overrides),
        seconds=entry.seconds or math.nan,
        time_ms=entry.time_ms,
        **known,
    )


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"no {Path(error.filename).name} in its folder"
    return f"its folder cannot be read: {' '.join(str(error).split())}"


def _seed(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
