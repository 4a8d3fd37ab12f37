"""Dropout as the textbook has it: the kept share multiplies the output when testing."""

from dlexp import Layer, Regularizer, coin_tosses, fraction, plugin


@plugin("dropout")
class Dropout(Regularizer, Layer):
    """Training: y = x·mask, each unit dropped with probability `ratio`; testing: y = (1 − ratio)·x

    Backward passes the gradient where the signal passed, as ReLU does. Some tellings say that
    outputs are multiplied by the *dropped* fraction when testing: that is a slip, it is the kept
    one, 1 − ratio, that preserves the mean.
    Source: Srivastava et al. (2014), https://jmlr.org/papers/v15/srivastava14a.html
    """

    ratio: float = fraction(0.2)

    def layer(self):
        return self

    def forward(self, x, p, ctx):
        if not ctx.training:
            return x * (1 - self.ratio), lambda dy: dy * (1 - self.ratio)
        mask = coin_tosses(ctx.rng, x.shape, 1 - self.ratio)
        return x * mask, lambda dy: dy * mask
