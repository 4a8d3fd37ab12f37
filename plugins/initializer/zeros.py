"""All weights zero: to see why not."""

import numpy as np

from dlexp import Initializer, plugin


@plugin("zeros")
class Zeros(Initializer):
    """W = 0: every unit of a layer computes the same and learns the same, so the layer stays one
    unit wide.

    Source: Goodfellow, Bengio & Courville (2016), section 8.4,
    https://www.deeplearningbook.org/contents/optimization.html
    """

    def __call__(self, rng, fan_in, fan_out):
        return np.zeros((fan_in, fan_out))

    def documented_std(self, fan_in, fan_out):
        return 0.0
