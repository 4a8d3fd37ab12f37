"""Regularizers."""

from dataclasses import dataclass

import numpy as np

from dlexp import Layer, Regularizer, fraction, non_negative
from faults import wrong


@wrong("acts_at_some_moment")
class Idle(Regularizer): ...


@dataclass(frozen=True, kw_only=True)
class Quadratic(Regularizer):
    """½λ‖w‖²."""

    strength: float = non_negative(0.1)

    def penalty(self, w, g):
        g += self.strength * w
        return 0.5 * self.strength * float(w @ w)


@wrong("penalty_gradient")
class Doubled(Quadratic):
    def penalty(self, w, g):
        return 2 * super().penalty(w, g)


@wrong("penalty_adds_to_the_gradient", also="zero_strength_is_identity")
class Replacing(Quadratic):
    def penalty(self, w, g):
        g[...] = self.strength * w
        return 0.5 * self.strength * float(w @ w)


@wrong("penalty_is_not_negative")
class Rewarding(Quadratic):
    def penalty(self, w, g):
        g -= self.strength * w
        return -0.5 * self.strength * float(w @ w)


@wrong("stays_in_float32")
class Rooted(Regularizer):
    def penalty(self, w, g):
        g += np.sqrt(0.01) * w
        return float(np.sqrt(0.01) * 0.5 * (w @ w))


@wrong("shrink_does_not_grow_weights")
class Swelling(Regularizer):
    strength: float = non_negative(0.1)

    def shrink(self, w, lr):
        w *= 1 + lr * self.strength


@wrong("zero_strength_is_identity")
class Insistent(Regularizer):
    strength: float = non_negative(0.1)

    def shrink(self, w, lr):
        w *= 1 - lr * (self.strength + 0.01)


@dataclass(frozen=True, kw_only=True)
class Mask(Regularizer, Layer):
    ratio: float = fraction(0.2)

    def layer(self):
        return self

    def forward(self, x, p, ctx):
        scale = self.mask(x, ctx.rng) if ctx.training else x.dtype.type(self.kept())
        return x * scale, lambda dy: dy * scale

    def mask(self, x, rng):
        return rng.random(x.shape, dtype=np.float32) >= self.ratio

    def kept(self):
        return 1 - self.ratio


@wrong("evaluation_is_the_mean_of_training", also="zero_strength_is_identity")
class Literal(Mask):
    def kept(self):
        return self.ratio  # "the dropped fraction"


@wrong("evaluation_is_the_mean_of_training")
class Unscaled(Mask):
    def kept(self):
        return 1.0


@wrong("is_random_only_through_its_rng", also="gradient_in_training same_seed_gives_the_same_bits")
class Private(Mask):
    def mask(self, x, rng):
        return super().mask(x, np.random.default_rng())
