"""Adam: adaptive moment estimation (Kingma & Ba 2015)."""

import math

import numpy as np

from dlexp import Optimizer, fraction, plugin, positive


@plugin("adam")
class Adam(Optimizer):
    """m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; w ← w − lr·m̂/(√v̂+ε); m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ)

    Algorithm 1 of the paper, ε after the bias correction; the same as PyTorch's `Adam`.
    Source: Kingma & Ba (2015), https://arxiv.org/abs/1412.6980
    """

    lr: float = positive(1e-3)
    beta1: float = fraction(0.9)
    beta2: float = fraction(0.999)
    eps: float = positive(1e-8)
    slots = ("m", "v")

    def update(self, w, g, s, lr, t):
        s.m *= self.beta1
        s.m += (1 - self.beta1) * g
        s.v *= self.beta2
        square = (1 - self.beta2) * g
        square *= g
        s.v += square
        # lr·m̂ / (√v̂ + ε) with the corrections taken out of the arrays, as the paper's section 2
        # suggests
        root = math.sqrt(1 - self.beta2**t)
        # in the same memory from here on: one array for all that lies between
        step = np.sqrt(s.v, out=square)
        step += self.eps * root
        np.divide(s.m, step, out=step)
        step *= lr * root / (1 - self.beta1**t)
        w -= step
