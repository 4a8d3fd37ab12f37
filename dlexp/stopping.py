"""Early stopping: when to give up, and what to go back to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from dlexp.arrays import Array
from dlexp.fields import at_least, check_fields


@dataclass(frozen=True, kw_only=True)
class EarlyStopping:
    """Stop after `patience` evaluations in a row without improvement of `metric`, and return to the best weights.

    patience = None trains to the end. A metric whose name ends in "accuracy" is better when larger, any other when
    smaller. Source: Goodfellow, Bengio & Courville (2016), algorithm 7.1, https://www.deeplearningbook.org
    """

    patience: int | None = at_least(1, None)
    metric: str = "val/loss"

    def __post_init__(self) -> None:
        check_fields(self)

    def cost(self, metrics: Mapping[str, float]) -> float:
        """The metric, signed so that less is better."""
        return -metrics[self.metric] if self.metric.endswith("accuracy") else metrics[self.metric]


@dataclass
class Best:
    """The best evaluation so far, its weights, and how many came since: the memory of early stopping."""

    cost: float = math.inf
    step: int = 0
    waited: int = 0
    storage: Array | None = None
