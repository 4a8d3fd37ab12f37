"""Nesterov's accelerated gradient (Nesterov 1983; Sutskever et al. 2013)."""

from dlexp import Optimizer, fraction, plugin, positive


@plugin("nesterov")
class Nesterov(Optimizer):
    """v ← m·v − lr·g;  w ← w + m·v − lr·g

    The look-ahead form rewritten in the point where the gradient is taken (Bengio et al. 2013, eq.
    7). Agrees with PyTorch's `SGD(momentum=m, nesterov=True)` at a constant learning rate, not
    under a schedule (see `momentum`).
    Sources: Sutskever et al. (2013), https://proceedings.mlr.press/v28/sutskever13.html; Bengio et
    al. (2013), https://arxiv.org/abs/1212.0901
    """

    lr: float = positive(0.01)
    momentum: float = fraction(0.9)
    slots = ("v",)

    def update(self, w, g, s, lr, t):
        s.v *= self.momentum
        s.v -= lr * g
        w += self.momentum * s.v - lr * g
