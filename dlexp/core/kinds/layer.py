"""A step of a network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from dlexp.core.arrays import Array, Backward, Context, Param, Views
from dlexp.core.kinds.declaration import kind
from dlexp.core.registry import Plugin


@kind("layer", summary="a step of a network", part=False, checks=("layer", "layer_reference"))
class Layer(Plugin):
    """A differentiable step: `forward` returns the output and the function for the gradient.

    `p.W` is the array declared as "W", `p.dW` its gradient, which `backward` writes and never
    accumulates. Arrays are written in place, `p.mean[...] = x` or `p.mean += x`; `p.mean = x` is an
    error. `min_batch` is the smallest batch it can be trained on.
    """

    min_batch: ClassVar[int] = 1

    def arrays(self, n: int) -> Mapping[str, Param]:
        """Its arrays, given n input features."""
        return {}

    def width(self, n: int) -> int:
        """Its number of output features, given n input features."""
        return n

    @abstractmethod
    def forward(self, x: Array, p: Views, ctx: Context) -> tuple[Array, Backward]:
        """Output (batch, width) of input (batch, n), and backward: ∂L/∂output ↦ ∂L/∂input."""


class Identity(Layer):
    """No layer: networks leave it out."""

    def forward(self, x: Array, p: Views, ctx: Context) -> tuple[Array, Backward]:
        return x, lambda dy: dy
