"""Linear warm-up, then cosine annealing."""

import math

from dlexp import Schedule, between, fraction, plugin


@plugin("warmup_cosine")
class WarmupCosine(Schedule):
    """factor = (t + 1)/w for the first w = ⌈warmup·total⌉ steps, then half a cosine to `floor`

    Sources: Goyal et al. (2017), https://arxiv.org/abs/1706.02677; Loshchilov & Hutter (2017),
    https://arxiv.org/abs/1608.03983
    """

    warmup: float = fraction(0.1)
    floor: float = between(0, 1, 0.0)

    def __call__(self, t, total):
        w = math.ceil(self.warmup * total)
        if t < w:
            return (t + 1) / w
        share = (t - w) / max(total - 1 - w, 1)
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * share))
