"""Gaussian clusters: the easiest of tasks, as hard as one likes."""

import numpy as np

from dlexp import Split, Synthetic, between, non_negative, plugin


@plugin("blobs")
class Blobs(Synthetic):
    """Gaussian clusters, one per class: synthetic, any number of inputs, easy while spread is small

    x = centre[k] + spread·N(0, 1), the centres drawn from N(0, 1) in every coordinate; all classes
    are equally frequent. Two centres are √(2·features) apart on average, clusters are `spread` wide
    in every direction.
    Source: the formula; scikit-learn's make_blobs with other centres,
    https://scikit-learn.org/stable/datasets
    """

    n: int = between(20, 100_000, 1500)
    classes: int = between(2, 100, 3)
    features: int = between(1, 1000, 2)
    spread: float = non_negative(0.3)

    def draw(self, rng):
        labels = np.arange(self.n) % self.classes
        centres = rng.standard_normal((self.classes, self.features))
        x = centres[labels] + self.spread * rng.standard_normal((self.n, self.features))
        return Split(x.astype(np.float32), labels.astype(np.int64))
