"""A recorded run, trained again: is it the same to the bit, and what else is there to see in it?

`python -m dlexp replay <run>` asks for the same numbers, `python -m dlexp probe <run>
observer=[diagnostics]` for the same numbers under more eyes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dlexp.config import Setup, compose_run
from dlexp.errors import UserError
from dlexp.runs import lifecycle, provenance, records
from dlexp.runs.records import Change, Recorded
from dlexp.runs.run import Run
from dlexp.storage import atomic, journal
from dlexp.storage.find import find, must_find
from dlexp.tracking.settings import NoTracking

TOLERANCE = 1e-3
MLFLOW_ID = 32  # hexadecimal digits


@dataclass(frozen=True)
class Difference:
    """Where a number is not what it was; a value that one of them lacks is None."""

    step: int
    metric: str
    before: float | None
    now: float | None

    @property
    def relative(self) -> float:
        """|a − b| / max(|a|, |b|); 1 where one of them is missing or not finite."""
        a, b = self.before, self.now
        if a is None or b is None or not (math.isfinite(a) and math.isfinite(b)):
            return 1.0
        return abs(a - b) / max(abs(a), abs(b))

    def __str__(self) -> str:
        said = [("nothing" if v is None else f"{v!r}") for v in (self.before, self.now)]
        return f"{self.metric} at step {self.step} was {said[0]}, is {said[1]}"


@dataclass(frozen=True)
class Comparison:
    """A run held against its record: what was compared, what differs, what has changed since.

    `weights` are None where there was nothing to compare them with, else whether they are the same.
    `note` says what else is another, and should change no number.
    """

    records: int
    metrics: int
    weights: bool | None
    differences: tuple[Difference, ...]
    ending: str
    changes: tuple[Change, ...]
    same_machine: bool
    note: str = ""

    def told(self, tolerance: float) -> tuple[str, int]:
        """What there is to say, and the exit status: 1 where it is not the same run."""
        extent = f"{self.records} records of {self.metrics} metrics"
        changed = [f"changed   {change}" for change in self.changes]
        changed += [f"note      {self.note}"] if self.note else []
        if not self.differences and not self.ending and self.weights is not False:
            same = f"same      {extent}{' and the weights' if self.weights else ''}, to the bit"
            return "\n".join([same, *changed]), 0
        first = (
            self.differences[0]
            if self.differences
            else self.ending or "the weights at the end are others"
        )
        lines = [f"differs   {first}", *changed]
        if self.same_machine:
            if not self.changes and self.note:
                lines.append(
                    "note      if that code means to compute other numbers, raise NUMERICS"
                )
            elif not self.changes:
                lines.append(
                    "changed   nothing that was recorded: the same code, data and arithmetic should"
                    " repeat it"
                )
            return "\n".join(lines), 1
        worst: dict[str, Difference] = {}
        for d in self.differences:
            if d.metric not in worst or d.relative > worst[d.metric].relative:
                worst[d.metric] = d
        lines.append(
            "The arithmetic is another one, so bits may differ; largest relative differences in"
            f" {extent}:"
        )
        lines += [
            f"  {name:24} {d.relative:.2g}  (step {d.step})" for name, d in sorted(worst.items())
        ]
        off = max((d.relative for d in worst.values()), default=0.0)
        within = off <= tolerance and not self.ending
        lines.append(f"{'within' if within else 'outside'} the tolerance of {tolerance:g}")
        excused = all(change.kind in ("arithmetic", "mixture") for change in self.changes)
        if within and not excused:
            lines[-1] += ", but more than the arithmetic has changed"
        return "\n".join(lines), 0 if within and excused else 1


def replay(word: str, *, tolerance: float | None = None, uri: str | None = None) -> int:
    """Train the run that a word names again from what it recorded, and compare; 1 if it differs.

    `uri` is the MLflow store that has it. Raises `UserError` where there is no such run.
    """
    with TemporaryDirectory(prefix="dlexp-replay-") as spare:
        past = _measured(_folder(word, uri, Path(spare)), "replay")
        silent = replace(past.setup.experiment, observer=tuple(_progress(past)))
        run = lifecycle.perform(
            replace(past.setup, experiment=silent, tracking=NoTracking()), keep=False
        )
    return _conclude(past, run, TOLERANCE if tolerance is None else tolerance)


def probe(word: str, overrides: Sequence[str]) -> int:
    """Train the run that a word names again with other observers, and prove that nothing changed.

    Raises `UserError` for an override of anything but an observer.
    """
    for override in overrides:
        if not override.lstrip("+").startswith(("observer=", "observer.")):
            wrong = (
                "only observers can be added to a run that was trained: what else changes, changes"
                " its numbers"
            )
            raise UserError(wrong, key=override.partition("=")[0], where="command line")
    folder = must_find(word, "probe", sweeps=False)
    past = _measured(folder, "probe")
    looking = replace(past.setup.experiment, observer=compose_run(*overrides).experiment.observer)
    setup: Setup = replace(
        past.setup,
        experiment=looking,
        tracking=NoTracking(),
        overrides=tuple(overrides),
        rebuilt=False,
    )
    identity = atomic.new_id()
    place = lifecycle.Place(
        folder / journal.PROBES / identity,
        identity,
        {"dlexp.probe_of": folder.name},
        standalone=False,
    )
    run = lifecycle.perform(setup, place=place)
    print(f"probed    {past.name}\nfolder    {run.folder}")
    return _conclude(past, run, TOLERANCE)


def _folder(word: str, uri: str | None, spare: Path) -> Path:
    """The run's folder; one that is only in MLflow is fetched into `spare`."""
    found = find(word, sweeps=False) if uri is None else None
    if found is None and len(word) == MLFLOW_ID and set(word) <= set("0123456789abcdef"):
        from dlexp.tracking import fetch

        return fetch.run_folder(word, uri, spare)
    return found or must_find(word, "replay", sweeps=False)


def _measured(folder: Path, key: str) -> Recorded:
    """The run in a folder. Raises `UserError` for one that has nothing to be compared with."""
    past = records.read(folder)
    if not past.records:
        raise UserError(
            "its journal holds no measurement: there is nothing to compare",
            key=key,
            value=folder.name,
        )
    return past


def _conclude(past: Recorded, run: Run, tolerance: float) -> int:
    if isinstance(run.error, KeyboardInterrupt):
        raise run.error
    said, status = compare(past, run).told(tolerance)
    print(said)
    return status


def compare(past: Recorded, run: Run) -> Comparison:
    """Hold a run against what was recorded of it; of one that was cut short, against what there is."""
    ended = past.status is not None and past.status.is_result
    now = run.records if ended else run.records[: len(past.records)]
    differences = tuple(_differences(past, now))
    ending, weights = "", None
    if ended and run.status != past.status:
        ending = f"it ended {past.status}, and now {run.status}: {run.error}"
    elif past.weights and past.status == run.status:
        weights = provenance.weights(run) == past.weights
    with provenance.one_blas_thread():
        here = provenance.numerics()["digest"]
        changes = [
            *past.changes(run),
            *(Change("mixture", f"since it was resumed: {said}") for said in past.mixed),
        ]
    return Comparison(
        records=len(past.records),
        metrics=len({name for r in past.records for name in r.metrics}),
        weights=weights,
        differences=differences,
        ending=ending,
        changes=tuple(changes),
        same_machine=past.numerics().get("digest") == here,
        note=past.framework_note(run),
    )


def _progress(past: Recorded) -> Iterator[Any]:
    """Of the run's own observers, those that show the training to whoever waits."""
    return (p for p in past.setup.experiment.observer if p.live)


def _differences(past: Recorded, now: Sequence[Any]) -> Iterator[Difference]:
    for i in range(max(len(past.records), len(now))):
        before = past.records[i] if i < len(past.records) else None
        after = now[i] if i < len(now) else None
        step = (before or after).step  # type: ignore[union-attr]
        a = before.metrics if before else {}
        b = after.metrics if after else {}
        if before and after and before.step != after.step:
            yield Difference(step, "the step itself", before.step, after.step)
        for name in {**a, **b}:
            was, found = a.get(name), b.get(name)
            if was != found and not (
                was is not None and found is not None and math.isnan(was) and math.isnan(found)
            ):
                yield Difference(step, name, was, found)
