"""Step decay: the learning rate falls by a factor at regular intervals."""

from dlexp import Schedule, fraction, plugin, positive


@plugin("step")
class Step(Schedule):
    """factor = gamma^⌊stages·t/total⌋: `stages` equal parts, each at `gamma` times the last rate

    Source: He et al. (2016), section 3.4, https://arxiv.org/abs/1512.03385
    """

    gamma: float = fraction(0.1)
    stages: int = positive(3)

    def __call__(self, t, total):
        return self.gamma ** (self.stages * t // total)
