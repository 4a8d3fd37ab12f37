"""Xavier (Glorot) initial values."""

from dlexp import Initializer, plugin


@plugin("xavier")
class Xavier(Initializer):
    """W ~ N(0, 1/fan_in): keeps the spread of activations from layer to layer for tanh and sigmoid.

    The textbook's form, which counts the inputs only; the paper's has 2/(fan_in + fan_out), the
    same for square layers.
    Source: Glorot & Bengio (2010), https://proceedings.mlr.press/v9/glorot10a.html
    """

    def __call__(self, rng, fan_in, fan_out):
        return rng.normal(0, self.documented_std(fan_in, fan_out), (fan_in, fan_out))

    def documented_std(self, fan_in, fan_out):
        return fan_in**-0.5
