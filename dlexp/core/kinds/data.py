"""What is learned from."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlexp.core.arrays import Rng
from dlexp.core.dataset import Dataset, Split, stratified
from dlexp.core.fields import at_least
from dlexp.core.kinds.declaration import kind
from dlexp.core.registry import Plugin

if TYPE_CHECKING:
    from pathlib import Path


@kind(
    "data",
    summary="what is learned from; data.n_train=300 takes fewer samples, in proportion",
    needs_network=True,
    task=True,
    rank=20,
    name_rank=90,
)
@dataclass(frozen=True, kw_only=True)
class Data(Plugin):
    """Loads a classification task as training, validation and test splits.

    `n_train` keeps that many training samples, drawn for each seed, the classes in proportion.
    """

    n_train: int | None = at_least(1, None)

    @abstractmethod
    def load(self, rng: Rng) -> tuple[Split, Split, Split]:
        """Training, validation and test split; random draws come from `rng`, the split stream."""

    def source(self) -> str:
        """Where the data come from: a link, a path, or the formula's name."""
        return f"dlexp data={self.name}"

    def files(self) -> list[Path]:
        """The files it reads; a change in one of them changes the data."""
        return []

    def example(self, folder: Path) -> Data:
        """A small instance for the checks; it writes what it needs into `folder`."""
        return self

    def dataset(self, rng: Rng) -> Dataset:
        """The checked splits, with `n_train` applied. Raises `DataError` if they cannot be used."""
        train, validation, test = self.load(rng)
        if self.n_train is not None:
            train = stratified(train, self.n_train, rng)
        return Dataset(train, validation, test, name=self.name, source=self.source())
