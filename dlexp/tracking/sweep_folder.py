"""A sweep's folder as the sender reads it: the ledger, the runs it names, what varies. Imports no
MLflow.
"""

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

SAMPLE = 200  # runs looked at to learn what varies and what was measured
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
    """What a sweep's ledger says so far; `pending` are the entries not sent yet, by key."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, LedgerEntry] = {}
        self.pending: dict[str, LedgerEntry] = {}
        self._latest: dict[tuple[str, ...], str] = {}
        self._offset = 0

    def read(self) -> None:
        """Read what is new. A damaged line is left out: its run is trained again."""
        new = ledger.read(self.folder, self._offset)
        self._offset = new.end
        for entry in new.entries:
            self.pending.pop(entry.key, None)
            self.entries[entry.key] = self.pending[entry.key] = entry
            self._latest[_combination(entry)] = entry.key

    def is_current(self, entry: LedgerEntry) -> bool:
        """Whether no later run has the same overrides: with a plugin or the data changed, a run is
        trained anew.
        """
        return self._latest[_combination(entry)] == entry.key

    def current(self) -> list[LedgerEntry]:
        """The entries that no other has taken the place of."""
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
    """A run that has ended, in MLflow's words. `began` is None if it died before it had a journal."""

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
        """A run by its entry in the ledger and its folder; `own_id` is its name in MLflow. Raises
        `Refused`.
        """
        place = place_of(folder, entry)
        try:
            try:
                told, events = RunDescription.read(place), journal.events(place)[0]
            except FileNotFoundError:
                told, events = _borrowed(folder, entry), []
            told, status = replace(told, id=own_id), entry.status
            error = entry.error or (events[-1].error if events else None)
            note = translate.note(told, events, place, status, error)
            tags = translate.tags(told) | translate.mixture(events)
            return Ended(
                place,
                told,
                translate.run_name(told),
                tags | {"dlexp.status": status, "mlflow.note.content": note},
                translate.params(told),
                list(translate.points(events)),
                translate.dataset(told),
                next((e.time_ms for e in events if e.kind == "start"), None),
                (events[-1] if events else entry).time_ms,
                status,
                len(events),
            )
        except (OSError, ValueError, TypeError, AttributeError) as e:
            raise Refused(f"{place.name} cannot be read: {states.reason(e)}") from None


def _borrowed(folder: Path, entry: LedgerEntry) -> RunDescription:
    """What the ledger knows of a run that died before it could say anything."""
    words = entry.overrides
    return RunDescription(
        name=" ".join(words) or entry.key,
        created_ms=entry.time_ms,
        params=dict(re.sub(r"^[+~]+", "", o).partition("=")[::2] for o in words),
        tags={"dlexp.overrides": " ".join(words), "dlexp.sweep": folder.name},
    )


@dataclass(frozen=True)
class Survey:
    """What there is to compare: the parameters that vary (without the seed), which of them are
    numbers, the metrics.

    `groups` are the labels of the runs that differ in their seed only; `seeds` says whether there
    are several of those.
    """

    varied: Sequence[str]
    numeric: Sequence[str]
    metrics: Sequence[str]
    groups: Sequence[str]
    seeds: bool
    runs: int
    # which way metrics are better, as objectives declare
    better: Mapping[str, str] = field(default_factory=dict)


def survey(
    folder: Path, swept: Mapping[str, Sequence[str]], entries: Sequence[LedgerEntry]
) -> Survey:
    """Look at a sample of the runs, or before there are any, at what is swept."""
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
    asked = [
        k
        for k, values in swept.items()
        if k != "seed" and (k in several or (not seen and len(values) > 1))
    ]
    varied = asked or several[:4]
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
    """What runs that differ in their seed only have in common, in short.

    >>> label(["optimizer", "optimizer.lr", "regularizer", "seed"],
    ...       {"optimizer": "adam", "optimizer.lr": "0.1", "regularizer": "none", "seed": "3", "epochs": "50"})
    'adam · lr=0.1 · regularizer=none'
    """
    return translate.readable(" · ".join(_said(swept, params)), translate.NAME) or "all"


def run_name(swept: Iterable[str], params: Mapping[str, str], name: str) -> str:
    """A run's name with what varies in front: MLflow's charts and lists show the first twenty
    characters.

    >>> run_name(["optimizer", "optimizer.lr", "seed"], {"optimizer": "sgd", "optimizer.lr": "0.01", "seed": "3"},
    ...          "sgd he hidden=8 blobs epochs=50 s3")
    'sgd lr=0.01 s3 he hidden=8 blobs epochs=50'
    """
    swept = list(swept)
    first, seed = _said(swept, params), (f"s{params.get('seed')}", f"seed={params.get('seed')}")
    first += [word for word in name.split() if word in seed and "seed" in swept]
    rest = [
        w for w in name.split() if w not in first and w.lstrip("+~").partition("=")[0] not in swept
    ]
    return translate.readable(" ".join([*first, *rest]), translate.NAME) or name


def _said(swept: Iterable[str], params: Mapping[str, str]) -> list[str]:
    """The swept values but the seed's, a word each."""
    said = []
    for key in swept:
        value = params.get(key)
        if key != "seed" and value is not None:
            itself = value[:1].isalpha() and value not in ("none", "null", "true", "false")
            said.append(value if itself else f"{key.rpartition('.')[2]}={value}")
    return said


def _is_number(text: str | None) -> bool:
    try:
        return text is not None and math.isfinite(float(text))
    except ValueError:
        return False
