"""Data sets that are drawn, not recorded."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from dlexp.core.arrays import Rng
from dlexp.core.dataset import Split, three_way
from dlexp.core.fields import between
from dlexp.core.kinds.data import Data
from dlexp.errors import FieldError


@dataclass(frozen=True, kw_only=True)
class Synthetic(Data):
    """`n` samples of `classes` classes, drawn by the seed and split 70/10/20 %, stratified.

    There must be at least ten samples a class, else a split lacks some class: `FieldError`.
    """

    n: int = between(20, 100_000, 1500)
    classes: int = between(2, 100, 3)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n < 10 * self.classes:
            raise FieldError(
                f"must be at least 10 for each of the {self.classes} classes", key="n", value=self.n
            )

    @abstractmethod
    def draw(self, rng: Rng) -> Split:
        """All samples: features (n, features) in float32 and labels (n,) in int64."""

    def load(self, rng: Rng) -> tuple[Split, Split, Split]:
        return three_way(
            self.draw(rng), validation=round(0.1 * self.n), test=round(0.2 * self.n), rng=rng
        )
