"""What `tried.py` does otherwise: each function replaces one piece of dlexp in this process."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from dlexp import constant
from dlexp.core import layers, params
from dlexp.core.registry import find


def relu_with_new_zeros() -> None:
    """Zeros are made for each comparison."""

    def forward(self: Any, x: Any, p: Any, ctx: Any) -> Any:
        y = np.maximum(x, np.zeros_like(x))
        return y, lambda dy: dy * (y > 0)

    find("activation", "relu").forward = forward


def relu_with_a_number() -> None:
    """As the textbook writes it."""

    def forward(self: Any, x: Any, p: Any, ctx: Any) -> Any:
        y = np.maximum(x, 0)
        return y, lambda dy: dy * (y > 0)

    find("activation", "relu").forward = forward


def relu_with_a_mask_of_floats() -> None:
    """The mask is made once, for both directions."""

    def forward(self: Any, x: Any, p: Any, ctx: Any) -> Any:
        mask = (x > 0).astype(x.dtype)
        return x * mask, lambda dy: dy * mask

    find("activation", "relu").forward = forward


def sums_with_new_ones() -> None:
    """Ones are made, and the result copied, for each sum."""

    def batch_sum(a: Any, out: Any = None) -> Any:
        total = np.ones(len(a), a.dtype) @ a
        if out is not None:
            out[...] = total
        return total

    layers.batch_sum = batch_sum


def sums_by_sum() -> None:
    """As the textbook writes it."""
    layers.batch_sum = lambda a, out=None: np.sum(a, axis=0, out=out)


def blocks_of_16_k() -> None:
    """Small enough for a second-level cache of 512 KiB."""
    params.BLOCK = 16_384


def blocks_of_48_k() -> None:
    """Small enough for one of 1 MiB and more."""
    params.BLOCK = 49_152


def no_blocks() -> None:
    """The whole vector at once."""
    params.BLOCK = 2**31


def adam_in_one_formula() -> None:
    """As the textbook writes it."""

    def update(self: Any, w: Any, g: Any, s: Any, lr: float, t: int) -> None:
        s.m += (1 - self.beta1) * (g - s.m)
        s.v += (1 - self.beta2) * (g * g - s.v)
        m_hat = s.m / (1 - self.beta1**t)
        v_hat = s.v / (1 - self.beta2**t)
        w -= lr * m_hat / (np.sqrt(v_hat) + self.eps)

    find("optimizer", "adam").update = update


def adam_with_an_array_for_each_result() -> None:
    """The same formula without names for what lies between."""

    def update(self: Any, w: Any, g: Any, s: Any, lr: float, t: int) -> None:
        s.m *= self.beta1
        s.m += (1 - self.beta1) * g
        s.v *= self.beta2
        s.v += (1 - self.beta2) * g * g
        root = math.sqrt(1 - self.beta2**t)
        w -= lr * root / (1 - self.beta1**t) * s.m / (np.sqrt(s.v) + self.eps * root)

    find("optimizer", "adam").update = update


def adam_with_plain_sums() -> None:
    """The factors 1 − β of the averages are taken out of the arrays."""

    def update(self: Any, w: Any, g: Any, s: Any, lr: float, t: int) -> None:
        s.m *= self.beta1  # Σ β₁ⁱ g, of which the paper's m is (1 − β₁) times
        s.m += g
        s.v *= self.beta2
        u = g * g
        s.v += u
        root = math.sqrt((1 - self.beta2**t) / (1 - self.beta2))
        np.sqrt(s.v, out=u)
        u += self.eps * root
        np.divide(s.m, u, out=u)
        u *= lr * root * (1 - self.beta1) / (1 - self.beta1**t)
        w -= u

    find("optimizer", "adam").update = update


def normalization_in_formulas() -> None:
    """Batch normalization as the textbook writes it, an array for each result."""

    def forward(self: Any, x: Any, p: Any, ctx: Any) -> Any:
        mean = layers.batch_sum(x) / len(x)
        centred = x - mean
        var = layers.batch_sum(centred * centred) / len(x)
        p.mean += (1 - self.momentum) * (mean - p.mean)
        p.var += (1 - self.momentum) * (var - p.var)
        sigma = np.sqrt(var + self.eps)
        x_hat = centred / sigma
        y = p.gamma * x_hat + p.beta

        def backward(dy: Any) -> Any:
            layers.batch_sum(dy * x_hat, out=p.dgamma)
            layers.batch_sum(dy, out=p.dbeta)
            return p.gamma / sigma * (dy - p.dbeta / len(x) - x_hat * (p.dgamma / len(x)))

        return y, backward

    find("normalization", "batch_norm").forward = forward


def layers_into_kept_arrays() -> None:
    """Outputs and gradients of dense layers and ReLU are written into arrays that are there
    already.
    """
    kept: dict[Any, Any] = {}

    def array(*key: Any) -> Any:
        if key not in kept:
            kept[key] = np.empty(key[-1], np.float32)
        return kept[key]

    def dense(self: Any, x: Any, p: Any, ctx: Any) -> Any:
        y = np.matmul(x, p.W, out=array("y", id(p), (len(x), p.W.shape[1])))
        y += p.b

        def backward(dy: Any) -> Any:
            np.matmul(x.T, dy, out=p.dW)
            layers.batch_sum(dy, out=p.db)
            return (
                dy if ctx.input_is_data else np.matmul(dy, p.W.T, out=array("dx", id(p), x.shape))
            )

        return y, backward

    def relu(self: Any, x: Any, p: Any, ctx: Any) -> Any:
        y = np.maximum(x, constant(0, x.shape, x.dtype), out=x)
        return y, lambda dy: np.multiply(dy, y > 0, out=dy)

    layers.Dense.forward = dense  # type: ignore[method-assign]
    find("activation", "relu").forward = relu


def transposed_copy() -> None:
    """So that both factors of dy·Wᵀ lie as OpenBLAS likes them best."""

    def forward(self: Any, x: Any, p: Any, ctx: Any) -> Any:
        y = x @ p.W
        y += p.b

        def backward(dy: Any) -> Any:
            np.matmul(x.T, dy, out=p.dW)
            layers.batch_sum(dy, out=p.db)
            return dy if ctx.input_is_data else dy @ np.ascontiguousarray(p.W.T)

        return y, backward

    layers.Dense.forward = forward  # type: ignore[method-assign]


CHANGES: dict[str, Callable[[], None]] = {
    "ReLU: max(x, 0)": relu_with_a_number,
    "ReLU: max(x, new zeros)": relu_with_new_zeros,
    "ReLU: a mask of floats": relu_with_a_mask_of_floats,
    "Σ over the batch: sum(axis=0)": sums_by_sum,
    "Σ over the batch: new ones @ dy": sums_with_new_ones,
    "blocks of 16,384 parameters": blocks_of_16_k,
    "blocks of 49,152 parameters": blocks_of_48_k,
    "no blocks": no_blocks,
    "Adam: the textbook's lines": adam_in_one_formula,
    "Adam: an array for each result": adam_with_an_array_for_each_result,
    "Adam: averages without their factors": adam_with_plain_sums,
    "batch norm: an array for each result": normalization_in_formulas,
    "dense, ReLU: into arrays kept for it": layers_into_kept_arrays,
    "dx = dy @ a copy of Wᵀ": transposed_copy,
}
BLOCKS = ("blocks of 16,384 parameters", "blocks of 49,152 parameters", "no blocks")
