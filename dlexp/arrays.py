"""What layers and optimizers are written with: arrays, by name, and the moment they are used in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Rng = np.random.Generator
Backward = Callable[[Array], Array]


@dataclass(frozen=True)
class Param:
    """One array a layer owns.

    `start=None` says: a weight, drawn by the run's initializer and subject to weight decay; a number fills a bias, a
    scale or a buffer. What is not `trainable` (running averages) has no gradient and is left alone by the optimizer.
    """

    shape: tuple[int, ...]
    start: float | None = None
    trainable: bool = True


class Views(SimpleNamespace):
    """Arrays by short name: `p.W` and its gradient `p.dW` for a layer, `s.m` and `s.v` for an optimizer."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"there is no array {name!r} here; there are {', '.join(vars(self)) or 'none'}")


@dataclass(frozen=True)
class Context:
    """What a layer may know of the moment it runs in; `rng` is the run's noise stream.

    `input_is_data` marks the first layer: nobody asks for the gradient of the data, its backward may return anything.
    """

    training: bool
    rng: Rng
    input_is_data: bool = False
