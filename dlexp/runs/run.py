"""A run: an experiment in progress or finished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dlexp.core.arrays import Array, Context
from dlexp.core.dataset import Dataset
from dlexp.core.experiment import Experiment
from dlexp.core.kinds.observer import Observer
from dlexp.core.network import Network
from dlexp.core.probe import probe
from dlexp.core.records import Record, Records
from dlexp.core.trainer import Trainer
from dlexp.runs.artifacts import Artifacts
from dlexp.runs.observer_runner import ObserverRunners
from dlexp.storage.status import Status


class RecordWriter(Protocol):
    """Writes a run's records; a journal is one."""

    def record(self, record: Record, event: str = "record") -> None:
        """Write an evaluation, or (event "note") an observer's own measurements."""


@dataclass
class Run:
    """An experiment in progress or finished: its trainer, its records, and its folder.

    `metrics` are the latest values by name; `status` is one of RUNNING, FINISHED, DIVERGED, FAILED,
    INTERRUPTED; `tracked` is the result of sending it to MLflow; `mixed` are the changes with which
    it was resumed.
    """

    experiment: Experiment
    trainer: Trainer
    folder: Path | None = None
    records: Records = field(default_factory=Records)
    status: Status = Status.RUNNING
    error: BaseException | None = None
    tracked: Any = None
    mixed: list[str] = field(default_factory=list)
    journal: RecordWriter | None = field(default=None, repr=False)
    observer_runners: ObserverRunners = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.observer_runners = ObserverRunners(self)

    def lacks(self, observer: Observer) -> str:
        """What the observer needs and this run does not have, in words; else empty."""
        return observer.lacks(self)

    @property
    def metrics(self) -> dict[str, float]:
        """The latest value of every metric."""
        return self.records.metrics

    def history(self, metric: str) -> tuple[list[int], list[float]]:
        """Steps and values of a metric, as two lists."""
        return self.records.history(metric)

    @property
    def network(self) -> Network | None:
        """The network, if the problem has one."""
        return getattr(self.trainer.problem, "network", None)

    @property
    def dataset(self) -> Dataset | None:
        """The data, if the problem has some."""
        return getattr(self.trainer.problem, "dataset", None)

    def probe(self, n: int = 1000) -> tuple[Array, Array, Context]:
        """Up to n training samples, evenly spaced, their labels, and a context for the network.

        The context is evaluation mode, but training mode for a network with running averages. Call
        it within `trainer.rehearsal()`, in a run on a data set.
        """
        assert self.network is not None
        assert self.dataset is not None
        return probe(self.network, self.dataset.train, n, self.trainer.rngs["noise"])

    def note(self, metrics: dict[str, float]) -> None:
        """Write an observer's own measurements to the journal; they are not among the records."""
        if self.journal is not None:
            self.journal.record(Record(self.trainer.epoch, self.trainer.t, metrics), "note")

    def figure_path(self, name: str) -> Path | None:
        """Where to save the figure `name`; None without a run folder."""
        return Artifacts(self.folder).figure_path(name)

    def save_arrays(self, name: str, arrays: Mapping[str, Array]) -> None:
        """Write `<run folder>/arrays/<name>.npz` atomically; without a folder, do nothing.

        Reports and studies do not load networks or surfaces: observers save here what their figures
        show of them.
        """
        Artifacts(self.folder).save_arrays(name, arrays)

    def train(self, after_step: Callable[[], None] = lambda: None) -> None:
        """Train and notify the observers; `after_step` is called between steps and may raise.

        Exceptions of the training are raised again after the observers were notified.
        """
        error: BaseException | None = None
        try:
            self.observer_runners.start()
            for record in self.trainer.run(after_step):
                self.records.append(record)
                if self.journal is not None:
                    self.journal.record(record)
                self.observer_runners.notify("record", record)
        except BaseException as e:
            error = e
            raise
        finally:
            self.observer_runners.notify("finish", error)

    def state_dict(self) -> dict[str, Any]:
        """All state that is needed to continue, except the records: those are in the journal."""
        return {
            "trainer": self.trainer.state_dict(),
            "observers": self.observer_runners.state_dict(),
        }

    def load_state_dict(self, saved: Mapping[str, Any], records: Iterable[Record]) -> None:
        """Inverse of `state_dict`, with the earlier records."""
        self.trainer.load_state_dict(saved["trainer"])
        self.records[:] = records
        self.observer_runners.load_state_dict(saved["observers"])
