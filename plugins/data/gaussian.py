"""Normally distributed inputs, for looking at what layers make of them."""

import numpy as np

from dlexp import Split, Synthetic, between, plugin


@plugin("gaussian")
class Gaussian(Synthetic):
    """Inputs from N(0, 1), labelled by a random linear teacher: for studies of activations

    x ~ N(0, 1) in every coordinate, as in the chapter's study of initial values (1,000 samples of
    100 features). The study has no labels; to make a task that can be learnt, the label is the
    argmax of x·T, where the columns of T (features, classes) are drawn from N(0, 1) and scaled to
    length 1, so that no class is preferred. The classes are about, not exactly, equally frequent. A
    linear model without noise explains the labels: what a network misses, it misses for lack of
    samples or of training.
    Source: Saito (2016), Deep Learning from Scratch, section 6.2.2,
    https://www.oreilly.co.jp/books/9784873117584/
    """

    n: int = between(20, 100_000, 1000)
    classes: int = between(2, 100, 10)
    features: int = between(1, 1000, 100)

    def draw(self, rng):
        x = rng.standard_normal((self.n, self.features))
        teacher = rng.standard_normal((self.features, self.classes))
        teacher /= np.linalg.norm(teacher, axis=0)
        return Split(x.astype(np.float32), np.argmax(x @ teacher, axis=1))
