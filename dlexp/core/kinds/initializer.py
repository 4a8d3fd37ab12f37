"""The first values of weights."""

from __future__ import annotations

from abc import abstractmethod

from dlexp.core.arrays import Array, Rng
from dlexp.core.kinds.declaration import kind
from dlexp.core.registry import Plugin


@kind(
    "initializer",
    summary="the first values of weights (init= is the same)",
    alias="init",
    needs_network=True,
    always_named=True,
    label="init",
    rank=40,
    name_rank=30,
)
class Initializer(Plugin):
    """Draws the first value of a weight array, of shape (fan_in, fan_out)."""

    @abstractmethod
    def __call__(self, rng: Rng, fan_in: int, fan_out: int) -> Array:
        """An array (fan_in, fan_out), drawn from `rng` and nothing else."""

    def documented_std(self, fan_in: int, fan_out: int) -> float | None:
        """The standard deviation that the docstring promises; None if it promises none."""
        return None
