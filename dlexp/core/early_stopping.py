"""Early stopping: when training stops, and which weights are kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from dlexp.core import directions
from dlexp.core.arrays import Array
from dlexp.core.defaults import default
from dlexp.core.fields import at_least, check_fields
from dlexp.errors import FieldError, nearest

KEY = "early_stopping"
METRIC = f"{KEY}.metric"


@dataclass(frozen=True, kw_only=True)
class EarlyStopping:
    """Stop after `patience` evaluations without improvement of `metric`; keep the best weights.

    `patience=None` trains to the end. The objective declares which direction is better.
    Source: Goodfellow, Bengio & Courville (2016), algorithm 7.1, https://www.deeplearningbook.org
    """

    patience: int | None = at_least(1, default(f"{KEY}.patience"))
    metric: str = field(default_factory=default(f"{KEY}.metric"))

    def __post_init__(self) -> None:
        check_fields(self)

    def check(self, evaluate: Callable[[], Iterable[str]], better: Mapping[str, str]) -> None:
        """Raises `UserError` for a metric that is not measured or has no known direction."""
        if self.patience is None:
            return
        if self.metric not in (known := sorted(evaluate())):
            hint, names = nearest(self.metric, known), ", ".join(known)
            wrong = "there is no such metric"
            raise FieldError(wrong, key=METRIC, value=self.metric, allowed=names, hint=hint)
        directions.sign(self.metric, better, key=METRIC)

    def cost(self, metrics: Mapping[str, float], better: Mapping[str, str] | None = None) -> float:
        """The metric, signed so that less is better. Raises `UserError` for an unknown sign."""
        return -directions.sign(self.metric, better, key=METRIC) * metrics[self.metric]


@dataclass
class Best:
    """The state of early stopping: the best evaluation, its weights, and how many came since."""

    cost: float = math.inf
    step: int = 0
    waited: int = 0
    storage: Array | None = None
