"""The lower bound: only a step's matrix products, in NumPy, into preallocated buffers."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.peers import Training
from dlexp.core.arrays import aligned_zeros

if TYPE_CHECKING:
    from benchmarks.workloads import Task, Workload


def build(workload: Workload, task: Task) -> Training:
    """Forward x·W, backward xᵀ·dy and dy·Wᵀ of each layer; the first needs no input gradient."""
    rng = np.random.default_rng(0)
    weights = [_aligned(w) for w in task.weights]
    batch = [
        _aligned(rng.standard_normal((workload.batch, n)).astype(np.float32))
        for n in workload.sizes
    ]
    forward, backward = [], []
    for i, (w, (x, y)) in enumerate(zip(weights, pairwise(batch), strict=True)):
        forward.append(partial(np.matmul, x, w, out=_aligned(y)))
        backward.append(partial(np.matmul, x.T, y, out=_aligned(w)))
        if i:
            backward.append(partial(np.matmul, y, w.T, out=_aligned(x)))
    products = [*forward, *reversed(backward)]

    def train(n: int) -> None:
        for _ in range(n):
            for product in products:
                product()

    return Training(train, lambda: {f"W{i}": w for i, w in enumerate(weights, 1)})


def _aligned(a: np.ndarray) -> np.ndarray:
    """A copy that is aligned to a cache line, like dlexp's parameters."""
    copy: np.ndarray = aligned_zeros(a.size, a.dtype).reshape(a.shape)
    copy[...] = a
    return copy
