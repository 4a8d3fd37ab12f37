"""Weight decay as the textbook has it: an L2 penalty on the loss."""

from dlexp import Regularizer, non_negative, plugin


@plugin("weight_decay")
class WeightDecay(Regularizer):
    """L ← L + ½λ‖W‖², hence g ← g + λW; weights only, no biases or scales

    The penalty passes through the optimizer, so that Adam rescales it; `decoupled_weight_decay`
    does not.
    Source: Krogh & Hertz (1991),
    https://papers.nips.cc/paper/563-a-simple-weight-decay-can-improve-generalization
    """

    strength: float = non_negative(1e-4)

    def penalty(self, w, g):
        g += self.strength * w
        return 0.5 * self.strength * float(w @ w)
