"""One run, completely described, as a value; and the run that comes of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dlexp import paths
from dlexp.core import kinds
from dlexp.core.arrays import Array, Context
from dlexp.core.assembly import blamed, try_out
from dlexp.core.dataset import Dataset
from dlexp.core.early_stopping import EarlyStopping
from dlexp.core.fields import at_least, check_fields, defaults_of, non_negative, one_of, positive
from dlexp.core.network import Network
from dlexp.core.registry import Plugin, as_dict
from dlexp.core.trainer import Record, Trainer
from dlexp.errors import FieldError
from dlexp.runs.observer_runner import Watch

STREAMS = ("split", "init", "order", "noise")


def streams(seed: int) -> dict[str, np.random.Generator]:
    """One seed, named streams: each depends on the seed and its own name only, so adding one shifts no other."""
    keys = {name: np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()),)) for name in STREAMS}
    return {name: np.random.default_rng(key) for name, key in keys.items()}


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What was asked for. Equal experiments give bit-identical runs on the same machine.

    `steps`, where given, overrules `epochs`; `eval_every` counts epochs; `clip_norm` bounds the gradient's norm.
    Raises `FieldError` for a value out of its range.
    """

    objective: kinds.Objective
    data: kinds.Data
    model: kinds.Model
    initializer: kinds.Initializer
    activation: kinds.Activation
    normalization: kinds.Normalization
    regularizer: tuple[kinds.Regularizer, ...] = ()
    optimizer: kinds.Optimizer
    schedule: kinds.Schedule
    observer: tuple[kinds.Observer, ...] = ()
    epochs: int = non_negative(50)
    steps: int | None = non_negative(None)
    batch_size: int = positive(100)
    seed: int = non_negative(0)
    dtype: str = one_of("float32", "float64")
    eval_every: int = at_least(1, 1)
    clip_norm: float | None = positive(None)
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.seed >= 2**63:
            raise FieldError("must be < 2**63", key="seed", value=self.seed)

    def trainer(self) -> Trainer:
        """Load the data and assemble the run. Raises a `UserError` for what cannot be trained."""
        rngs = streams(self.seed)
        with blamed(self):
            problem = self.objective.build(self, rngs)
            try_out(problem)
            self.early_stopping.check(problem.evaluate, self.objective.better)
        return Trainer(
            problem=problem,
            optimizer=self.optimizer,
            schedule=self.schedule,
            regularizers=self.regularizer,
            total=self.epochs * problem.steps_per_epoch if self.steps is None else self.steps,
            eval_every=self.eval_every,
            clip_norm=self.clip_norm,
            early_stopping=self.early_stopping,
            better=self.objective.better,
            rngs={name: rngs[name] for name in ("order", "noise")},
        )

    def plugins(self) -> Iterator[tuple[str, tuple[Plugin, ...]]]:
        """The kinds that matter to this objective, each with its plugins."""
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in kinds.KINDS and f.name not in self.objective.ignores:
                yield f.name, value if isinstance(value, tuple) else (value,)

    def settings(self) -> dict[str, Any]:
        """The plain fields, flat: `epochs: 50`, `early_stopping.metric: val/loss`."""
        silent = (*kinds.KINDS, *self.objective.ignores)
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in silent}
        stopping = plain.pop("early_stopping")
        return plain | {f"early_stopping.{f.name}": getattr(stopping, f.name) for f in fields(stopping)}

    def params(self) -> dict[str, Any]:
        """All that can change a number, flat: `optimizer: adam, optimizer.lr: 0.001`; for MLflow and reports."""
        flat: dict[str, Any] = {}
        for kind, chosen in self.plugins():
            if kind == "observer":
                continue
            flat[kind] = "+".join(p.name for p in chosen) or "none"
            for p in chosen:
                flat |= {_prefix(kind, p) + k: _plain(v) for k, v in as_dict(p).items() if k != "name"}
        return flat | self.settings()

    def defaults(self) -> dict[str, Any]:
        """What fields among `params` are where nobody chooses, as far as their classes say: `optimizer.lr: 0.001`."""
        chosen = [(_prefix(kind, p), p) for kind, several in self.plugins() for p in several]
        owners = [*chosen, ("", self), ("early_stopping.", self.early_stopping)]
        flat = {prefix + k: _plain(v) for prefix, owner in owners for k, v in defaults_of(owner).items()}
        return {k: flat[k] for k in self.params() if k in flat and k not in kinds.KINDS}


def _prefix(kind: str, p: Plugin) -> str:
    return f"{kind}.{p.name}." if kind in kinds.MANY else f"{kind}."


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


class Journal(Protocol):
    """Where a run's records are written."""

    def record(self, record: Record, event: str = "record") -> None:
        """One evaluation, or (event "note") an observer's own measurements."""


@dataclass
class Run:
    """An experiment under way or finished: its trainer, its records, and where it is written.

    `metrics` are the latest values by name; `status` is one of RUNNING, FINISHED, DIVERGED, FAILED, INTERRUPTED;
    `tracked` says what became of it in MLflow, `mixed` what had changed when it was resumed all the same.
    """

    experiment: Experiment
    trainer: Trainer
    folder: Path | None = None
    records: list[Record] = field(default_factory=list)
    status: str = "RUNNING"
    error: BaseException | None = None
    tracked: Any = None
    mixed: list[str] = field(default_factory=list)
    journal: Journal | None = field(default=None, repr=False)
    watching: list[Watch] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.watching = [Watch(observer, self) for observer in self.experiment.observer if not self.lacks(observer)]

    def lacks(self, observer: kinds.Observer) -> str:
        """What the observer needs and this run has not, in words; empty where nothing is missing."""
        found = {"network": self.network, "dataset": self.dataset, self.experiment.objective.output: True}
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
        """Up to n training samples, evenly chosen, their labels, and a context to show them to the network in.

        The context is evaluation mode, but training mode for a network that keeps running averages: those of an
        untrained network are only where they start. Use it within `trainer.rehearsal()`. For runs on a data set.
        """
        assert self.network is not None
        assert self.dataset is not None
        train, params = self.dataset.train, self.network.params
        rows = np.linspace(0, len(train) - 1, min(n, len(train))).astype(int)
        averages = len(params.trainable) < len(params.specs)
        ctx = Context(training=averages, rng=self.trainer.rngs["noise"])
        return train.x[rows].astype(params.storage.dtype, copy=False), train.labels[rows], ctx

    def note(self, metrics: dict[str, float]) -> None:
        """Write an observer's own measurements beside the run's metrics; they are not part of its records."""
        if self.journal is not None:
            self.journal.record(Record(self.trainer.epoch, self.trainer.t, metrics), "note")

    def figure_path(self, name: str) -> Path | None:
        """Where to save the figure `name`, or None for a run that keeps no folder."""
        if self.folder is None:
            return None
        return paths.made(self.folder / "figures") / f"{name}.png"

    def save_arrays(self, name: str, arrays: Mapping[str, Array]) -> None:
        """Leave arrays in `<run folder>/arrays/<name>.npz`, old or new, never half; nothing for a run without a folder.

        Reports and studies know neither network nor surface: what their figures show of these, an observer leaves here.
        """
        if self.folder is not None:
            from dlexp.storage.archives import write_arrays

            write_arrays(paths.made(self.folder / "arrays") / f"{name}.npz", arrays)

    def train(self, between: Callable[[], None] = lambda: None) -> None:
        """Train under the observers' eyes; `between` is called between two steps, and may save or raise.

        What the training raises is raised, after the observers were told.
        """
        error: BaseException | None = None
        try:
            for watch in self.watching:
                watch.start()
            for record in self.trainer.run(between):
                self.records.append(record)
                if self.journal is not None:
                    self.journal.record(record)
                for watch in self.watching:
                    watch.tell("record", record)
        except BaseException as e:
            error = e
            raise
        finally:
            for watch in self.watching:
                watch.tell("finish", error)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on as if nothing had happened, but the records: those are in the journal."""
        watching = {watch.observer.name: watch.state_dict() for watch in self.watching}
        return {"trainer": self.trainer.state_dict(), "observers": watching}

    def load_state_dict(self, saved: Mapping[str, Any], records: Iterable[Record]) -> None:
        """Inverse of `state_dict`, with the records of before."""
        self.trainer.load_state_dict(saved["trainer"])
        self.records[:] = records
        for watch in self.watching:
            watch.load_state_dict(saved["observers"].get(watch.observer.name))
