"""Inverted dropout: the scaling is done while training, nothing when testing."""

from dlexp import Layer, Regularizer, coin_tosses, fraction, plugin


@plugin("inverted_dropout")
class InvertedDropout(Regularizer, Layer):
    """Training: y = x·mask/(1 − ratio), units dropped with probability `ratio`; testing: y = x

    The same as PyTorch's `Dropout`, and `dropout` rescaled: without normalization the two differ by
    a scale of the weights.
    Source: Srivastava et al. (2014), section 10, https://jmlr.org/papers/v15/srivastava14a.html
    """

    ratio: float = fraction(0.2)

    def layer(self):
        return self

    def forward(self, x, p, ctx):
        if not ctx.training:
            return x, lambda dy: dy
        kept = coin_tosses(ctx.rng, x.shape, 1 - self.ratio)
        mask = kept.astype(x.dtype) / (1 - self.ratio)
        return x * mask, lambda dy: dy * mask
