"""Cosine annealing, without restarts."""

import math

from dlexp import Schedule, between, plugin


@plugin("cosine")
class Cosine(Schedule):
    """factor = floor + (1 − floor)·½(1 + cos(πt/(total − 1))): from 1 down to `floor`

    Source: Loshchilov & Hutter (2017), https://arxiv.org/abs/1608.03983
    """

    floor: float = between(0, 1, 0.0)

    def __call__(self, t, total):
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * t / max(total - 1, 1)))
