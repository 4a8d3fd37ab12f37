"""An experiment under way or finished."""

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
    """Where a run's records are written; a journal is one."""

    def record(self, record: Record, event: str = "record") -> None:
        """Write an evaluation, or (event "note") an observer's own measurements."""


@dataclass
class Run:
    """An experiment under way or finished: its trainer, its records, and where it is written.

    `metrics` are the latest values by name; `status` is one of RUNNING, FINISHED, DIVERGED, FAILED,
    INTERRUPTED; `tracked` says what became of it in MLflow, `mixed` what had changed when it was
    resumed all the same.
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
        """What the observer needs and this run has not, in words; empty where nothing is missing."""
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
        """The network, where the problem has one."""
        return getattr(self.trainer.problem, "network", None)

    @property
    def dataset(self) -> Dataset | None:
        """The data, where the problem has some."""
        return getattr(self.trainer.problem, "dataset", None)

    def probe(self, n: int = 1000) -> tuple[Array, Array, Context]:
        """Up to n training samples, evenly chosen, their labels, and a context to show them to the
        network in. For runs on a data set.

        The context is evaluation mode, but training mode for a network that keeps running averages.
        Use it within `trainer.rehearsal()`.
        """
        assert self.network is not None
        assert self.dataset is not None
        return probe(self.network, self.dataset.train, n, self.trainer.rngs["noise"])

    def note(self, metrics: dict[str, float]) -> None:
        """Write an observer's own measurements beside the run's metrics; they are not part of its
        records.
        """
        if self.journal is not None:
            self.journal.record(Record(self.trainer.epoch, self.trainer.t, metrics), "note")

    def figure_path(self, name: str) -> Path | None:
        """Where to save the figure `name`, or None for a run that keeps no folder."""
        return Artifacts(self.folder).figure_path(name)

    def save_arrays(self, name: str, arrays: Mapping[str, Array]) -> None:
        """Write `<run folder>/arrays/<name>.npz`, old or new, never half; nothing without a folder.

        Reports and studies know neither network nor surface: what their figures show of these, an
        observer leaves here.
        """
        Artifacts(self.folder).save_arrays(name, arrays)

    def train(self, after_step: Callable[[], None] = lambda: None) -> None:
        """Train, and notify the observers; `after_step` is called between two steps, and may save or
        raise.

        What the training raises is raised, after the observers were notified.
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
        """Everything needed to go on as if nothing had happened, but the records: those are in the
        journal.
        """
        return {
            "trainer": self.trainer.state_dict(),
            "observers": self.observer_runners.state_dict(),
        }

    def load_state_dict(self, saved: Mapping[str, Any], records: Iterable[Record]) -> None:
        """Inverse of `state_dict`, with the records of before."""
        self.trainer.load_state_dict(saved["trainer"])
        self.records[:] = records
        self.observer_runners.load_state_dict(saved["observers"])
