"""Normal initial values of one standard deviation for every layer."""

from dlexp import Initializer, non_negative, plugin


@plugin("normal")
class Normal(Initializer):
    """W ~ N(0, std²) for layers of any width: 1 saturates sigmoids, 0.01 shrinks activations.

    Source: Glorot & Bengio (2010), section 4, https://proceedings.mlr.press/v9/glorot10a.html
    """

    std: float = non_negative(0.01)

    def __call__(self, rng, fan_in, fan_out):
        return rng.normal(0, self.std, (fan_in, fan_out))

    def documented_std(self, fan_in, fan_out):
        return self.std
