"""Trains a recorded run again and compares it to the bit; a probe adds observers.

`python -m dlexp replay <run>` checks for the same numbers, `python -m dlexp probe <run>
observer=[diagnostics]` does so with other observers.
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
    """A number that differs; a missing value is None."""

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
        before, now = ("nothing" if v is None else repr(v) for v in (self.before, self.now))
        return f"{self.metric} at step {self.step} was {before}, is {now}"


@dataclass(frozen=True)
class Comparison:
    """A run compared with its record: extent, differences, and changes since.

    `weights` says whether they are the same; None if the record has none. `note` names differences
    that should not change numbers.
    """

    records: int
    metrics: int
    weights: bool | None
    differences: tuple[Difference, ...]
    ending: str
    changes: tuple[Change, ...]
    same_machine: bool
    note: str = ""

    def report(self, tolerance: float) -> tuple[str, int]:
        """The report in words, and the exit status: 1 if it is not the same run."""
        extent = f"{self.records} records of {self.metrics} metrics"
        changed = [f"changed   {change}" for change in self.changes]
        changed += [f"note      {self.note}"] if self.note else []
        if not self.differences and not self.ending and self.weights is not False:
            same = f"same      {extent}{' and the weights' if self.weights else ''}, to the bit"
            return "\n".join([same, *changed]), 0
        first = next(iter(self.differences), self.ending or "the final weights differ")
        lines = [f"differs   {first}", *changed]
        if self.same_machine:
            if not self.changes and self.note:
                lines.append(
                    "note      if the numbers of that code changed on purpose, raise NUMERICS"
                )
            elif not self.changes:
                same = "the same code, data and arithmetic should repeat it"
                lines.append(f"changed   nothing that was recorded: {same}")
            return "\n".join(lines), 1
        worst: dict[str, Difference] = {}
        for d in self.differences:
            if d.metric not in worst or d.relative > worst[d.metric].relative:
                worst[d.metric] = d
        lines.append(
            f"The arithmetic changed, so bits may differ; largest relative differences in {extent}:"
        )
        for name, d in sorted(worst.items()):
            lines.append(f"  {name:24} {d.relative:.2g}  (step {d.step})")
        off = max((d.relative for d in worst.values()), default=0.0)
        within = off <= tolerance and not self.ending
        lines.append(f"{'within' if within else 'outside'} the tolerance of {tolerance:g}")
        excused = all(change.kind in ("arithmetic", "mixture") for change in self.changes)
        if within and not excused:
            lines[-1] += ", but more than the arithmetic has changed"
        return "\n".join(lines), 0 if within and excused else 1


def replay(word: str, *, tolerance: float | None = None, uri: str | None = None) -> int:
    """Train a recorded run again and compare; 1 if it differs. `uri` is the MLflow store to search.

    Raises `UserError` if there is no such run.
    """
    with TemporaryDirectory(prefix="dlexp-replay-") as spare:
        past = _measured(_folder(word, uri, Path(spare)), "replay")
        silent = replace(past.setup.experiment, observer=tuple(_progress(past)))
        setup = replace(past.setup, experiment=silent, tracking=NoTracking())
        run = lifecycle.perform(setup, keep=False)
    return _conclude(past, run, TOLERANCE if tolerance is None else tolerance)


def probe(word: str, overrides: Sequence[str]) -> int:
    """Train a recorded run again with other observers, and check that nothing changed.

    Raises `UserError` for an override of anything but an observer.
    """
    for override in overrides:
        if not override.lstrip("+").startswith(("observer=", "observer.")):
            wrong = "only observers can be changed in a trained run: all else changes its numbers"
            raise UserError(wrong, key=override.partition("=")[0], where="command line")
    folder = must_find(word, "probe", sweeps=False)
    past = _measured(folder, "probe")
    observed = replace(past.setup.experiment, observer=compose_run(*overrides).experiment.observer)
    setup: Setup = replace(
        past.setup,
        experiment=observed,
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
    """The run's folder; a run that is only in MLflow is fetched into `spare`."""
    folder = find(word, sweeps=False) if uri is None else None
    if folder is None and len(word) == MLFLOW_ID and set(word) <= set("0123456789abcdef"):
        from dlexp.tracking import fetch

        return fetch.run_folder(word, uri, spare)
    return folder or must_find(word, "replay", sweeps=False)


def _measured(folder: Path, key: str) -> Recorded:
    """The run in a folder. Raises `UserError` if it has no measurements."""
    past = records.read(folder)
    if not past.records:
        wrong = "its journal holds no measurement: there is nothing to compare"
        raise UserError(wrong, key=key, value=folder.name)
    return past


def _conclude(past: Recorded, run: Run, tolerance: float) -> int:
    if isinstance(run.error, KeyboardInterrupt):
        raise run.error
    report, status = compare(past, run).report(tolerance)
    print(report)
    return status


def compare(past: Recorded, run: Run) -> Comparison:
    """Compare a run with its record; for an interrupted one, up to its last record."""
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
        mixed = [Change("mixture", f"since it was resumed: {text}") for text in past.mixed]
        changes = [*past.changes(run), *mixed]
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
    """The run's own observers that show progress."""
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
            was, is_now = a.get(name), b.get(name)
            if was != is_now and not (_is_nan(was) and _is_nan(is_now)):
                yield Difference(step, name, was, is_now)


def _is_nan(value: float | None) -> bool:
    return value is not None and math.isnan(value)
