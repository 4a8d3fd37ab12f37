"""What a step works on: pieces of the parameters for the optimizer, and gradient clipping."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from dlexp.core.arrays import Array, Slots, Views
from dlexp.core.kinds.optimizer import Optimizer
from dlexp.core.params import Parameters

Piece = tuple[Array, Array, Views]  # a part of the parameters, its gradient and its slots


def pieces(optimizer: Optimizer, params: Parameters, state: Mapping[str, Array]) -> Iterator[Piece]:
    """The arguments of `update`: cache-sized blocks, or whole arrays for `per_tensor`."""
    flats = (params.values, params.grads, *state.values())
    cuts = (
        ([params.view(flat, name) for flat in flats] for name in params.trainable)
        if optimizer.per_tensor
        else ([flat[block] for flat in flats] for block in params.blocks())
    )
    for w, g, *slots in cuts:
        yield w, g, Slots(**dict(zip(state, slots, strict=True)))


def clip(gradient: Array, limit: float) -> float:
    """g ← g · limit/‖g‖ where ‖g‖ > limit. Returns ‖g‖.

    A norm that is not finite leaves the gradient unchanged: limit/∞ = 0 would set it to zero.
    Source: Pascanu et al. (2013), https://arxiv.org/abs/1211.5063
    """
    norm = float(np.linalg.norm(gradient))
    if limit < norm < math.inf:
        gradient *= limit / norm
    return norm
