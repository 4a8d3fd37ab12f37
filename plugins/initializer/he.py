"""He initial values."""

from dlexp import Initializer, plugin


@plugin("he")
class He(Initializer):
    """W ~ N(0, 2/fan_in): keeps the spread of activations for ReLU, which drops half of it.

    Source: He et al. (2015), https://arxiv.org/abs/1502.01852
    """

    def __call__(self, rng, fan_in, fan_out):
        return rng.normal(0, self.documented_std(fan_in, fan_out), (fan_in, fan_out))

    def documented_std(self, fan_in, fan_out):
        return (2 / fan_in) ** 0.5
