"""The lower bound: a step's matrix products and nothing else, in NumPy, into buffers that are there already."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from peers import Training

if TYPE_CHECKING:
    from workloads import Task, Workload


def build(workload: Workload, task: Task) -> Training:
    """Forward x·W, backward xᵀ·dy and dy·Wᵀ of every layer; the first needs no gradient of its input."""
    rng = np.random.default_rng(0)
    weights = [w.copy() for w in task.weights]
    batch = [rng.standard_normal((workload.batch, n)).astype(np.float32) for n in workload.sizes]
    forward, backward = [], []
    for i, (w, (x, y)) in enumerate(zip(weights, pairwise(batch), strict=True)):
        forward.append(partial(np.matmul, x, w, out=np.empty_like(y)))
        backward.append(partial(np.matmul, x.T, y, out=np.empty_like(w)))
        if i:
            backward.append(partial(np.matmul, y, w.T, out=np.empty_like(x)))
    products = [*forward, *reversed(backward)]

    def train(n: int) -> None:
        for _ in range(n):
            for product in products:
                product()

    return Training(train, lambda: {f"W{i}": w for i, w in enumerate(weights, 1)})
