"""L1 penalty: pulls weights to exactly zero."""

import numpy as np

from dlexp import Regularizer, non_negative, plugin


@plugin("l1")
class L1(Regularizer):
    """L ← L + λ‖W‖₁, hence g ← g + λ·sign(W); weights only, no biases or scales

    Source: Tibshirani (1996), https://doi.org/10.1111/j.2517-6161.1996.tb02080.x
    """

    strength: float = non_negative(1e-5)

    def penalty(self, w, g):
        g += self.strength * np.sign(w)
        return self.strength * float(np.abs(w).sum())
