"""Hyperbolic tangent."""

import numpy as np

from dlexp import Activation, plugin


@plugin("tanh")
class Tanh(Activation):
    """y = tanh(x);  y′ = 1 − y²; symmetric about the origin, unlike the sigmoid

    Source: LeCun et al. (1998), "Efficient BackProp", section 4.4,
    https://doi.org/10.1007/3-540-49430-8_2
    """

    def forward(self, x, p, ctx):
        y = np.tanh(x)
        return y, lambda dy: dy * (1 - y * y)
