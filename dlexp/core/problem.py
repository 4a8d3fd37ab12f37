"""What a trainer trains: parameters, batches, a loss, and metrics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from dlexp.core.arrays import Context, Rng
from dlexp.core.params import Parameters


class Problem(ABC):
    """The only thing a trainer knows of the task.

    `steps_per_epoch` counts the batches of one pass; `epoch_name` names a pass on axes and in
    progress lines ("epoch", or "step" for a surface, where each step is a pass).
    """

    params: Parameters
    steps_per_epoch: int
    epoch_name: ClassVar[str] = "epoch"

    @abstractmethod
    def batches(self, rng: Rng) -> Iterator[Any]:
        """One epoch of batches, in an order drawn from `rng` at the first of them."""

    @abstractmethod
    def loss(self, batch: Any, ctx: Context) -> float:
        """The loss of a batch; the gradient is written into `params.grads`."""

    @abstractmethod
    def evaluate(self) -> dict[str, float]:
        """Metrics `train/…` and `val/…` in evaluation mode, without penalties. Changes nothing."""

    def test(self) -> dict[str, float]:
        """Metrics `test/…`, computed once, at the end. Changes nothing."""
        return {}

    def explain(self, batch: Any, ctx: Context) -> str:
        """Where a batch's first non-finite number arises: tensor, layer. May write gradients."""
        return self.params.non_finite() or "loss"
