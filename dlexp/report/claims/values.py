"""One value per seed and side: levels reduced, cells averaged, diverged runs counted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlexp.report.claims.expression import Expression
from dlexp.report.claims.messages import NoVerdict
from dlexp.report.claims.sides import Place, Sides, described
from dlexp.report.claims.spec import Claim
from dlexp.report.runs import RunRecord
from dlexp.report.statistics import Floats
from dlexp.report.table import Tokens
from dlexp.storage.status import Status

REDUCE: dict[str, Callable[[Floats], Floats]] = {  # (levels, seeds) → (seeds,)
    "mean": lambda x: x.mean(axis=0),
    "median": lambda x: np.median(x, axis=0),
    "min": lambda x: x.min(axis=0),
    "max": lambda x: x.max(axis=0),
    "range": lambda x: x.max(axis=0) - x.min(axis=0),
    "std": lambda x: x.std(axis=0),
}


@dataclass(frozen=True)
class Values:
    """Both sides' values (n,) at the seeds with all results; `left_out`: the other seeds.

    `diverged` counts the runs of either side without a finite value, which count as `counted_as`;
    None: the claim does not say it, and the values are nan. `total` is the number of runs.
    """

    of: Floats
    against: Floats
    seeds: tuple[int, ...]
    left_out: tuple[int, ...]
    missing: int
    diverged: tuple[int, int]
    counted_as: float | None
    total: int


def value(run: RunRecord | None, metric: Expression) -> float | None:
    """A run's value: None without a result, nan where it diverged or is not finite."""
    if run is None or not run.observed:
        return None
    return math.nan if run.status == Status.DIVERGED else metric.of(run)


def beyond(runs: Iterable[RunRecord], metric: Expression, conditions: Mapping[str, Any]) -> None:
    """Raises `NoVerdict` where the moment of a metric comes after the end of a run."""
    for run in runs:
        if run.status == Status.FINISHED and (name := metric.beyond(run)):
            epoch = f" (epoch {run.steps / run.epoch_steps:g})" if run.epoch_steps else ""
            raise NoVerdict(
                "beyond",
                moment=f"{name.moment} {name.at}",
                name=name.name,
                side=described(conditions),
                seed=run.seed,
                end=f"{run.steps}{epoch}",
            )


def measured(sides: Sides, claim: Claim) -> Values:
    """The values of both sides."""
    seeds = sides.seeds()
    tables = [
        {p: [value(runs.get(s), claim.metric) for s in seeds] for p, runs in side.items()}
        for side in sides.both
    ]
    rows = [row for table in tables for row in table.values()]
    whole = [i for i in range(len(seeds)) if all(row[i] is not None for row in rows)]
    missing = sum(value is None for row in rows for value in row)
    kept = [
        {p: np.array([row[i] for i in whole], float) for p, row in table.items()}
        for table in tables
    ]
    diverged = [sum(int(np.isnan(row).sum()) for row in table.values()) for table in kept]
    counted_as = (
        claim.diverged if claim.diverged is not None else 0.0 if claim.metric.accuracy else None
    )
    filled = [
        {
            p: np.where(np.isnan(row), np.nan if counted_as is None else counted_as, row)
            for p, row in table.items()
        }
        for table in kept
    ]
    of, against = _reduced(filled[0], filled[1], claim) if whole else (np.empty(0), np.empty(0))
    return Values(
        of,
        against,
        tuple(seeds[i] for i in whole),
        tuple(s for i, s in enumerate(seeds) if i not in whole),
        missing,
        (diverged[0], diverged[1]),
        counted_as,
        len(rows) * len(whole),
    )


def _reduced(
    of: Mapping[Place, Floats], against: Mapping[Place, Floats], claim: Claim
) -> tuple[Floats, Floats]:
    """The mean over cells of what the levels of a cell are reduced to."""
    pairs: list[tuple[Floats, Floats]] = []
    sides = [_levels(side) for side in (of, against)]
    with np.errstate(over="ignore", invalid="ignore"):
        for cell in sorted(sides[0], key=repr):
            a, b = (
                np.array([side[cell][level] for level in sorted(side[cell], key=repr)])
                for side in sides
            )
            if claim.reduce == "worst":
                at = (claim.sign * (a - b)).argmin(axis=0)[None]
                pairs.append((np.take_along_axis(a, at, 0)[0], np.take_along_axis(b, at, 0)[0]))
            else:
                pairs.append((REDUCE[claim.reduce](a), REDUCE[claim.reduce](b)))
        ofs, againsts = zip(*pairs, strict=True)
        return np.mean(ofs, axis=0), np.mean(againsts, axis=0)


def _levels(side: Mapping[Place, Floats]) -> dict[Tokens, dict[Tokens, Floats]]:
    """cell → level → values (seeds,), the mean over what this side alone has."""
    rows: dict[Tokens, dict[Tokens, list[Floats]]] = {}
    for place, row in side.items():
        rows.setdefault(place.cell, {}).setdefault(place.level, []).append(row)
    return {
        cell: {level: np.mean(r, axis=0) for level, r in levels.items()}
        for cell, levels in rows.items()
    }
