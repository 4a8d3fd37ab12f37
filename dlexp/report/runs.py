"""Sweeps as they lie on the disk: one `Sweep` per folder, one `Run` per line of its ledger that
counts.

Nothing is dropped here: a run whose folder is gone or damaged is still a run, without measurements.
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

# what a run's own description says of it
DESCRIBED = ("params", "tags", "defaults", "better", "dataset")


@dataclass(frozen=True)
class RunRecord:
    """What a report needs to know of a run; `final` are the latest values, of the weights that were
    kept.
    """

    sweep: str
    key: str
    name: str
    status: Status
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
        return self.status.is_result


@dataclass(frozen=True, kw_only=True)
class SweepRecord(SweepDescription):
    """A sweep's folder: what was asked, and the runs in the order of their keys."""

    folder: Path
    runs: tuple[RunRecord, ...]
    notes: tuple[str, ...] = ()

    @property
    def quick(self) -> bool:
        """Whether it was asked for with `quick=true`."""
        said = [word.lstrip("+").partition("=") for word in self.fixed]
        return any(key == "quick" and value.lower() == "true" for key, _, value in said)

    @property
    def label(self) -> str:
        """What people call it."""
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
    """A run by its ledger line, its run.json and its journal; what of these is missing stays empty."""
    words = dict(word.lstrip("+").partition("=")[::2] for word in entry.overrides)
    known: dict[str, Any] = {
        "status": entry.status,
        "seed": _seed(words.get("seed")),
        # an exception without words
        "error": (entry.error or "").strip().removesuffix(":"),
    }
    place = folder / entry.folder
    try:
        if not entry.folder or home not in place.resolve().parents:
            raise ValueError("its folder is not inside the sweep's")
        described = RunDescription.read(place)
        known |= {name: getattr(described, name) for name in DESCRIBED}
        known["seed"] = _seed(described.params.get("seed", known["seed"]))
        found = measured.of(journal.events(place)[0])
        # the ledger's has the exception's kind, which the journal does not say
        if known["error"] and entry.status == Status.FAILED:
            found.pop("error", None)
        known |= found
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
