"""scikit-learn: MLPClassifier, one pass over the samples for each call of `partial_fit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.peers import Training

if TYPE_CHECKING:
    from benchmarks.workloads import Task, Workload


def build(workload: Workload, task: Task) -> Training:
    """Shuffles and validates by itself; its own initial weights are overwritten."""
    net = MLPClassifier(
        workload.sizes[1:-1],
        batch_size=workload.batch,
        alpha=0.0,
        random_state=task.seed,
        solver=workload.optimizer,
        learning_rate_init=workload.lr,
    )
    classes = np.arange(workload.sizes[-1])
    net.partial_fit(task.x[: workload.batch], task.labels[: workload.batch], classes=classes)
    del net._optimizer  # otherwise the next call makes a new one, as the first does
    for own, given in zip(net.coefs_, task.weights, strict=True):
        own[...] = given
    for own in net.intercepts_:
        own[...] = 0

    def train(n: int) -> None:
        while n:
            now = min(n, len(task.x) // workload.batch)
            net.partial_fit(task.x[: now * workload.batch], task.labels[: now * workload.batch])
            n -= now

    def parameters() -> dict[str, np.ndarray]:
        named = {f"W{i}": w for i, w in enumerate(net.coefs_, 1)}
        return named | {f"b{i}": b for i, b in enumerate(net.intercepts_, 1)}

    return Training(train, parameters)
