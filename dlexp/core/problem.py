"""What a trainer trains: parameters, batches, a loss, and how well it stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from dlexp.core.arrays import Context, Rng
from dlexp.core.params import Parameters


class Problem(ABC):
    """The only thing a trainer knows of the task.

    `steps_per_epoch` counts the batches of one pass; `epoch_name` is what a pass is called on axes
    and in progress lines ("epoch", or "step" for a surface, whose every step is a pass of its own).
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
        """Metrics `train/…` and `val/…` as they stand, in evaluation mode, without penalty. Changes
        nothing.
        """

    def test(self) -> dict[str, float]:
        """Metrics `test/…`, asked for once, at the end. Changes nothing."""
        return {}

    def explain(self, batch: Any, ctx: Context) -> str:
        """Where the first non-finite number of this batch arises: a tensor and its layer. May
        overwrite gradients.
        """
        return self.params.non_finite() or "loss"
