"""Surfaces f(x, y): problems of two parameters, which show the path of an optimizer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from dlexp.core.arrays import Array, Context, Param, Rng
from dlexp.core.kinds.declaration import every
from dlexp.core.kinds.objective import Objective
from dlexp.core.params import Parameters
from dlexp.core.problem import Problem
from dlexp.errors import FieldError

if TYPE_CHECKING:
    from dlexp.core.parts import Parts

Interval = tuple[float, float]
FARTHEST = 1e9  # beyond it, float32 cannot distinguish neighbouring points


class Surface(Objective):
    """A function of x and y to minimise; its run records every step.

    A subclass defines `f` and `gradient`, which take numbers or arrays, the `window` to show, the
    `minimum`, and the fields `start` and `spread`: each seed starts at `start` + `spread`·u with u
    uniform in (−1, 1)². Without spread, all seeds follow the same path.
    """

    ignores = (*(kind.name for kind in every() if kind.needs_network), "batch_size")
    start: tuple[float, float]
    spread: float = 0.0
    window: ClassVar[tuple[Interval, Interval]]
    minimum: ClassVar[tuple[float, float]]

    @abstractmethod
    def f(self, x: Any, y: Any) -> Any:
        """The height at (x, y)."""

    @abstractmethod
    def gradient(self, x: Any, y: Any) -> tuple[Any, Any]:
        """(∂f/∂x, ∂f/∂y) at (x, y)."""

    def build(self, parts: Parts, rngs: Mapping[str, Rng]) -> Problem:
        if max(map(abs, self.start)) + self.spread > FARTHEST:
            wrong = f"must be within ±{FARTHEST:g}"
            raise FieldError(wrong, key="objective.start", value=list(self.start))
        start = np.array(self.start)
        if self.spread:
            start = start + self.spread * rngs["init"].uniform(-1, 1, 2)
        return Descent(self, start, np.dtype(parts.dtype))


class Descent(Problem):
    """Descent on a surface; every step is an epoch."""

    epoch_name = "step"
    steps_per_epoch = 1

    def __init__(self, surface: Surface, start: Array, dtype: Any) -> None:
        self.surface = surface
        self.params = Parameters({"xy": Param((2,))}, dtype)
        self.params["xy"][...] = start

    @property
    def position(self) -> Array:
        """The current (x, y)."""
        return self.params["xy"]

    def batches(self, rng: Rng) -> Iterator[None]:
        yield None

    def loss(self, batch: Any, ctx: Context) -> float:
        x, y = self.position
        self.params.grads[...] = self.surface.gradient(x, y)
        return float(self.surface.f(x, y))

    def evaluate(self) -> dict[str, float]:
        x, y = self.position.astype(np.float64)  # NumPy's overflow is inf, Python's an exception
        distance = float(np.hypot(x - self.surface.minimum[0], y - self.surface.minimum[1]))
        where = {"path/x": float(x), "path/y": float(y), "path/distance": distance}
        return {"train/loss": float(self.surface.f(x, y)), **where}
