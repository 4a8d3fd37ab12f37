"""AdaGrad: a learning rate of its own for every weight (Duchi, Hazan & Singer 2011)."""

import numpy as np

from dlexp import Optimizer, plugin, positive


@plugin("adagrad")
class AdaGrad(Optimizer):
    """h ← h + g²;  w ← w − lr·g / (√h + ε)

    PyTorch's `Adagrad` is the same at equal eps; its own default is 1e-10.
    Source: Duchi, Hazan & Singer (2011), https://jmlr.org/papers/v12/duchi11a.html
    """

    lr: float = positive(0.01)
    eps: float = positive(1e-7)
    slots = ("h",)

    def update(self, w, g, s, lr, t):
        s.h += g * g
        w -= lr * g / (np.sqrt(s.h) + self.eps)
