"""What an observer sees of a run, and may do with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from dlexp.core.arrays import Array, Context
    from dlexp.core.dataset import Dataset
    from dlexp.core.experiment import Experiment
    from dlexp.core.network import Network
    from dlexp.core.records import Records
    from dlexp.core.trainer import Trainer


class ObservedRun(Protocol):
    """A run under way or finished; `dlexp.Run` is one. `folder` is None for a run that keeps none."""

    @property
    def experiment(self) -> Experiment:
        """What was asked for."""

    @property
    def trainer(self) -> Trainer:
        """What trains it; `trainer.problem` is the problem."""

    @property
    def folder(self) -> Path | None:
        """Where it is written."""

    @property
    def records(self) -> Records:
        """What was measured so far."""

    @property
    def metrics(self) -> dict[str, float]:
        """The latest value of every metric."""

    @property
    def network(self) -> Network | None:
        """The network, where the problem has one."""

    @property
    def dataset(self) -> Dataset | None:
        """The data, where the problem has some."""

    def lacks(self, observer: Any) -> str:
        """What the observer needs and this run has not, in words; empty where nothing is missing."""

    def history(self, metric: str) -> tuple[list[int], list[float]]:
        """Steps and values of a metric, as two lists."""

    def probe(self, n: int = 1000) -> tuple[Array, Array, Context]:
        """Up to n training samples, evenly chosen, their labels, and a context to show them to the
        network in.
        """

    def note(self, metrics: dict[str, float]) -> None:
        """Write an observer's own measurements beside the run's metrics."""

    def figure_path(self, name: str) -> Path | None:
        """Where to save the figure `name`, or None for a run that keeps no folder."""

    def save_arrays(self, name: str, arrays: Mapping[str, Array]) -> None:
        """Write arrays into the run's folder, if it has one."""
