"""An experiment under way or finished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dlexp import paths
from dlexp.core import kinds
from dlexp.core.arrays import Array, Context
from dlexp.core.dataset import Dataset
from dlexp.core.experiment import Experiment
from dlexp.core.network import Network
from dlexp.core.trainer import Record, Trainer
from dlexp.runs.observer_runner import ObserverRunner
from dlexp.storage.archives import write_arrays
from dlexp.storage.status import Status


class Journal(Protocol):
    """Where a run's records are written."""

    def record(self, record: Record, event: str = "record") -> None:
        """One evaluation, or (event "note") an observer's own measurements."""


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
    records: list[Record] = field(default_factory=list)
    status: Status = Status.RUNNING
    error: BaseException | None = None
    tracked: Any = None
    mixed: list[str] = field(default_factory=list)
    journal: Journal | None = field(default=None, repr=False)
    observer_runners: list[ObserverRunner] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.observer_runners = [
            ObserverRunner(observer, self)
            for observer in self.experiment.observer
            if not self.lacks(observer)
        ]

    def lacks(self, observer: kinds.Observer) -> str:
        """What the observer needs and this run has not, in words; empty where nothing is missing."""
        found = {
            "network": self.network,
            "dataset": self.dataset,
            self.experiment.objective.output: True,
        }
        return " and ".join(kinds.NEEDS[need] for need in observer.needs if found.get(need) is None)

    @property
    def metrics(self) -> dict[str, float]:
        """The latest value of every metric."""
        return {name: value for record in self.records for name, value in record.metrics.items()}

    @property
    def network(self) -> Network | None:
        """The network, where the problem has one."""
        return getattr(self.trainer.problem, "network", None)

    @property
    def dataset(self) -> Dataset | None:
        """The data, where the problem has some."""
        return getattr(self.trainer.problem, "dataset", None)

    def history(self, metric: str) -> tuple[list[int], list[float]]:
        """Steps and values of a metric, as two lists."""
        points = [(r.step, r.metrics[metric]) for r in self.records if metric in r.metrics]
        return [step for step, _ in points], [value for _, value in points]

    def probe(self, n: int = 1000) -> tuple[Array, Array, Context]:
        """Up to n training samples, evenly chosen, their labels, and a context to show them to the
        network in.

        The context is evaluation mode, but training mode for a network that keeps running averages:
        those of an untrained network are only where they start. Use it within
        `trainer.rehearsal()`. For runs on a data set.
        """
        assert self.network is not None
        assert self.dataset is not None
        train, params = self.dataset.train, self.network.params
        rows = np.linspace(0, len(train) - 1, min(n, len(train))).astype(int)
        averages = len(params.trainable) < len(params.specs)
        ctx = Context(training=averages, rng=self.trainer.rngs["noise"])
        return train.x[rows].astype(params.storage.dtype, copy=False), train.labels[rows], ctx

    def note(self, metrics: dict[str, float]) -> None:
        """Write an observer's own measurements beside the run's metrics; they are not part of its
        records.
        """
        if self.journal is not None:
            self.journal.record(Record(self.trainer.epoch, self.trainer.t, metrics), "note")

    def figure_path(self, name: str) -> Path | None:
        """Where to save the figure `name`, or None for a run that keeps no folder."""
        if self.folder is None:
            return None
        return paths.made(self.folder / "figures") / f"{name}.png"

    def save_arrays(self, name: str, arrays: Mapping[str, Array]) -> None:
        """Leave arrays in `<run folder>/arrays/<name>.npz`, old or new, never half; nothing for a
        run without a folder.

        Reports and studies know neither network nor surface: what their figures show of these, an
        observer leaves here.
        """
        if self.folder is not None:
            write_arrays(paths.made(self.folder / "arrays") / f"{name}.npz", arrays)

    def train(self, after_step: Callable[[], None] = lambda: None) -> None:
        """Train under the observers' eyes; `after_step` is called between two steps, and may save or
        raise.

        What the training raises is raised, after the observers were told.
        """
        error: BaseException | None = None
        try:
            for runner in self.observer_runners:
                runner.start()
            for record in self.trainer.run(after_step):
                self.records.append(record)
                if self.journal is not None:
                    self.journal.record(record)
                for runner in self.observer_runners:
                    runner.notify("record", record)
        except BaseException as e:
            error = e
            raise
        finally:
            for runner in self.observer_runners:
                runner.notify("finish", error)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on as if nothing had happened, but the records: those are in the
        journal.
        """
        observer_runners = {
            runner.observer.name: runner.state_dict() for runner in self.observer_runners
        }
        return {"trainer": self.trainer.state_dict(), "observers": observer_runners}

    def load_state_dict(self, saved: Mapping[str, Any], records: Iterable[Record]) -> None:
        """Inverse of `state_dict`, with the records of before."""
        self.trainer.load_state_dict(saved["trainer"])
        self.records[:] = records
        for runner in self.observer_runners:
            runner.load_state_dict(saved["observers"].get(runner.observer.name))
