"""Spirals: no straight line tells them apart."""

import numpy as np

from dlexp import Split, Synthetic, between, non_negative, plugin


@plugin("spirals")
class Spirals(Synthetic):
    """Interleaved spirals in the plane, one for each class: drawn, 2 inputs, not linearly separable

    Class k of K has the points r·(cos θ, sin θ) + noise·N(0, 1) with r uniform in 0 … 1 and θ =
    2π(k/K + 0.7 r); all classes are equally frequent. Neighbouring arms are 1/(0.7 K) apart along a
    radius, so noise above a quarter of that makes them overlap.
    Source: after Lang & Witbrock (1988), Learning to tell two spirals apart; in this form
    https://cs231n.github.io/neural-networks-case-study/
    """

    n: int = between(20, 100_000, 1500)
    classes: int = between(2, 20, 3)
    noise: float = non_negative(0.05)

    def draw(self, rng):
        labels = np.arange(self.n) % self.classes
        r = rng.random(self.n)
        angle = 2 * np.pi * (labels / self.classes + 0.7 * r)
        x = np.stack(
            [r * np.cos(angle), r * np.sin(angle)], axis=1
        ) + self.noise * rng.standard_normal((self.n, 2))
        return Split(x.astype(np.float32), labels.astype(np.int64))
