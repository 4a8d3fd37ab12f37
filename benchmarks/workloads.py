"""The workloads: four networks and their data, the same for dlexp and for every peer.

A training step is: gather a batch, forward, loss, backward, update. W1 learns scikit-learn's
digits. W2 to W4 have the shapes of MNIST (55,000 training samples of 784 features, ten classes),
but the samples are drawn (`data=gaussian`), so that nothing is downloaded; the time of a step does
not depend on what the numbers show.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

# 70 % of them: 55,000
MNIST = ("data=gaussian", "data.features=784", "data.classes=10", "data.n=78571")
# dlexp's defaults, for all
RATES = {"adam": 0.001, "adagrad": 0.01, "momentum": 0.01, "sgd": 0.01}


@dataclass(frozen=True)
class Workload:
    """One network: `sizes` from features to classes, with softmax cross-entropy and ReLU.

    It is trained on float32 batches, `steps` per measurement; `block` is how many of them JAX's
    scan takes in one call.
    """

    name: str
    title: str
    sizes: tuple[int, ...]
    batch: int
    steps: int
    block: int
    data: tuple[str, ...] = ("data=digits",)
    batch_norm: bool = False
    dropout: float = 0.0
    optimizer: str = "adam"

    @property
    def lr(self) -> float:
        """The learning rate."""
        return RATES[self.optimizer]

    @property
    def overrides(self) -> tuple[str, ...]:
        """The workload as overrides of dlexp. Nothing is evaluated: that is no part of a step."""
        hidden = ",".join(map(str, self.sizes[1:-1]))
        words = [
            *self.data,
            f"model.hidden=[{hidden}]",
            f"batch_size={self.batch}",
            f"optimizer={self.optimizer}",
            f"optimizer.lr={self.lr}",
            "observer=none",
            "tracking=none",
        ]
        words += ["normalization=batch_norm"] if self.batch_norm else []
        words += (
            ["regularizer=dropout", f"regularizer.dropout.ratio={self.dropout}"]
            if self.dropout
            else []
        )
        return tuple(words)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Every trained array by name: W1, b1, gamma1, beta1, …, with W (in, out)."""
        results: dict[str, tuple[int, ...]] = {}
        for i, (n_in, n_out) in enumerate(pairwise(self.sizes), 1):
            results |= {f"W{i}": (n_in, n_out), f"b{i}": (n_out,)}
            if self.batch_norm and i < len(self.sizes) - 1:
                results |= {f"gamma{i}": (n_out,), f"beta{i}": (n_out,)}
        return results

    def weights(self, rng: np.random.Generator, gain: float = 2.0) -> list[np.ndarray]:
        """Initial weights: N(0, gain/fan_in); 2 is He's, 1 Xavier's."""
        return [
            (rng.standard_normal((n_in, n_out)) * (gain / n_in) ** 0.5).astype(np.float32)
            for n_in, n_out in pairwise(self.sizes)
        ]


W1 = Workload(
    "W1", "digits 64-100×5-10, batch 100", (64, *[100] * 5, 10), 100, steps=360, block=120
)
W2 = Workload(
    "W2",
    "MNIST 784-100×5-10, batch 128",
    (784, *[100] * 5, 10),
    128,
    steps=143,
    block=143,
    data=MNIST,
)
W3 = replace(W2, name="W3", title="W2 + batch_norm + dropout 0.2", batch_norm=True, dropout=0.2)
W4 = Workload(
    "W4", "784-512-512-10, batch 128", (784, 512, 512, 10), 128, steps=71, block=71, data=MNIST
)
WORKLOADS = {w.name: w for w in (W1, W2, W3, W4)}


@dataclass(frozen=True)
class Task:
    """What a peer gets: samples x (n, features), labels (n,), initial weights, order of samples."""

    x: np.ndarray
    labels: np.ndarray
    weights: list[np.ndarray]
    order: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    seed: int = 0

    def rows(self, batch: int) -> Iterator[np.ndarray]:
        """The samples of each batch, shuffled in each epoch; an incomplete batch is dropped."""
        n = len(self.labels)
        while True:
            order = self.order.permutation(n)
            for start in range(0, n - batch + 1, batch):
                yield order[start : start + batch]

    def save(self, file: Path) -> None:
        """Write samples and weights."""
        np.savez(
            file, x=self.x, labels=self.labels, **{f"W{i}": w for i, w in enumerate(self.weights)}
        )

    @staticmethod
    def load(file: Path) -> Task:
        """Load what `save` wrote."""
        with np.load(file) as arrays:
            weights = [arrays[f"W{i}"] for i in range(len(arrays.files) - 2)]
            return Task(arrays["x"], arrays["labels"], weights)
