"""A complete description of one run, as a value."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from dlexp.core.assembly import blamed, try_out
from dlexp.core.fields import defaults_of
from dlexp.core.kinds.declaration import Kind, every, key_of
from dlexp.core.parts import Parts
from dlexp.core.registry import Plugin, as_dict
from dlexp.core.trainer import Trainer

if TYPE_CHECKING:
    from dlexp.core.kinds.objective import Objective

STREAMS = ("split", "init", "order", "noise")


def streams(seed: int) -> dict[str, np.random.Generator]:
    """Named random streams of a seed; each depends on the seed and its own name only."""
    keys = {
        name: np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()),))
        for name in STREAMS
    }
    return {name: np.random.default_rng(key) for name, key in keys.items()}


@dataclass(frozen=True, kw_only=True)
class Experiment(Parts):
    """The choices of a run. Equal experiments give bit-identical runs on the same machine.

    Its fields are those of `Parts`. Raises `FieldError` for a value out of its range.
    """

    if TYPE_CHECKING:
        objective: Objective
        observer: tuple[Any, ...] = ()  # an observer sees experiments, so it is not named here

    def trainer(self) -> Trainer:
        """Load the data and assemble the run. Raises `UserError` if it cannot be trained."""
        rngs = streams(self.seed)
        with blamed([p for _, chosen in self.plugins() for p in chosen]):
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

    def chosen(self) -> Iterator[tuple[Kind, tuple[Plugin, ...]]]:
        """The kinds that apply to this objective, each with its plugins."""
        for kind in every():
            if kind.name not in self.objective.ignores:
                value = getattr(self, kind.name)
                yield kind, value if kind.many else (value,)

    def plugins(self) -> Iterator[tuple[str, tuple[Plugin, ...]]]:
        """As `chosen`, with the names of the kinds."""
        return ((kind.name, plugins) for kind, plugins in self.chosen())

    def settings(self) -> dict[str, Any]:
        """The plain fields, flat: `epochs: 50`, `early_stopping.metric: val/loss`."""
        silent = {*self.objective.ignores, *(kind.name for kind in every())}
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in silent}
        stopping = plain.pop("early_stopping")
        return plain | {
            f"early_stopping.{f.name}": getattr(stopping, f.name) for f in fields(stopping)
        }

    def params(self) -> dict[str, Any]:
        """All that can change a number, flat: `optimizer: adam, optimizer.lr: 0.001`."""
        flat: dict[str, Any] = {}
        for kind, plugins in self.chosen():
            if kind.identity:
                flat[kind.name] = "+".join(p.name for p in plugins) or "none"
                for p in plugins:
                    named = {f"{key_of(p)}.{k}": _plain(v) for k, v in as_dict(p).items()}
                    del named[f"{key_of(p)}.name"]
                    flat |= named
        return flat | self.settings()

    def defaults(self) -> dict[str, Any]:
        """The defaults of the fields among `params`: `optimizer.lr: 0.001`."""
        plugins = [(f"{key_of(p)}.", p) for _, several in self.plugins() for p in several]
        owners = [*plugins, ("", self), ("early_stopping.", self.early_stopping)]
        flat = {
            prefix + k: _plain(v) for prefix, owner in owners for k, v in defaults_of(owner).items()
        }
        kinds = {kind.name for kind in every()}
        return {k: flat[k] for k in self.params() if k in flat and k not in kinds}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
