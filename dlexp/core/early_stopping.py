"""Early stopping: when to give up, and what to go back to."""

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
    """Stop after `patience` evaluations in a row without improvement of `metric`, and return to the
    best weights.

    patience = None trains to the end. The objective declares which way the metric is better.
    Source: Goodfellow, Bengio & Courville (2016), algorithm 7.1, https://www.deeplearningbook.org
    """

    patience: int | None = at_least(1, default(f"{KEY}.patience"))
    metric: str = field(default_factory=default(f"{KEY}.metric"))

    def __post_init__(self) -> None:
        check_fields(self)

    def check(self, evaluate: Callable[[], Iterable[str]], better: Mapping[str, str]) -> None:
        """Raises `UserError` where it is to stop by a metric that is not measured, or of which
        nobody says the way.
        """
        if self.patience is None:
            return
        if self.metric not in (known := sorted(evaluate())):
            wrong, hint = "there is no such metric", nearest(self.metric, known)
            raise FieldError(
                wrong, key=METRIC, value=self.metric, allowed=", ".join(known), hint=hint
            )
        directions.sign(self.metric, better, key=METRIC)

    def cost(self, metrics: Mapping[str, float], better: Mapping[str, str] | None = None) -> float:
        """The metric, signed so that less is better, as declared by `better`. Raises `UserError`
        where nobody says.
        """
        return -directions.sign(self.metric, better, key=METRIC) * metrics[self.metric]


@dataclass
class Best:
    """The best evaluation so far, its weights, and how many came since: the memory of early
    stopping.
    """

    cost: float = math.inf
    step: int = 0
    waited: int = 0
    storage: Array | None = None
