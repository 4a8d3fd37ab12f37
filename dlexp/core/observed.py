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
    """A run in progress or finished; `dlexp.Run` is one. `folder` is None without a run folder."""

    @property
    def experiment(self) -> Experiment:
        """The choices of the run."""

    @property
    def trainer(self) -> Trainer:
        """The trainer; `trainer.problem` is the problem."""

    @property
    def folder(self) -> Path | None:
        """The run folder."""

    @property
    def records(self) -> Records:
        """What was measured so far."""

    @property
    def metrics(self) -> dict[str, float]:
        """The latest value of every metric."""

    @property
    def network(self) -> Network | None:
        """The network, if the problem has one."""

    @property
    def dataset(self) -> Dataset | None:
        """The data, if the problem has some."""

    def lacks(self, observer: Any) -> str:
        """What the observer needs and this run does not have, in words; else empty."""

    def history(self, metric: str) -> tuple[list[int], list[float]]:
        """Steps and values of a metric, as two lists."""

    def probe(self, n: int = 1000) -> tuple[Array, Array, Context]:
        """Up to n training samples, evenly spaced, their labels, and a context for the network."""

    def note(self, metrics: dict[str, float]) -> None:
        """Write an observer's own measurements to the journal."""

    def figure_path(self, name: str) -> Path | None:
        """Where to save the figure `name`; None without a run folder."""

    def save_arrays(self, name: str, arrays: Mapping[str, Array]) -> None:
        """Write arrays into the run's folder, if it has one."""
