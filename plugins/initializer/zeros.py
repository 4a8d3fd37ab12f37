"""All weights zero: to see why not."""

import numpy as np

from dlexp import Initializer, plugin


@plugin("zeros")
class Zeros(Initializer):
    """W = 0: all units of a layer compute and learn the same, as if the layer had one unit.

    Source: Goodfellow, Bengio & Courville (2016), section 8.4,
    https://www.deeplearningbook.org/contents/optimization.html
    """

    def __call__(self, rng, fan_in, fan_out):
        return np.zeros((fan_in, fan_out))

    def documented_std(self, fan_in, fan_out):
        return 0.0
