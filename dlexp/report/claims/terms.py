"""The nodes of a claim's expression: metrics at a moment, numbers, operations."""

from __future__ import annotations

import fnmatch
import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from dlexp.report.runs import RunRecord

MOMENTS = ("end", "mean", "start", "step", "epoch", "travel", "turns")


@dataclass(frozen=True)
class Name:
    """A measured value at a moment."""

    name: str
    moment: str = "end"
    at: int = 0

    def of(self, run: RunRecord) -> float | None:
        name = self.name_in(run)
        if self.moment == "end":
            return run.final.get(name)
        curve = run.curves.get(name)
        if curve is None or not curve.steps:
            return None
        if self.moment in ("travel", "turns"):
            ways = [b - a for a, b in pairwise(curve.values)]
            moves = [way for way in ways if way != 0]
            turns = sum(a * b < 0 for a, b in pairwise(moves))
            return math.fsum(map(abs, ways)) if self.moment == "travel" else turns
        if self.moment == "mean":
            return math.fsum(curve.values) / len(curve.values)
        if self.moment == "start":
            return curve.values[0]
        last = self.step(run)
        if last is None or last > length(run):
            return None
        here = bisect_right(curve.steps, last)
        return curve.values[here - 1] if here else None

    def step(self, run: RunRecord) -> int | None:
        """The step of a moment given in steps or epochs; None for others, or if unknown."""
        if self.moment == "step" or (self.moment == "epoch" and not self.at):
            return self.at
        known = self.moment == "epoch" and run.epoch_steps is not None
        return self.at * (run.epoch_steps or 0) if known else None

    def name_in(self, run: RunRecord) -> str:
        """The name in a run: where it has a `*`, the one that fits, if there is exactly one."""
        fits = fnmatch.filter(run.final, self.name) if "*" in self.name else []
        return fits[0] if len(fits) == 1 else self.name


def length(run: RunRecord) -> float:
    """The last step with a value; a run that stopped early keeps its last value to the end.

    The end is the one that was planned, as far as run.json says it.
    """
    patience = run.params.get("early_stopping.patience")
    if patience is None and "early_stopping/best_step" not in run.final:
        return run.steps
    planned = run.params.get("steps") or (run.params.get("epochs") or 0) * (run.epoch_steps or 0)
    return max(run.steps, int(planned)) if planned else math.inf


@dataclass(frozen=True)
class Number:
    """A number."""

    value: float

    def of(self, run: RunRecord) -> float | None:
        return self.value


@dataclass(frozen=True)
class Call:
    """An operation or a function of other nodes."""

    function: str
    arguments: tuple[Node, ...]

    def of(self, run: RunRecord) -> float | None:
        operands = [argument.of(run) for argument in self.arguments]
        values = [value for value in operands if value is not None]
        if len(values) < len(operands):
            return None
        if not all(map(math.isfinite, values)):
            return math.nan
        try:
            return float(_DO[self.function](*values))
        except (ZeroDivisionError, ValueError, OverflowError):  # no number, as log10(0) is none
            return math.nan


Node = Name | Number | Call
_DO: dict[str, Callable[..., float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "abs": abs,
    "log10": math.log10,
    "min": min,
    "max": max,
}
# how many arguments each takes
FUNCTIONS = {"abs": (1, 1), "log10": (1, 1), "max": (2, 99), "min": (2, 99)}
