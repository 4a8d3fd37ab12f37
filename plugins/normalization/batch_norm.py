"""Batch normalization (Ioffe & Szegedy 2015)."""

import numpy as np

from dlexp import Normalization, Param, batch_sum, fraction, plugin, positive


@plugin("batch_norm")
class BatchNorm(Normalization):
    """y = γ·(x − μ)/√(σ² + ε) + β; μ, σ² over the batch, running averages in evaluation

    γ and β (n,) are learned. The running averages keep the share `momentum` of themselves at each
    step. The variance is the biased one (divided by the batch size) in both uses, as in the
    textbook; PyTorch's running variance is the unbiased one, and its `momentum` is 1 − ours. Needs
    at least two samples a batch.
    Source: Ioffe & Szegedy (2015), https://arxiv.org/abs/1502.03167
    """

    momentum: float = fraction(0.9)
    eps: float = positive(1e-6)
    min_batch = 2

    def arrays(self, n):
        return {
            "gamma": Param((n,), start=1.0),
            "beta": Param((n,), start=0.0),
            "mean": Param((n,), start=0.0, trainable=False),
            "var": Param((n,), start=1.0, trainable=False),
        }

    def forward(self, x, p, ctx):
        if ctx.training:
            mean = batch_sum(x) / len(x)
            centred = x - mean
            var = batch_sum(centred * centred) / len(x)
            p.mean += (1 - self.momentum) * (mean - p.mean)
            p.var += (1 - self.momentum) * (var - p.var)
        else:
            centred, var = x - p.mean, p.var
        sigma = np.sqrt(var + self.eps)
        x_hat = np.divide(centred, sigma, out=centred)  # in its memory
        y = p.gamma * x_hat
        y += p.beta

        def backward(dy):
            batch_sum(dy * x_hat, out=p.dgamma)
            batch_sum(dy, out=p.dbeta)
            if not ctx.training:  # mean and variance are constants then
                return dy * (p.gamma / sigma)
            dx = dy - p.dbeta / len(x)
            dx -= x_hat * (p.dgamma / len(x))
            dx *= p.gamma / sigma
            return dx

        return y, backward
