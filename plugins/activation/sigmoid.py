"""Logistic sigmoid."""

import numpy as np

from dlexp import Activation, plugin


@plugin("sigmoid")
class Sigmoid(Activation):
    """y = 1 / (1 + exp(−x));  y′ = y(1 − y), at most 1/4: gradients vanish where it saturates

    Computed as ½(1 + tanh(x/2)), the same function without overflow.
    Source: LeCun et al. (1998), "Efficient BackProp", section 4.4,
    https://doi.org/10.1007/3-540-49430-8_2
    """

    def forward(self, x, p, ctx):
        y = 0.5 * (1 + np.tanh(0.5 * x))
        return y, lambda dy: dy * y * (1 - y)
