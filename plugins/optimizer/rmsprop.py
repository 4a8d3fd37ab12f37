"""RMSProp: AdaGrad that forgets (Tieleman & Hinton 2012)."""

import numpy as np

from dlexp import Optimizer, fraction, plugin, positive


@plugin("rmsprop")
class RMSProp(Optimizer):
    """h ← ρh + (1−ρ)g²;  w ← w − lr·g / (√h + ε), with ρ the field `decay`

    The same as PyTorch's `RMSprop` (its `alpha` is `decay`) at equal eps, outside the root.
    Source: Tieleman & Hinton (2012), lecture 6e,
    https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf
    """

    lr: float = positive(0.01)
    decay: float = fraction(0.99)
    eps: float = positive(1e-7)
    slots = ("h",)

    def update(self, w, g, s, lr, t):
        s.h += (1 - self.decay) * (g * g - s.h)
        w -= lr * g / (np.sqrt(s.h) + self.eps)
