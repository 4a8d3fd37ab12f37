"""Samples for measurements on a network."""

from __future__ import annotations

import numpy as np

from dlexp.core.arrays import Array, Context, Rng
from dlexp.core.dataset import Split
from dlexp.core.network import Network


def probe(network: Network, train: Split, n: int, noise: Rng) -> tuple[Array, Array, Context]:
    """Up to n training samples, evenly spaced, their labels, and a context for the network.

    The context is evaluation mode, but training mode for a network with running averages: in an
    untrained network these only have their start values.
    """
    params = network.params
    rows = np.linspace(0, len(train) - 1, min(n, len(train))).astype(int)
    averages = len(params.trainable) < len(params.specs)
    x = train.x[rows].astype(params.storage.dtype, copy=False)
    return x, train.labels[rows], Context(training=averages, rng=noise)
