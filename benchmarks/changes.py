"""What `tried.py` does otherwise: each function replaces one piece of dlexp in this process."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from dlexp import layers, params, trainer
from dlexp.registry import find
from dlexp.trainer import Trainer


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


def adam_in_one_buffer() -> None:
    """One intermediate array for everything."""

    def update(self: Any, w: Any, g: Any, s: Any, lr: float, t: int) -> None:
        s.m *= self.beta1
        u = (1 - self.beta1) * g
        s.m += u
        s.v *= self.beta2
        np.multiply(1 - self.beta2, g, out=u)
        u *= g
        s.v += u
        root = math.sqrt(1 - self.beta2**t)
        np.sqrt(s.v, out=u)
        u += self.eps * root
        np.divide(s.m, u, out=u)
        u *= lr * root / (1 - self.beta1**t)
        w -= u

    find("optimizer", "adam").update = update


def adam_with_plain_sums() -> None:
    """The factors 1 − β of the averages are taken out of the arrays."""

    def update(self: Any, w: Any, g: Any, s: Any, lr: float, t: int) -> None:
        s.m *= self.beta1  # Σ β₁ⁱ g, of which the paper's m is (1 − β₁) times
        s.m += g
        s.v *= self.beta2
        s.v += g * g
        root = math.sqrt((1 - self.beta2**t) / (1 - self.beta2))
        w -= lr * root * (1 - self.beta1) / (1 - self.beta1**t) * s.m / (np.sqrt(s.v) + self.eps * root)

    find("optimizer", "adam").update = update


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
    "Adam: in one buffer": adam_in_one_buffer,
    "Adam: averages without their factors": adam_with_plain_sums,
    "dx = dy @ a copy of Wᵀ": transposed_copy,
}


@contextmanager
def otherwise(change: Callable[[], None], running: Trainer) -> Iterator[None]:
    """Inside, a trainer trains with this change."""
    places = [(find("activation", "relu"), "forward"), (find("optimizer", "adam"), "update"),
              (layers.Dense, "forward"), (layers, "batch_sum"), (params, "BLOCK")]  # fmt: skip
    kept = [getattr(owner, what) for owner, what in places]
    try:
        change()
        _cut(running)
        yield
    finally:
        for (owner, what), value in zip(places, kept, strict=True):
            setattr(owner, what, value)
        _cut(running)


def _cut(running: Trainer) -> None:
    """Into blocks, anew."""
    running._pieces = list(trainer.pieces(running.optimizer, running.problem.params, running.state))
