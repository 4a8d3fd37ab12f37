"""One run, completely described, as a value."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from dlexp.core import kinds
from dlexp.core.assembly import blamed, try_out
from dlexp.core.early_stopping import EarlyStopping
from dlexp.core.fields import at_least, check_fields, defaults_of, non_negative, one_of, positive
from dlexp.core.registry import Plugin, as_dict
from dlexp.core.trainer import Trainer
from dlexp.errors import FieldError

STREAMS = ("split", "init", "order", "noise")


def streams(seed: int) -> dict[str, np.random.Generator]:
    """One seed, named streams: each depends on the seed and its own name only, so adding one shifts
    no other.
    """
    keys = {
        name: np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()),))
        for name in STREAMS
    }
    return {name: np.random.default_rng(key) for name, key in keys.items()}


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What was asked for. Equal experiments give bit-identical runs on the same machine.

    `steps`, where given, overrules `epochs`; `eval_every` counts epochs; `clip_norm` bounds the
    gradient's norm. Raises `FieldError` for a value out of its range.
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
        return plain | {
            f"early_stopping.{f.name}": getattr(stopping, f.name) for f in fields(stopping)
        }

    def params(self) -> dict[str, Any]:
        """All that can change a number, flat: `optimizer: adam, optimizer.lr: 0.001`; for MLflow
        and reports.
        """
        flat: dict[str, Any] = {}
        for kind, chosen in self.plugins():
            if kind == "observer":
                continue
            flat[kind] = "+".join(p.name for p in chosen) or "none"
            for p in chosen:
                flat |= {
                    _prefix(kind, p) + k: _plain(v) for k, v in as_dict(p).items() if k != "name"
                }
        return flat | self.settings()

    def defaults(self) -> dict[str, Any]:
        """What fields among `params` are where nobody chooses, as far as their classes say:
        `optimizer.lr: 0.001`.
        """
        chosen = [(_prefix(kind, p), p) for kind, several in self.plugins() for p in several]
        owners = [*chosen, ("", self), ("early_stopping.", self.early_stopping)]
        flat = {
            prefix + k: _plain(v) for prefix, owner in owners for k, v in defaults_of(owner).items()
        }
        return {k: flat[k] for k in self.params() if k in flat and k not in kinds.KINDS}


def _prefix(kind: str, p: Plugin) -> str:
    return f"{kind}.{p.name}." if kind in kinds.MANY else f"{kind}."


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
