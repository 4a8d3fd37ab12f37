"""The guard of a claim: a gap that shrinks because the network collapsed proves nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dlexp.report import words
from dlexp.report.claims.messages import NoVerdict, Sentence, say
from dlexp.report.claims.sides import Sides, described
from dlexp.report.claims.spec import Claim
from dlexp.report.claims.values import beyond, value


@dataclass(frozen=True)
class Guarded:
    """The guard's metric on one side: its mean, and the mean of the setting closest to failing.

    `holds` is judged by `worst`; `outside` of the `runs` do not keep it one by one. A diverged run
    counts as 0 where the metric is an accuracy; otherwise it is nan, and nothing holds.
    """

    side: str
    mean: float
    worst: float
    holds: bool
    outside: int = 0
    runs: int = 0


def measure_guard(sides: Sides, claim: Claim, seeds: tuple[int, ...]) -> tuple[Guarded, ...]:
    """The guard's values at the judged seeds. Raises `NoVerdict` where they were not measured."""
    guard = claim.guard
    if guard is None:
        return ()
    values = []
    for name, side in (("of", sides.of), ("against", sides.against)):
        if guard.of not in ("both", name):
            continue
        rows = [[value(runs[seed], guard.metric) for seed in seeds] for runs in side.values()]
        if any(x is None for row in rows for x in row):
            there = [run for runs in side.values() for run in runs.values()]
            beyond(there, guard.metric, claim.of if name == "of" else claim.against)
            raise NoVerdict("guard_unmeasured", metric=guard.metric.text)
        table = np.array(rows, float)
        table = np.where(np.isnan(table), 0.0 if guard.metric.accuracy else np.nan, table)
        means = table.mean(axis=1)
        low, high = float(means.min()), float(means.max())
        fits_low = guard.at_least is None or low >= guard.at_least
        fits_high = guard.at_most is None or high <= guard.at_most
        worst = low if guard.at_least is not None and (not fits_low or fits_high) else high
        kept = np.ones(table.shape, bool)
        kept &= True if guard.at_least is None else table >= guard.at_least
        kept &= True if guard.at_most is None else table <= guard.at_most
        holds, outside = fits_low and fits_high, int((~kept).sum())
        values.append(Guarded(name, float(means.mean()), worst, holds, outside, table.size))
    return tuple(values)


def bounds(claim: Claim) -> str:
    """`≥ 0.7`."""
    if claim.guard is None:
        return ""
    ends = (("≥", claim.guard.at_least), ("≤", claim.guard.at_most))
    return ", ".join(f"{sign} {end:g}" for sign, end in ends if end is not None)


def fault(values: tuple[Guarded, ...], claim: Claim) -> Sentence | None:
    """Why there is no verdict: the first side whose guard does not hold."""
    for g in values:
        if not g.holds and claim.guard is not None:
            metric = claim.guard.metric.text
            shown = words.number(g.worst, metric) if math.isfinite(g.worst) else "nan"
            side = described(claim.of if g.side == "of" else claim.against)
            return say("guard", metric=metric, value=shown, side=side, bound=bounds(claim))
    return None
