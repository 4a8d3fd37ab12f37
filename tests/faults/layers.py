"""Activations and normalizations."""

from dataclasses import dataclass

import numpy as np

from dlexp import Activation, Normalization, Param
from faults import STOPS, wrong


@dataclass(frozen=True, kw_only=True)
class Tame(Activation):
    def forward(self, x, p, ctx):
        y = np.tanh(x)
        return y, lambda dy: dy * (1 - y * y)


@wrong("gradient_in_training", also="gradient_in_evaluation")
class Slipped(Tame):
    def forward(self, x, p, ctx):
        y = np.tanh(x)
        return y, lambda dy: dy * (1 - y)


@wrong("leaves_its_inputs_alone", also="gradient_in_evaluation gradient_in_training")
class Overwriting(Tame):
    def forward(self, x, p, ctx):
        positive = x > 0
        x *= positive
        return x, lambda dy: dy * positive


@wrong("leaves_its_inputs_alone")
class Snatching(Tame):
    def forward(self, x, p, ctx):
        y = np.tanh(x)
        return y, lambda dy: np.multiply(dy, 1 - y * y, out=dy)


@wrong("keeps_dtype")
class Upcasting(Tame):
    def forward(self, x, p, ctx):
        scale = np.sqrt(2.0)
        y = np.tanh(x * scale)
        return y, lambda dy: dy * (1 - y * y) * scale


@wrong("is_elementwise")
class Softmax(Tame):
    def forward(self, x, p, ctx):
        e = np.exp(x - x.max(axis=1, keepdims=True)) * np.arange(1, x.shape[1] + 1)
        y = (e / e.sum(axis=1, keepdims=True)).astype(x.dtype)
        return y, lambda dy: y * (dy - (dy * y).sum(axis=1, keepdims=True))


@wrong("stays_finite_for_large_inputs")
class Overflowing(Tame):
    def forward(self, x, p, ctx):
        y = 1 / (1 + np.exp(-x))
        return y, lambda dy: dy * y * (1 - y)


@wrong("is_deterministic_in_eval", also="is_elementwise")
class Fidgeting(Tame):
    def forward(self, x, p, ctx):
        rng = ctx.rng or np.random.default_rng(0)
        scale = rng.random(dtype=x.dtype)
        return x * scale, lambda dy: dy * scale


@dataclass(frozen=True, kw_only=True)
class Centred(Normalization):
    """y = γ(x − μ): the mean of the batch in training, its running average in evaluation."""

    def arrays(self, n):
        return {"gamma": Param((n,), start=1.0), "mean": Param((n,), start=0.0, trainable=False)}

    def forward(self, x, p, ctx):
        if ctx.training:
            mean = x.mean(axis=0)
            self.remember(p, mean)
        else:
            mean = self.recall(x, p)
        centred = x - mean

        def backward(dy):
            self.write(p, (dy * centred).sum(axis=0))
            dx = dy * p.gamma
            return dx - dx.mean(axis=0) if ctx.training else dx

        return centred * p.gamma, backward

    def remember(self, p, mean):
        p.mean += 0.1 * (mean - p.mean)

    def recall(self, x, p):
        return p.mean.copy()

    def write(self, p, dgamma):
        p.dgamma[...] = dgamma


@wrong("backward_writes_gradients", also="gradient_in_training gradient_in_evaluation")
class Accumulating(Centred):
    def write(self, p, dgamma):
        p.dgamma += dgamma


@wrong("gradient_in_training", also="gradient_in_evaluation backward_writes_gradients")
class Forgetful(Centred):
    def write(self, p, dgamma):
        """The gradient of γ is not written."""


EVERYTHING = (  # nothing can be tried
    f"{STOPS} backward_writes_gradients evaluates_each_sample_by_itself"
    " evaluation_changes_no_buffer gradient_in_evaluation gradient_in_training"
    " is_deterministic_in_eval keeps_dtype keeps_its_word_on_shapes leaves_its_inputs_alone"
    " survives_its_smallest_batch"
)


@wrong("writes_its_arrays_in_place", also=EVERYTHING)
class Replacing(Centred):
    def remember(self, p, mean):
        p.mean = 0.9 * p.mean + 0.1 * mean


@wrong(
    "writes_its_arrays_in_place",
    also="backward_writes_gradients gradient_in_evaluation gradient_in_training",
)
class Sidestepping(Centred):
    def write(self, p, dgamma):
        vars(p)["dgamma"] = dgamma


@wrong("evaluates_each_sample_by_itself", also="gradient_in_evaluation")
class Sociable(Centred):
    def recall(self, x, p):
        return x.mean(axis=0)


@wrong(
    "evaluation_changes_no_buffer", also="evaluates_each_sample_by_itself is_deterministic_in_eval"
)
class Restless(Centred):
    def recall(self, x, p):
        mean = p.mean.copy()
        p.mean += 0.1 * (x.mean(axis=0) - p.mean)
        return mean


@wrong("gradient_in_evaluation")
class Halfway(Centred):
    def forward(self, x, p, ctx):
        y, backward = super().forward(x, p, ctx)
        return y, backward if ctx.training else lambda dy: backward(dy) / 2


@wrong(
    "keeps_its_word_on_shapes",
    also=(
        f"{STOPS} backward_writes_gradients gradient_in_evaluation gradient_in_training keeps_dtype"
        " leaves_its_inputs_alone survives_its_smallest_batch writes_its_arrays_in_place"
    ),
)
class Boastful(Centred):
    def width(self, n):
        return n + 1


@wrong("survives_its_smallest_batch")
class Unguarded(Normalization):
    def forward(self, x, p, ctx):
        if not ctx.training:
            return x * 1, lambda dy: dy * 1
        n = len(x)
        scale = x.dtype.type(n / (n - 1 if n > 1 else np.nan))
        return x * scale, lambda dy: dy * scale
