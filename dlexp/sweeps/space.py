"""The space of a search: intervals of numbers and lists of values, in Hydra's syntax."""

from __future__ import annotations

import itertools
import math
import typing
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from dlexp.config.plan import IntervalSweep, Jobs, Plan
from dlexp.core import kinds
from dlexp.core.experiment import Experiment
from dlexp.core.registry import every
from dlexp.errors import UserError

CORNERS = 16  # combinations of ends that are tried before a search starts
REPEATS = 1000  # draws in a row that repeat earlier ones, after which the drawing stops
DIGITS = 6  # significant digits of a drawn number: enough to repeat the run


@dataclass(frozen=True)
class Interval:
    """Numbers from `low` to `high`, uniform or log-uniform; whole numbers for an int field."""

    key: str
    low: float
    high: float
    log: bool
    whole: bool

    @staticmethod
    def of(key: str, drawn: IntervalSweep, *, whole: bool) -> Interval:
        """Raises `UserError` for an empty or invalid interval."""
        low, high, log = float(drawn.start or 0), float(drawn.end or 0), "log" in drawn.tags
        if drawn.tags - {"log"}:
            raise UserError("the only tag of an interval is log: tag(log,interval(1e-4,1))")
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise UserError("the end of an interval must be larger than its start")
        if log and low <= 0:
            raise UserError("a logarithmic interval must start above 0")
        if whole:
            low, high = math.ceil(low), math.floor(high)
        if low > high:
            raise UserError("contains no whole number")
        return Interval(key, low, high, log, whole)

    @property
    def name(self) -> str:
        """The key that is drawn."""
        return self.key

    @property
    def values(self) -> range:
        """Its whole numbers."""
        return range(int(self.low), int(self.high) + 1)

    @property
    def size(self) -> float:
        """The number of its values."""
        return self.high - self.low + 1 if self.whole else math.inf

    @property
    def ends(self) -> list[float]:
        """The values that are tested in place of all."""
        return list(dict.fromkeys([self.low, self.high]))

    def at(self, u: float) -> float:
        """The value at a share u of the probability, 0 ≤ u < 1."""
        # every whole number gets the range that is rounded to it
        half = 0.5 if self.whole else 0.0
        low, high = self.low - half, self.high + half
        value = (
            math.exp(math.log(low) + u * math.log(high / low))
            if self.log
            else low + u * (high - low)
        )
        return min(max(math.floor(value + 0.5) if self.whole else value, self.low), self.high)

    def words(self, value: float) -> list[str]:
        """The override for a value."""
        number = (
            int(value)
            if self.whole
            else min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)
        )
        return [f"{self.key}={number}"]


@dataclass(frozen=True)
class Listed:
    """Alternatives, each a list of overrides; a value is an index, `ordered` or not."""

    name: str
    alternatives: tuple[tuple[str, ...], ...]
    ordered: bool

    @staticmethod
    def of(plan: Plan, keys: Sequence[str]) -> Listed:
        """The values of a key or of paired keys; sorted, so the typed order does not matter."""
        jobs = Plan((), {k: plan.swept[k] for k in keys if k in plan.swept}).jobs(
            [keys] if len(keys) > 1 else ()
        )
        alternatives = list(dict.fromkeys(map(tuple, jobs)))
        numbers = {words: _number(words[0].partition("=")[2]) for words in alternatives}
        ordered = len(keys) == 1 and all(math.isfinite(n) for n in numbers.values())
        alternatives.sort(key=lambda words: (numbers[words], words) if ordered else (0.0, words))
        return Listed(",".join(keys), tuple(alternatives), ordered)

    @property
    def values(self) -> range:
        """All indices."""
        return range(len(self.alternatives))

    @property
    def size(self) -> float:
        """The number of values."""
        return len(self.alternatives)

    @property
    def ends(self) -> list[float]:
        """The values that are tested in place of all."""
        places = range(len(self.alternatives))
        return list(dict.fromkeys([places[0], places[-1]])) if self.ordered else list(places)

    def at(self, u: float) -> float:
        """The index at a share u of the probability, 0 ≤ u < 1."""
        return int(u * len(self.alternatives))

    def words(self, value: float) -> list[str]:
        """The overrides at an index."""
        return list(self.alternatives[int(value)])


Axis = Interval | Listed
Point = Sequence[float]  # a value for every axis


@dataclass(frozen=True)
class Space:
    """What is fixed, what is drawn (sorted by name), and the seeds of every trial."""

    fixed: tuple[str, ...]
    axes: tuple[Axis, ...]
    seeds: tuple[str, ...]

    @staticmethod
    def of(plan: Plan, pairs: Sequence[Sequence[str]], whole: Callable[[str], bool]) -> Space:
        """Raises `UserError` for what cannot be drawn; `whole` recognizes integer keys."""
        for key in [k for pair in pairs for k in pair]:
            if key == "seed" or key in plan.intervals:
                raise UserError(
                    "a search can pair only keys with lists of values", key="zip", value=key
                )
        if "seed" in plan.intervals:
            wrong = "a search does not draw seeds: list the seeds of every trial, as in seed=0,1,2"
            raise UserError(wrong, key="seed", value=plan.swept["seed"][0])
        axes: dict[tuple[str, ...], Axis] = {}
        paired = {key: tuple(pair) for pair in pairs for key in pair}
        for key in [*paired, *plan.swept]:
            if key in plan.intervals:
                try:
                    axes[(key,)] = Interval.of(key, plan.intervals[key], whole=whole(key))
                except UserError as e:
                    e.key, e.value = key, plan.swept[key][0]
                    raise
            elif key != "seed":
                axes[paired.get(key, (key,))] = Listed.of(plan, paired.get(key, (key,)))
        if not axes:
            raise UserError(
                "there is nothing to search: add optimizer.lr=interval(1e-4,1) or"
                " optimizer=sgd,adam"
            )
        seeds = tuple(dict.fromkeys(f"seed={value}" for value in plan.swept.get("seed", ())))
        return Space(plan.fixed, tuple(sorted(axes.values(), key=lambda axis: axis.name)), seeds)

    @property
    def repeats(self) -> int:
        """The number of jobs of a trial."""
        return len(self.seeds) or 1

    def words(self, point: Point) -> list[str]:
        """The overrides of a point."""
        return [
            word for axis, value in zip(self.axes, point, strict=True) for word in axis.words(value)
        ]

    def jobs(self, point: Point) -> Jobs:
        """The jobs of a point: one, or one per seed."""
        return [
            [*self.fixed, *self.words(point), *seed] for seed in [[s] for s in self.seeds] or [[]]
        ]

    @property
    def size(self) -> float:
        """The number of different points."""
        return math.prod(axis.size for axis in self.axes)

    def draws(self, n: int, seed: int) -> list[Point]:
        """Up to n different random points; a larger n begins with the same points."""
        return list(itertools.islice(self.distinct(seed), n))

    def distinct(self, seed: int, seen: Collection[tuple[str, ...]] = ()) -> Iterator[Point]:
        """Different random points whose words are not in `seen`, until there are no more."""
        rng, known, repeats = np.random.default_rng(seed), set(seen), 0
        while repeats < REPEATS and len(known) < self.size:
            point = [
                axis.at(u)
                for axis, u in zip(self.axes, rng.random(len(self.axes)).tolist(), strict=True)
            ]
            repeats += 1
            if (words := tuple(self.words(point))) not in known:
                known.add(words)
                repeats = 0
                yield point
        if len(known) < self.size < math.inf:  # what is left is drawn too rarely to wait for
            for rest in itertools.product(*(axis.values for axis in self.axes)):
                if (words := tuple(self.words(rest))) not in known:
                    known.add(words)
                    yield rest

    def corners(self) -> list[Point]:
        """Points at the ends of all axes: the product, or each end at least once if it is large."""
        ends = [axis.ends for axis in self.axes]
        if math.prod(map(len, ends)) <= CORNERS:
            return list(itertools.product(*ends))
        return [[values[i % len(values)] for values in ends] for i in range(max(map(len, ends)))]


def is_whole(key: str, config: DictConfig, plan: Plan) -> bool:
    """Whether a key's field is an int, in the configuration or in a swept option."""
    parent, _, name = key.rpartition(".")
    kind = parent.partition(".")[0]
    if not parent:
        return _int_only(Experiment, name)
    if kind in plan.swept and kind in kinds.KINDS:
        wanted = parent.rpartition(".")[2] if kind in kinds.MANY else None
        return any(_int_only(cls, name) for cls in every(kind) if wanted in (None, cls.name))
    node = OmegaConf.select(config, parent)
    return isinstance(node, DictConfig) and _int_only(OmegaConf.get_type(node), name)


def _int_only(owner: Any, name: str) -> bool:
    """Whether a dataclass's field takes only whole numbers and None."""
    wanted = typing.get_type_hints(owner).get(name) if isinstance(owner, type) else None
    return set(typing.get_args(wanted) or (wanted,)) - {type(None)} == {int}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
