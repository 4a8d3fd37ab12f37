"""Trials drawn by Optuna's sampler where the results so far promise most."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from dlexp.errors import UserError
from dlexp.sweeps.space import Axis, Interval, Point, Space
from dlexp.sweeps.trials import Search

AGAIN = 20  # draws that may repeat a trial before one is drawn at random


def tpe(search: Search) -> None:
    """Tree-structured Parzen estimators: draw a trial per worker, learn from the results, repeat.

    The trials depend on the seed, the number of workers and the results. The first ten are random.
    Source: Bergstra et al. (2011),
    https://papers.nips.cc/paper/4443-algorithms-for-hyper-parameter-optimization; Optuna's sampler.
    """
    package = optuna()
    n, batch = search.options.n_trials, -(-search.n_jobs // search.space.repeats)
    if search.session.dry_run:
        names = ", ".join(axis.name for axis in search.space.axes)
        print(
            f"{n} trials, {batch} at a time, over {names}; they depend on the results"
            " and cannot be listed"
        )
        return
    package.logging.set_verbosity(package.logging.ERROR)
    search.session.total = int(min(n, search.space.size)) * search.space.repeats
    sampler = _Sampler(package, search.space, search.options.seed)
    while len(search.trials) < n:
        points = list(itertools.islice(sampler, min(batch, n - len(search.trials))))
        if not points:
            return
        costs = search.train([point for _, point in points])
        for (trial, _), cost in zip(points, costs, strict=True):
            sampler.study.tell(trial, cost)


class _Sampler:
    """Optuna's trials with their points; a repeated point is drawn again while others are left."""

    def __init__(self, package: Any, space: Space, seed: int) -> None:
        self.study = package.create_study(sampler=package.samplers.TPESampler(seed=seed))
        self._distributions = {axis.name: _distribution(package, axis) for axis in space.axes}
        self._failed = (
            package.trial.TrialState.FAIL
        )  # a failed trial gives the sampler no information
        self._space, self._seed = space, seed
        self._seen: set[tuple[str, ...]] = set()

    def __iter__(self) -> Iterator[tuple[Any, Point]]:
        return self

    def __next__(self) -> tuple[Any, Point]:
        for _ in range(AGAIN if len(self._seen) < self._space.size else 0):
            trial, point, words = self._ask()
            if words not in self._seen:
                break
            self.study.tell(trial, state=self._failed)
        else:
            rest = next(self._space.distinct(self._seed, self._seen), None)
            if rest is None:
                raise StopIteration
            self.study.enqueue_trial(
                {axis.name: x for axis, x in zip(self._space.axes, rest, strict=True)}
            )
            trial, point, words = self._ask()
        self._seen.add(words)
        return trial, point

    def _ask(self) -> tuple[Any, Point, tuple[str, ...]]:
        trial = self.study.ask(self._distributions)
        point = [trial.params[axis.name] for axis in self._space.axes]
        return trial, point, tuple(self._space.words(point))


def optuna() -> Any:
    """The package. Raises `UserError` if it is not installed."""
    try:
        import optuna as package
    except ImportError:
        wrong = 'needs optuna, which is not installed: pip install "dlexp[search]"'
        raise UserError(wrong, key="hydra/sweeper", value="tpe", where="command line") from None
    return package


def _distribution(package: Any, axis: Axis) -> Any:
    """An axis as a distribution of Optuna; listed numbers are ordered."""
    if isinstance(axis, Interval):
        kind = (
            package.distributions.IntDistribution
            if axis.whole
            else package.distributions.FloatDistribution
        )
        return kind(axis.low, axis.high, log=axis.log)
    n = len(axis.alternatives)
    if axis.ordered:
        return package.distributions.IntDistribution(0, n - 1)
    return package.distributions.CategoricalDistribution(tuple(range(n)))
