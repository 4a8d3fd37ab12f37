"""Decoupled weight decay: AdamW's, beside any optimizer."""

from dlexp import Regularizer, non_negative, plugin


@plugin("decoupled_weight_decay")
class DecoupledWeightDecay(Regularizer):
    """W ← (1 − lr·λ)·W before the update; not scaled by the optimizer; with adam: AdamW

    Weights only, no biases or scales; lr is the scheduled learning rate, as in PyTorch's `AdamW`.
    Source: Loshchilov & Hutter (2019), https://arxiv.org/abs/1711.05101
    """

    strength: float = non_negative(1e-2)

    def shrink(self, w, lr):
        w *= 1 - lr * self.strength
