"""Layers that every model uses; they cannot be chosen, so they are not plugins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dlexp.core.arrays import Array, Backward, Context, Param, Views, batch_sum
from dlexp.core.fields import positive
from dlexp.core.kinds.layer import Layer


@dataclass(frozen=True, kw_only=True)
class Dense(Layer):
    """y = xW + b, with x (batch, n), W (n, units), b (units,).

    Backward: ∂L/∂W = xᵀ·∂L/∂y, ∂L/∂b = Σ_batch ∂L/∂y, ∂L/∂x = ∂L/∂y·Wᵀ.
    """

    name = "dense"
    units: int = positive(100)

    def arrays(self, n: int) -> Mapping[str, Param]:
        return {"W": Param((n, self.units)), "b": Param((self.units,), start=0.0)}

    def width(self, n: int) -> int:
        return self.units

    def forward(self, x: Array, p: Views, ctx: Context) -> tuple[Array, Backward]:
        y = x @ p.W
        y += p.b

        def backward(dy: Array) -> Array:
            np.matmul(x.T, dy, out=p.dW)
            batch_sum(dy, out=p.db)
            return dy if ctx.input_is_data else dy @ p.W.T

        return y, backward
