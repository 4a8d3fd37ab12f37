"""Reads a sweep's folder for the sender: ledger, runs, varied parameters. Imports no MLflow."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dlexp.core.silent_keys import is_silent
from dlexp.storage import journal, ledger
from dlexp.storage.ledger import LedgerEntry
from dlexp.storage.records import RunDescription
from dlexp.storage.status import Status
from dlexp.tracking import state as states, translate
from dlexp.tracking.state import Refused

SAMPLE = 200  # runs examined for varied parameters and metrics
# before any run
MEASURED = (
    "test/accuracy",
    "test/loss",
    "val/accuracy",
    "val/loss",
    "train/accuracy",
    "train/loss",
)


class LedgerFollower:
    """The ledger of a sweep as read so far; `pending` are the entries not sent yet, by key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, LedgerEntry] = {}
        self.pending: dict[str, LedgerEntry] = {}
        self._latest: dict[tuple[str, ...], str] = {}
        self._offset = 0

    def read(self) -> None:
        """Read new entries. A damaged line is skipped: its run is trained again."""
        new = ledger.read(self.folder, self._offset)
        self._offset = new.end
        for entry in new.entries:
            self.pending.pop(entry.key, None)
            self.entries[entry.key] = self.pending[entry.key] = entry
            self._latest[_combination(entry)] = entry.key

    def is_current(self, entry: LedgerEntry) -> bool:
        """Whether no later run has the same overrides, after a change of plugins or data."""
        return self._latest[_combination(entry)] == entry.key

    def current(self) -> list[LedgerEntry]:
        """The entries that no later one replaces."""
        return [e for e in self.entries.values() if self.is_current(e)]


def _combination(entry: LedgerEntry) -> tuple[str, ...]:
    return tuple(sorted(o for o in entry.overrides if not is_silent(o))) or (entry.key,)


def place_of(folder: Path, entry: LedgerEntry) -> Path:
    """A run's folder. Raises `Refused` for one outside the sweep's."""
    place = folder / entry.folder
    if (folder / "runs").resolve() not in place.resolve().parents:
        raise Refused(f"the ledger is damaged: it names the folder {entry.folder[:80]!r}")
    return place


@dataclass(frozen=True)
class Ended:
    """An ended run in MLflow's terms. `began` is None if it died before it had a journal."""

    place: Path
    description: RunDescription
    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    points: Sequence[translate.Point]
    data: Mapping[str, str] | None
    began: int | None
    ended: int
    status: Status
    lines: int

    @staticmethod
    def read(folder: Path, entry: LedgerEntry, own_id: str) -> Ended:
        """Read a run by its ledger entry; `own_id` is its name in MLflow. Raises `Refused`."""
        place = place_of(folder, entry)
        try:
            try:
                description, events = RunDescription.read(place), journal.events(place)[0]
            except FileNotFoundError:
                description, events = _from_ledger(folder, entry), []
            description, status = replace(description, id=own_id), entry.status
            error = entry.error or (events[-1].error if events else None)
            note = translate.note(description, events, place, status, error)
            tags = translate.tags(description) | translate.mixture(events)
            return Ended(
                place,
                description,
                translate.run_name(description),
                tags | {"dlexp.status": status, "mlflow.note.content": note},
                translate.params(description),
                list(translate.points(events)),
                translate.dataset(description),
                next((e.time_ms for e in events if e.kind == "start"), None),
                (events[-1] if events else entry).time_ms,
                status,
                len(events),
            )
        except (OSError, ValueError, TypeError, AttributeError) as e:
            raise Refused(f"{place.name} cannot be read: {states.reason(e)}") from None


def _from_ledger(folder: Path, entry: LedgerEntry) -> RunDescription:
    """What the ledger knows of a run that died before it wrote a description."""
    words = entry.overrides
    return RunDescription(
        name=" ".join(words) or entry.key,
        created_ms=entry.time_ms,
        params=dict(re.sub(r"^[+~]+", "", o).partition("=")[::2] for o in words),
        tags={"dlexp.overrides": " ".join(words), "dlexp.sweep": folder.name},
    )


@dataclass(frozen=True)
class Survey:
    """What can be compared: varied parameters (without the seed), numeric ones, and metrics.

    `groups` are the labels of runs that differ only in their seed; `seeds` tells whether there are
    several.
    """

    varied: Sequence[str]
    numeric: Sequence[str]
    metrics: Sequence[str]
    groups: Sequence[str]
    seeds: bool
    runs: int
    # the better direction of metrics, as objectives declare it
    better: Mapping[str, str] = field(default_factory=dict)


def survey(
    folder: Path, swept: Mapping[str, Sequence[str]], entries: Sequence[LedgerEntry]
) -> Survey:
    """Examine a sample of the runs, or the swept keys before there are any."""
    seen: list[dict[str, str]] = []
    metrics: dict[str, None] = {}
    better: dict[str, str] = {}
    for entry in entries[:: max(1, len(entries) // SAMPLE)]:
        try:
            run = Ended.read(folder, entry, "")
        except Refused:
            continue
        seen.append(dict(run.params))
        better |= run.description.better
        metrics |= {point.name: None for point in run.points}
    known = sorted({name for params in seen for name in params})
    several = [k for k in known if len({params.get(k) for params in seen}) > 1 and k != "seed"]
    swept_keys = [
        k
        for k, values in swept.items()
        if k != "seed" and (k in several or (not seen and len(values) > 1))
    ]
    varied = swept_keys or several[:4]
    numeric = [k for k in varied if seen and all(_is_number(params.get(k)) for params in seen)]
    labels = dict.fromkeys(label(swept, params) for params in seen)
    return Survey(
        [translate.key(k) for k in varied],
        numeric,
        list(metrics) or MEASURED,
        list(labels),
        len(swept.get("seed", ())) > 1,
        len(entries),
        better,
    )


def label(swept: Iterable[str], params: Mapping[str, str]) -> str:
    """A short label for runs that differ only in their seed.

    >>> label(["optimizer", "optimizer.lr", "seed"],
    ...       {"optimizer": "adam", "optimizer.lr": "0.1", "seed": "3", "epochs": "50"})
    'adam · lr=0.1'
    """
    return translate.readable(" · ".join(_swept_values(swept, params)), translate.NAME) or "all"


def run_name(swept: Iterable[str], params: Mapping[str, str], name: str) -> str:
    """A run's name that begins with what varies: MLflow shows the first twenty characters.

    >>> run_name(["optimizer", "optimizer.lr", "seed"],
    ...          {"optimizer": "sgd", "optimizer.lr": "0.01", "seed": "3"},
    ...          "sgd he hidden=8 blobs epochs=50 s3")
    'sgd lr=0.01 s3 he hidden=8 blobs epochs=50'
    """
    swept = list(swept)
    first, seed = (
        _swept_values(swept, params),
        (f"s{params.get('seed')}", f"seed={params.get('seed')}"),
    )
    first += [word for word in name.split() if word in seed and "seed" in swept]
    rest = [
        w for w in name.split() if w not in first and w.lstrip("+~").partition("=")[0] not in swept
    ]
    return translate.readable(" ".join([*first, *rest]), translate.NAME) or name


def _swept_values(swept: Iterable[str], params: Mapping[str, str]) -> list[str]:
    """The swept values except the seed, a word each."""
    words = []
    for key in swept:
        value = params.get(key)
        if key != "seed" and value is not None:
            itself = value[:1].isalpha() and value not in ("none", "null", "true", "false")
            words.append(value if itself else f"{key.rpartition('.')[2]}={value}")
    return words


def _is_number(text: str | None) -> bool:
    try:
        return text is not None and math.isfinite(float(text))
    except ValueError:
        return False
