"""Which number of a run is compared, which way is better, and what a diverged run counts as."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlexp.core import directions
from dlexp.errors import UserError, nearest
from dlexp.figures import HUGE
from dlexp.report.measured import Curve
from dlexp.report.runs import RunRecord
from dlexp.report.statistics import Floats
from dlexp.report.table import Table, Tokens
from dlexp.storage.status import Status

USUAL = ("test/accuracy", "test/loss", "train/loss")


@dataclass(frozen=True)
class Measure:
    """A metric: `high` says whether more is better; `worst` is what a diverged run counts as.

    The worst accuracy is 0, the worst of other metrics infinite, as are values above 1e300. `cap`,
    the worst final value of any run of the report, replaces infinite values where differences must
    be finite. `surface`: the loss is f(x, y).
    """

    metric: str
    high: bool
    cap: float = math.nan
    surface: bool = False

    @property
    def worst(self) -> float:
        """What a diverged run counts as."""
        if self.high:
            return 0.0 if self.metric.endswith("accuracy") else -math.inf
        return math.inf

    @property
    def sign(self) -> int:
        """+1 where more is better, else −1."""
        return 1 if self.high else -1

    @property
    def unit(self) -> str:
        """The metric with its unit, for an axis."""
        split, _, what = self.metric.rpartition("/")
        spoken = {"test": "test", "val": "validation", "train": "training"}.get(split, split)
        if self.surface and what == "loss":
            return "f(x, y)"
        units = {"accuracy": "accuracy (share correct)", "loss": "loss (nats)"}
        if split == "gap":
            return f"gap in {units.get(what, what)}"
        if split.startswith("diagnostics/"):  # diagnostics/weight_norm/all
            return f"{split.partition('/')[2].replace('_', ' ')} ({what})"
        return f"{spoken} {units.get(what, what)}".strip()

    @property
    def short(self) -> str:
        """The same without the unit, for a short axis: `training accuracy`."""
        return self.unit.replace(" (share correct)", "").replace(" (nats)", "")

    def of(self, run: RunRecord) -> float | None:
        """A run's value; None for a run without a result or without this metric."""
        if run.status == Status.DIVERGED:
            return self.worst
        if run.status != Status.FINISHED or self.metric not in run.final:
            return None
        value = run.final[self.metric]
        return value if abs(value) <= HUGE else self.worst

    def values(self, runs: Mapping[int, RunRecord]) -> dict[int, float]:
        """The values of a group by seed, those that there are."""
        ordered = sorted(runs.items())
        return {seed: value for seed, run in ordered if (value := self.of(run)) is not None}

    def bounded(self, x: float) -> float:
        """A finite value: the cap for an infinite one."""
        return x if math.isfinite(x) else self.cap


def choose(table: Table, metric: str | None = None, better: str | None = None) -> Measure:
    """The metric asked for, or the first usual one that was measured. Raises `UserError`.

    Without a usual metric it is the first `test/…` metric whose direction is known. The direction
    is `better` ("high" or "low"), else that of the runs' objectives, else that of the name.
    """
    known = sorted({name for _, _, run in table.runs() for name in run.final})
    if metric is None:
        own = [name for name in known if name.startswith("test/") and _is_directed(name, table)]
        metric = next((name for name in (*USUAL, *own) if name in known), USUAL[0])
    elif metric not in known:
        raise UserError(
            "no run has measured this metric",
            key="metric",
            value=metric,
            allowed=", ".join(known),
            hint=nearest(metric, known),
        )
    return capped(table, metric, direction(metric, better, [run for _, _, run in table.runs()]))


def _is_directed(metric: str, table: Table) -> bool:
    """Whether all runs say alike which way a metric is better."""
    ways = {directions.better(metric, run.better) for _, _, run in table.runs()}
    return len(ways) == 1 and None not in ways


def direction(metric: str, better: str | None, runs: Iterable[RunRecord] = ()) -> bool:
    """Whether more is better, as the runs' objectives declare. Raises `UserError` if unknown."""
    if better is not None:
        return better == directions.HIGH
    ways = {directions.better(metric, run.better) for run in runs} or {directions.better(metric)}
    if len(declared := ways - {None}) == 1:
        return declared.pop() == directions.HIGH
    wrong = (
        f"it is not declared whether more or less is better; add --better high or --better low to"
        f" --metric {metric}"
    )
    if declared:
        wrong = (
            "the objectives of these runs disagree whether more or less is better; add --better"
            " high or --better low"
        )
    raise UserError(f"{wrong}; or {directions.declaration(metric)}", key="metric", value=metric)


def measure_of(metric: str, runs: Iterable[RunRecord]) -> Measure:
    """A metric of these runs, without a cap. Raises `UserError` where its direction is unknown."""
    return Measure(metric, direction(metric, None, runs))


def capped(table: Table, metric: str, high: bool) -> Measure:
    """A measure whose cap is the worst value at the end of any run of the table."""
    plain = Measure(metric, high)
    ends = [
        value
        for _, _, run in table.runs()
        if (value := plain.of(run)) is not None and math.isfinite(value)
    ]
    surface = not any(run.dataset for _, _, run in table.runs())
    return Measure(metric, high, (min if high else max)(ends, default=math.nan), surface)


def watched(table: Table, measure: Measure) -> Measure:
    """The metric for choices and curves: of the validation split, else of the training split."""
    known = {name for _, _, run in table.runs() for name in run.curves}
    what = measure.metric.rsplit("/", 1)[-1]
    split = next((s for s in ("val", "train") if f"{s}/{what}" in known), None)
    name = f"{split}/{what}" if split else measure.metric
    # a smaller gap is better, but a larger accuracy
    gap = measure.metric.startswith("gap/") and split
    runs = [run for _, _, run in table.runs()]
    return capped(table, name, direction(name, None, runs) if gap else measure.high)


def per_epoch(table: Table) -> bool:
    """Whether curves are drawn against epochs; False if epochs are steps or none was completed."""
    lengths = {run.epoch_steps for _, _, run in table.runs() if run.observed and run.steps}
    return bool(lengths - {None, 1}) and None not in lengths


def places(run: RunRecord, curve: Curve, epochs: bool) -> list[float]:
    """The x of a curve's points: steps, or epochs with fractions for records within one."""
    length = (run.epoch_steps or 1) if epochs else 1
    return [step / length for step in curve.steps]


def grid(table: Table, measure: Measure, epochs: bool) -> Floats:
    """All places at which any run measured a metric, in order."""
    positions = [
        places(run, curve, epochs)
        for _, _, run in table.runs()
        if (curve := run.curves.get(measure.metric))
    ]
    return np.unique(np.concatenate([np.empty(0), *map(np.array, positions)]))


def curves(
    table: Table, group: Tokens, measure: Measure, epochs: bool, whole: Floats
) -> tuple[Floats, Floats]:
    """A group's learning curves on a common axis: x (k,), and values (k, n seeds).

    A run that stopped early keeps its last value; after it diverged a run counts as worst, to the
    end of `whole`, the places at which other groups were measured.
    """
    measured: list[tuple[RunRecord, Floats, Floats]] = []
    for _, run in sorted(table.groups[group].items()):
        curve = run.curves.get(measure.metric)
        if run.observed and curve and curve.steps:
            y = np.array(curve.values)
            y[~(np.abs(y) <= HUGE)] = measure.worst
            measured.append((run, np.array(places(run, curve, epochs)), y))
    if not measured:
        return np.empty(0), np.empty((0, 0))
    lost = any(run.status == Status.DIVERGED for run, _, _ in measured)
    points = [places for _, places, _ in measured]
    x = np.unique(np.concatenate([*([whole] if lost else []), *points]))
    columns = [_on(x, run, at, y, measure) for run, at, y in measured]
    return x, np.stack(columns, axis=1)


def _on(x: Floats, run: RunRecord, at: Floats, y: Floats, measure: Measure) -> Floats:
    """A curve at the points x: between its own points the value before, as it was known then."""
    values = y[np.maximum(np.searchsorted(at, x + 1e-9) - 1, 0)]
    if run.status == Status.DIVERGED:
        values[x > at[-1] + 1e-9] = measure.worst
    return values


def time_to(run: RunRecord, measure: Measure, target: float, epochs: bool) -> float:
    """The first epoch (or step) at which a run reached the target; infinite if it never did.

    A run that diverged later has missed it.
    """
    curve = run.curves.get(measure.metric)
    if run.status != Status.FINISHED or curve is None:
        return math.inf
    reached = (
        x
        for x, y in zip(places(run, curve, epochs), curve.values, strict=True)
        if measure.sign * y >= measure.sign * target
    )
    return next(reached, math.inf)


def seedless(table: Table) -> bool:
    """Whether the seed changes nothing: all finished runs of each group measured the same."""
    several = [
        [run for run in runs.values() if run.status == Status.FINISHED]
        for runs in table.groups.values()
    ]
    several = [runs for runs in several if len(runs) > 1]
    return bool(several) and all(_same(runs) for runs in several)


def _same(runs: Sequence[RunRecord]) -> bool:
    return all(run.curves == runs[0].curves for run in runs[1:])
