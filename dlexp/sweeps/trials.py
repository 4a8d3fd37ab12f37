"""The trials of a search: trains the drawn points and judges them by a metric."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from dlexp.config import Composition, Setup, grid
from dlexp.config.plan import Plan, pairs_of
from dlexp.config.where import where
from dlexp.core import directions
from dlexp.errors import UserError, nearest
from dlexp.runs.provenance import one_blas_thread
from dlexp.storage import journal
from dlexp.storage.ledger import LedgerEntry
from dlexp.storage.status import Status
from dlexp.sweeps import validate
from dlexp.sweeps.identity import run_key
from dlexp.sweeps.launcher import n_cores
from dlexp.sweeps.session import Session
from dlexp.sweeps.space import Point, Space, is_whole

log = logging.getLogger("dlexp")

PREFERRED = ("val/accuracy", "val/loss", "train/loss")  # a surface has no validation split
WORST = math.inf


@dataclass(frozen=True)
class Options:
    """`hydra.sweeper.…`: number of trials, seed and metric (None: the first of PREFERRED)."""

    n_trials: int
    seed: int
    metric: str | None

    def __post_init__(self) -> None:
        if self.n_trials < 1:
            raise _refused("n_trials", self.n_trials, "must be >= 1")
        if not 0 <= self.seed < 2**32:
            raise _refused("seed", self.seed, "must be >= 0 and < 2**32")


@dataclass
class Search:
    """One search: the space, and the results of its trials. Small costs are good."""

    sweep: Composition
    session: Session
    options: Options
    n_jobs: int
    plan: Plan
    space: Space
    metric: str
    sign: int
    ended: dict[str, LedgerEntry] = field(default_factory=dict)
    trials: list[tuple[Point, float, list[LedgerEntry]]] = field(default_factory=list)

    @staticmethod
    def of(sweep: Composition, session: Session, options: Options, n_jobs: int | None) -> Search:
        """Read and check everything before the first job. Raises `UserError`."""
        config = sweep.config
        plan = grid.plan_of(config)
        pairs = pairs_of(
            OmegaConf.to_container(config.zip) if OmegaConf.is_config(config.zip) else config.zip
        )
        try:
            space = Space.of(plan, pairs, lambda key: is_whole(key, config, plan))
        except UserError as e:
            e.where = e.where or where(e.key, config.hydra.overrides.task)
            raise
        if (size := options.n_trials * space.repeats) > config.max_jobs:
            raise UserError(
                f"the sweep has {size:,} jobs; max_jobs={config.max_jobs} is the limit",
                key="max_jobs",
            )
        metric, sign = choose_metric(options.metric, _corners(sweep, plan, space))
        return Search(sweep, session, options, n_jobs or n_cores(), plan, space, metric, sign)

    def train(self, points: Sequence[Point]) -> list[float]:
        """Validate and train these trials and return their costs; trained jobs are not repeated.

        A trial that failed or diverged costs more than any other. A dry run lists the jobs, and
        returns nothing.
        """
        jobs = [self.space.jobs(point) for point in points]
        made = validate.jobs(self.sweep, [job for trial in jobs for job in trial])
        keys = [run_key(setup.experiment) for _, setup in made]
        new = {key: job for key, job in zip(keys, made, strict=True) if key not in self.ended}
        if new:
            entries = self.session.run(list(new.values()), self.plan, n_jobs=self.n_jobs)
            # an entry may have the key that an earlier version of dlexp gave to its run
            self.ended |= zip(new, entries, strict=False)
        if self.session.dry_run:
            return []
        n = self.space.repeats
        for i, point in enumerate(points):
            mine = [self.ended[key] for key in keys[i * n : i * n + n]]
            self.trials.append((point, sum(self._cost(entry) for entry in mine) / n, mine))
        return [cost for _, cost, _ in self.trials[-len(points) :]]

    def _cost(self, entry: LedgerEntry) -> float:
        assert self.session.folder is not None
        if entry.status != Status.FINISHED:
            return WORST
        metrics = read_metrics(self.session.folder / entry.folder)
        if self.metric not in metrics:
            log.warning(
                "%s: no %s in its journal; it counts as the worst", entry.folder, self.metric
            )
            return WORST
        return -self.sign * metrics[self.metric]

    def best(self) -> str:
        """A line about the best trial: its metric and its overrides."""
        n = len(self.trials)
        at = min(range(n), key=lambda i: self.trials[i][1])
        point, cost, entries = self.trials[at]
        if cost == WORST:
            return "best      none of the trials finished"
        mean = f" (mean of {self.space.repeats} seeds)" if self.space.repeats > 1 else ""
        value = -self.sign * cost
        place = f" ({entries[0].folder})" if len(entries) == 1 else ""
        drawn = " ".join(self.space.words(point))
        return f"best      {self.metric} {value:.4g}{mean}, trial {at + 1} of {n}: {drawn}{place}"


def read_metrics(folder: Path) -> dict[str, float]:
    """The latest metrics in a run's journal, or those of the weights that early stopping chose."""
    try:
        events, _ = journal.events(folder)
    except (OSError, ValueError):
        return {}
    records = [event for event in events if event.kind == "record"]
    latest = {name: value for record in records for name, value in record.metrics.items()}
    best = latest.get("early_stopping/best_step")
    chosen = next((record.metrics for record in records if record.step == best), {})
    return {name: value for name, value in {**latest, **chosen}.items() if value is not None}


def _corners(sweep: Composition, plan: Plan, space: Space) -> list[Setup]:
    """Setups at the ends of all axes. Raises the `UserError` of the first invalid one."""
    try:
        ends = [space.jobs(point)[0] for point in space.corners()]
        return [setup for _, setup in validate.jobs(sweep, ends)]
    except UserError as e:
        if e.key in plan.intervals:
            e.message, e.value = f"at its end {e.value}: {e.message}", plan.swept[e.key][0]
        raise


def choose_metric(chosen: str | None, setups: Sequence[Setup]) -> tuple[str, int]:
    """The metric that judges all trials, and +1 if larger is better, else −1.

    It is a validation metric, or a training metric if there is no validation split.
    """
    one_each = {setup.experiment.objective: setup.experiment for setup in setups}
    with one_blas_thread(), np.errstate(all="ignore"):
        names = [set(e.trainer().problem.evaluate()) for e in one_each.values()]
    both = sorted(set.intersection(*names))
    known = [name for name in both if name.startswith("val/")] or both
    if chosen is None:
        chosen = next((name for name in PREFERRED if name in known), None)
    if chosen in known:
        signs = {
            directions.sign(chosen, e.better, key="hydra.sweeper.metric", where="command line")
            for e in one_each
        }
        if len(signs) == 1:
            return chosen, signs.pop()
        raise _refused("metric", chosen, "must be large for one objective and small for another")
    wrong = "is not measured by every trial"
    if chosen is None:
        wrong = f"must be given: the trials have none of {', '.join(PREFERRED)} in common"
    elif chosen.startswith("test/"):
        wrong = "a search must not use the test data, or its result would not be a test"
    raise _refused(
        "metric", chosen, wrong, allowed=", ".join(known), hint=nearest(chosen or "", known)
    )


def _refused(option: str, value: Any, wrong: str, **more: str) -> UserError:
    return UserError(
        wrong, key=f"hydra.sweeper.{option}", value=value, where="command line", **more
    )
