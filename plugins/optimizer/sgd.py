"""Stochastic gradient descent (Robbins & Monro 1951, https://doi.org/10.1214/aoms/1177729586)."""

from dlexp import Optimizer, plugin, positive


@plugin("sgd")
class SGD(Optimizer):
    """w ← w − lr·g

    The same as PyTorch's `SGD`.
    Source: Robbins & Monro (1951), https://doi.org/10.1214/aoms/1177729586
    """

    lr: float = positive(0.01)

    def update(self, w, g, s, lr, t):
        w -= lr * g
