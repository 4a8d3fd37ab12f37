"""Momentum, the heavy ball (Polyak 1964)."""

from dlexp import Optimizer, fraction, plugin, positive


@plugin("momentum")
class Momentum(Optimizer):
    """v ← m·v − lr·g;  w ← w + v

    The learning rate stands inside the velocity, as in the textbook and in Sutskever et al.
    PyTorch's `SGD(momentum=m)` keeps it outside (v ← m·v + g; w ← w − lr·v): the same path at a
    constant rate, another one under a schedule.
    Sources: Polyak (1964), https://doi.org/10.1016/0041-5553(64)90137-5; Sutskever et al. (2013),
    https://proceedings.mlr.press/v28/sutskever13.html
    """

    lr: float = positive(0.01)
    momentum: float = fraction(0.9)
    slots = ("v",)

    def update(self, w, g, s, lr, t):
        s.v *= self.momentum
        s.v -= lr * g
        w += s.v
