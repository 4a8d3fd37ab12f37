"""A tiny experiment for any plugin, trained in milliseconds."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np

from dlexp.core.arrays import Array, Rng
from dlexp.core.dataset import Split, three_way
from dlexp.core.defaults import defaults
from dlexp.core.experiment import Experiment
from dlexp.core.kinds import MANY, Data, every
from dlexp.core.registry import Plugin, from_dict
from dlexp.core.trainer import Diverged
from dlexp.plugins.discovery import discover
from dlexp.runs.run import Run


@dataclass(frozen=True, kw_only=True)
class Clouds(Data):
    """Three overlapping Gaussian clouds in six dimensions, 90 samples in all; not registered."""

    name: ClassVar[str] = "clouds"

    def load(self, rng: Rng) -> tuple[Split, Split, Split]:
        labels = np.arange(90) % 3
        x = rng.normal(size=(90, 6)) + 2 * np.eye(6)[labels]
        return three_way(Split(x, labels), validation=15, test=15, rng=rng)


# of the usual parts, those that are smaller or plainer here
PARTS: Mapping[str, Mapping[str, Any]] = {
    "model": {"hidden": (8, 8)},
    "optimizer": {"name": "sgd", "lr": 0.1},
}


@cache  # discovering plugins takes ten times as long as a tiny training
def part(kind: str, name: str, **fields: Any) -> Any:
    """A plugin of the catalogue."""
    discover()
    return from_dict(kind, {"name": name, **fields})


def experiment(*plugins: Plugin, **settings: Any) -> Experiment:
    """Two epochs of a small network on three clouds, with these plugins and settings."""
    parts: dict[str, Any] = {
        kind.name: part(kind.name, **{"name": name, **PARTS.get(kind.name, {})})
        for kind in every()
        if not kind.many and kind.cls is not Data
        for name in defaults().chosen[kind.name]
    }
    parts["data"] = Clouds()
    for p in plugins:
        parts[p.kind] = (p,) if p.kind in MANY else p
    return Experiment(**{"epochs": 2, "batch_size": 10, "dtype": "float64", **parts, **settings})


@contextmanager
def folder() -> Iterator[Path]:
    """An empty folder that is deleted afterwards."""
    with TemporaryDirectory(prefix="dlexp-conformance-") as name:
        yield Path(name)


def ready(p: Plugin, place: Path) -> Plugin:
    """The plugin; for data that read files, its small example with files in `place`."""
    example = getattr(p, "example", None)
    made = p if example is None else example(place)
    return p if made is None else made


def trained(p: Plugin, **settings: Any) -> Run:
    """The run of the tiny experiment with `p` in its place. It keeps no folder.

    A run that diverges is a run too: a surface may be steep.
    """
    with folder() as place, suppress(Diverged):
        parts = experiment(ready(p, place), **{"steps": 12, **settings})
        run = Run(parts, parts.trainer())
        run.train()
    return run


def _state() -> tuple[Any, ...]:
    name, key, *rest = np.random.get_state()  # noqa: NPY002
    return name, np.asarray(key).tobytes(), *rest


@contextmanager
def global_randomness() -> Iterator[list[str]]:
    """Yields a list; at the end it names the global generators used inside, which are restored."""
    kept, kept_plain = np.random.get_state(), random.getstate()  # noqa: NPY002
    touched: list[str] = []
    np.random.set_state(np.random.RandomState(987654321).get_state())  # noqa: NPY002
    random.seed(987654321)
    before, before_plain = _state(), random.getstate()
    try:
        yield touched
    finally:
        if _state() != before:
            touched.append("np.random")
        if random.getstate() != before_plain:
            touched.append("random")
        np.random.set_state(kept)  # noqa: NPY002
        random.setstate(kept_plain)


def outcome(run: Run) -> tuple[list[Any], Array, dict[str, Any]]:
    """What equal runs have in common: records, parameters, states of the random streams."""
    rngs = {name: rng.bit_generator.state for name, rng in run.trainer.rngs.items()}
    return list(run.records), run.trainer.problem.params.storage.copy(), rngs


def same(
    a: tuple[list[Any], Array, dict[str, Any]], b: tuple[list[Any], Array, dict[str, Any]]
) -> str:
    """What differs between two outcomes, to the last bit; an empty string where nothing does."""
    if a[0] != b[0]:
        return "the records"
    if a[1].tobytes() != b[1].tobytes():
        return "the parameters"
    return "the random streams" if a[2] != b[2] else ""
