"""The comparison: summaries of the groups, planned pairs, and a ranking as far as decided.

Planned pairs are per axis: every two values of a choice, and neighbouring values of a number. The
two sides of a pair are averaged over the other axes within each seed: there is one difference per
seed, and nothing is counted twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np

from dlexp.report import measure as measures, paired, statistics
from dlexp.report.measure import Measure
from dlexp.report.statistics import Range
from dlexp.report.table import Table, Tokens
from dlexp.storage.status import Status

SEARCH = 24  # values of a number beyond which it was searched, not compared
BETTER, INCONCLUSIVE, EQUIVALENT, NO_VERDICT = "better", "INCONCLUSIVE", "EQUIVALENT", "no verdict"


@dataclass(frozen=True)
class Summary:
    """One group: `values` by seed, number of `expected` seeds, `reached`, `time` for a target."""

    group: Tokens
    label: str
    values: Mapping[int, float]
    expected: int
    diverged: int
    iqm: float
    iqm_range: Range | None
    median: float
    median_range: Range | None
    failure_range: Range | None
    reached: int | None = None
    time: float | None = None
    time_range: Range | None = None

    @property
    def n(self) -> int:
        """Seeds with a result."""
        return len(self.values)


@dataclass(frozen=True)
class Pair:
    """Two values of one axis, the better first; `gain` ≥ 0 is the difference of the metric.

    `n` seeds have all `cells` combinations of the other axes on both sides, `left_out` have not;
    `agree` counts the cells that point the same way. `p_holm` is None where there is no test.
    """

    axis: str
    better: str
    worse: str
    n: int
    left_out: int
    cells: int
    agree: int
    means: tuple[float, float]
    gain: float
    gain_range: Range
    p: float | None
    p_holm: float | None
    effect: float
    won: float
    improvement: float
    improvement_range: Range | None
    p_equivalent: float | None
    verdict: str


@dataclass(frozen=True)
class Ranked:
    """A level of an axis and its possible ranks: 1 + number better … k − number worse."""

    level: str
    mean: float
    best: int
    last: int


@dataclass(frozen=True)
class Comparison:
    """All that is known of one table by one measure."""

    table: Table
    measure: Measure
    watched: Measure
    epochs: bool
    target: float | None
    margin: float | None
    summaries: tuple[Summary, ...]
    pairs: tuple[Pair, ...]
    ranking: Mapping[str, tuple[Ranked, ...]]
    # planned pairs of an axis for which no two groups differ in nothing else
    unmade: Mapping[str, tuple[str, ...]]
    seedless: bool

    @property
    def n(self) -> tuple[int, int]:
        """The smallest and the largest number of pairs of any planned comparison."""
        counts = [pair.n for pair in self.pairs]
        return min(counts, default=0), max(counts, default=0)

    @property
    def capped(self) -> bool:
        """Whether an infinite value had to be replaced for the differences."""
        return any(not math.isfinite(v) for s in self.summaries for v in s.values.values())


def compare(
    table: Table, measure: Measure, *, target: float | None = None, margin: float | None = None
) -> Comparison:
    """Compare a table by one measure; `target` is a value of the watched metric."""
    watched = measures.watched(table, measure)
    epochs = measures.per_epoch(table)
    summaries = tuple(_summary(table, g, measure, watched, epochs, target) for g in table.groups)
    seedless = measures.seedless(table)
    uncorrected: list[Pair] = []
    unmade: dict[str, tuple[str, ...]] = {}
    for i, axis in enumerate(table.axes):
        made = {ab: _pair(table, i, *ab, measure, margin) for ab in _plan(table, i)}
        uncorrected += [pair for pair in made.values() if pair]
        cells = {
            level: {g[:i] + g[i + 1 :] for g in table.groups if g[i] == level}
            for level in axis.levels
        }
        lacking = [ab for ab in made if not cells[ab[0]] & cells[ab[1]]]
        if lacking:
            unmade[axis.key] = tuple(" against ".join(map(axis.name, ab)) for ab in lacking)
    pairs = _corrected(uncorrected, seedless, margin)
    compared = {pair.axis for pair in pairs}
    choices = [
        axis.key
        for axis in table.axes
        if axis.key in compared and not (axis.numeric or axis.tunable)
    ]
    ranking = {key: _rank(key, pairs) for key in choices}
    return Comparison(
        table, measure, watched, epochs, target, margin, summaries, pairs, ranking, unmade, seedless
    )


def _summary(
    table: Table,
    group: Tokens,
    measure: Measure,
    watched: Measure,
    epochs: bool,
    target: float | None,
) -> Summary:
    runs = table.groups[group]
    values = measure.values(runs)
    x = list(values.values())
    outcomes = [run for run in runs.values() if run.observed]
    diverged = sum(run.status == Status.DIVERGED for run in outcomes)
    summary = Summary(
        group,
        table.label(group),
        values,
        len(table.expected(group)),
        diverged,
        float(statistics.iqm(x)) if x else math.nan,
        statistics.iqm_interval(x),
        float(statistics.median(x)) if x else math.nan,
        statistics.median_interval(x),
        statistics.wilson(diverged, len(outcomes)),
    )
    if target is None:
        return summary
    times = [measures.time_to(run, watched, target, epochs) for run in outcomes]
    middle = float(statistics.median(times)) if times else math.nan
    reached = int(np.isfinite(times).sum())
    return replace(
        summary, reached=reached, time=middle, time_range=statistics.median_interval(times)
    )


def _plan(table: Table, axis: int) -> list[tuple[str | None, str | None]]:
    """Pairs of levels fixed before any result is seen."""
    a = table.axes[axis]
    if not (a.numeric or a.tunable):
        return list(combinations(a.levels, 2))
    levels = sorted(
        (t for t in a.levels if t is not None), key=a.number
    )  # a method without the number has no neighbour
    return list(pairwise(levels)) if len(levels) <= SEARCH else []


def _pair(
    table: Table, axis: int, a: str | None, b: str | None, measure: Measure, margin: float | None
) -> Pair | None:
    """One planned pair, uncorrected; None if no groups differ in this axis alone."""
    by_level: dict[str | None, dict[Tokens, dict[int, float]]] = {a: {}, b: {}}
    for group, runs in table.groups.items():
        if group[axis] in by_level:
            bounded = {seed: measure.bounded(v) for seed, v in measure.values(runs).items()}
            by_level[group[axis]][group[:axis] + group[axis + 1 :]] = bounded
    both = [cell for cell in by_level[a] if cell in by_level[b]]
    any_seed = {seed for level in by_level.values() for cell in both for seed in level[cell]}
    seeds = sorted(
        s for s in any_seed if all(s in level[cell] for level in by_level.values() for cell in both)
    )
    if not seeds:
        return None
    sides = [
        np.array([[by_level[level][cell][s] for s in seeds] for cell in both]) for level in (a, b)
    ]
    if not np.isfinite(sides).all():  # no run at all has a finite value
        return None
    if measure.sign * (sides[0].mean() - sides[1].mean()) < 0:
        a, b, sides = b, a, sides[::-1]
    gains = measure.sign * (sides[0] - sides[1])  # (cells, seeds)
    d = gains.mean(axis=0)
    first, second = (measure.sign * side.mean(axis=0) for side in sides)
    improvement, improvement_range = statistics.probability_of_improvement(first, second)
    name = table.axes[axis].name
    return Pair(
        axis=table.axes[axis].key,
        better=name(a),
        worse=name(b),
        n=len(seeds),
        left_out=len(any_seed) - len(seeds),
        cells=len(both),
        agree=int((gains.mean(axis=1) > 0).sum()),
        means=(float(sides[0].mean()), float(sides[1].mean())),
        gain=float(d.mean()),
        gain_range=paired.interval(d),
        p=paired.two_sided(d),
        p_holm=None,
        effect=paired.effect_size(d),
        won=paired.won(d),
        improvement=improvement,
        improvement_range=improvement_range,
        p_equivalent=None if margin is None else paired.equivalence(d, margin),
        verdict=NO_VERDICT,
    )


def _corrected(pairs: Sequence[Pair], seedless: bool, margin: float | None) -> tuple[Pair, ...]:
    """Adds verdicts with Holm over all pairs; equivalence is a family of its own."""
    if seedless:  # repeating one number gives no evidence about others
        return tuple(replace(pair, p=None, p_equivalent=None, verdict=NO_VERDICT) for pair in pairs)
    p_holm = paired.holm([pair.p if pair.p is not None else 1.0 for pair in pairs])
    equal = paired.holm(
        [pair.p_equivalent if pair.p_equivalent is not None else 1.0 for pair in pairs]
    )
    done = []
    for pair, p, e in zip(pairs, p_holm, equal, strict=True):
        if pair.n < paired.FEWEST:
            verdict = NO_VERDICT
        elif margin is not None and e <= paired.ALPHA:
            verdict = EQUIVALENT
        else:
            verdict = BETTER if p <= paired.ALPHA else INCONCLUSIVE
        done.append(
            replace(pair, p_holm=p, p_equivalent=None if margin is None else e, verdict=verdict)
        )
    return tuple(done)


def _rank(axis: str, pairs: Sequence[Pair]) -> tuple[Ranked, ...]:
    """The levels of an axis, best first, with the ranks that the decided comparisons allow."""
    mine = [pair for pair in pairs if pair.axis == axis]
    seen: dict[str, list[float]] = {}
    for pair in mine:
        seen.setdefault(pair.better, []).append(pair.gain)
        seen.setdefault(pair.worse, []).append(-pair.gain)
    decided = [pair for pair in mine if pair.verdict == BETTER]
    means = {
        name: pair.means[side]
        for pair in mine
        for side, name in enumerate((pair.better, pair.worse))
    }
    order = sorted(seen, key=lambda name: -sum(seen[name]))
    return tuple(
        Ranked(
            name,
            means[name],
            1 + sum(pair.worse == name for pair in decided),
            len(order) - sum(pair.better == name for pair in decided),
        )
        for name in order
    )
