"""The training loop: a generator of records."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from dlexp.core import directions
from dlexp.core.arrays import NEGLIGIBLE, Array, Context, Rng, aligned_zeros
from dlexp.core.early_stopping import Best, EarlyStopping
from dlexp.core.kinds.optimizer import Optimizer
from dlexp.core.kinds.regularizer import Regularizer
from dlexp.core.kinds.schedule import Schedule
from dlexp.core.malloc import keep_freed
from dlexp.core.pieces import clip, pieces
from dlexp.core.problem import Problem
from dlexp.core.records import Record

FLUSH_EVERY = 64


class Diverged(ArithmeticError):
    """A number is not finite; `step` and `tensor` say where it was noticed first."""

    def __init__(self, step: int, tensor: str) -> None:
        self.step, self.tensor = step, tensor
        super().__init__(f"diverged at step {step}: {tensor} is not finite")


@dataclass(kw_only=True)
class Trainer:
    """Minibatch gradient descent on a problem, assembled from plugins.

    `total` is the number of steps to train, `eval_every` the number of epochs between records,
    `clip_norm` the largest Euclidean norm the whole gradient may have (None: no limit), `better`
    the declared directions of metrics, `rngs` the streams "order" and "noise".
    """

    problem: Problem
    optimizer: Optimizer
    schedule: Schedule
    regularizers: Sequence[Regularizer] = ()
    total: int
    eval_every: int = 1
    clip_norm: float | None = None
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)
    better: Mapping[str, str] = field(default_factory=dict)
    rngs: Mapping[str, Rng]
    t: int = field(default=0, init=False)
    state: dict[str, Array] = field(init=False)
    best: Best = field(default_factory=Best, init=False)

    def __post_init__(self) -> None:
        keep_freed()
        params = self.problem.params
        self.state = {
            slot: aligned_zeros(params.n_trainable, params.grads.dtype)
            for slot in self.optimizer.slots
        }
        self._pieces = list(pieces(self.optimizer, params, self.state))
        self._context = Context(training=True, rng=self.rngs["noise"])
        self._epoch_start = self.rngs["order"].bit_generator.state
        self._objective, self._objective_steps = 0.0, 0
        self._recorded = -1  # the last recorded step

    @property
    def epoch(self) -> int:
        """Complete passes over the training split."""
        return self.t // self.problem.steps_per_epoch

    @property
    def exhausted(self) -> bool:
        """Whether early stopping ends the training."""
        patience = self.early_stopping.patience
        return patience is not None and self.best.waited >= patience

    def run(self, after_step: Callable[[], None] = lambda: None) -> Iterator[Record]:
        """Train; yield records of step 0, of every `eval_every`-th epoch and of the last step.

        The last record holds the test metrics. `after_step` is called between steps and may save or
        raise. Raises `Diverged` within a step of the first number that is not finite. A trainer
        with a loaded state continues from there.
        """
        while True:
            if self._is_due():
                self._recorded = self.t
                yield self.evaluate()
            if self.t >= self.total or self.exhausted:
                break
            for batch in self.rest_of_epoch():
                self.step(batch)
                if self.t == self.total:
                    break
                after_step()
        yield self.conclude()

    def _is_due(self) -> bool:
        """Whether this step must be recorded, and has not been."""
        ended = self.t % self.problem.steps_per_epoch == 0 and self.epoch % self.eval_every == 0
        return self.t != self._recorded and (ended or self.t == self.total)

    def rest_of_epoch(self) -> Iterator[Any]:
        """The remaining batches of the epoch; resumed in mid-epoch, its order is drawn again."""
        done = self.t % self.problem.steps_per_epoch
        order = self.rngs["order"]
        if done == 0:
            self._epoch_start = order.bit_generator.state
        else:
            order.bit_generator.state = self._epoch_start
        return islice(self.problem.batches(order), done, None)

    def step(self, batch: Any) -> float:
        """One minibatch: loss, gradient, penalties, update. Returns the loss with penalties."""
        params = self.problem.params
        lr = self.optimizer.lr * self.schedule(min(self.t, self.total - 1), self.total)
        self.t += 1
        with np.errstate(all="ignore"):  # overflow is detected below
            objective = self.problem.loss(batch, self._context)
            for r in self.regularizers:
                objective += r.penalty(params.weights, params.weight_grads)
            if not math.isfinite(objective):
                raise Diverged(self.t, self.problem.explain(batch, self._context))
            if self.clip_norm is not None and not math.isfinite(clip(params.grads, self.clip_norm)):
                raise Diverged(self.t, params.non_finite() or params.overflowing_norm())
            for r in self.regularizers:
                r.shrink(params.weights, lr)
            products = 0.0
            for w, g, s in self._pieces:
                self.optimizer.update(w, g, s, lr, self.t)
                # not finite if one number of w or g is not; the block is in the cache
                products += np.vdot(w, g)
            # only then, check each array
            if not math.isfinite(products) and (tensor := params.non_finite()):
                raise Diverged(self.t, tensor)
            if self.t % FLUSH_EVERY == 0:
                self.flush_denormals()
                self._check_memory()
        self._objective += objective
        self._objective_steps += 1
        return objective

    def flush_denormals(self) -> None:
        """Set what is too small to move a weight to zero in the optimizer's float32 slots."""
        for slot in self.state.values():
            if slot.dtype == np.float32:
                slot[np.abs(slot) < NEGLIGIBLE] = 0

    def _check_memory(self) -> None:
        """Check what can overflow while weights and loss stay finite: buffers and slots.

        An infinite running square freezes its weights. Raises `Diverged`.
        """
        params = self.problem.params
        for name, vector in {"": params.storage, **self.state}.items():
            if not math.isfinite(np.vdot(vector, vector)) and (
                tensor := params.non_finite_value(vector)
            ):
                raise Diverged(self.t, f"{name} of {tensor}" if name else tensor)

    def evaluate(self) -> Record:
        """The metrics now; the best weights are kept. Raises `Diverged` if one is not finite."""
        with np.errstate(all="ignore"):
            metrics = self.problem.evaluate()
            self._check_memory()
        if self._objective_steps:
            metrics["train/objective"] = self._objective / self._objective_steps
            self._objective, self._objective_steps = 0.0, 0
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise Diverged(self.t, self._origin() or name)
        metric = self.early_stopping.metric
        if metric in metrics and directions.better(metric, self.better):
            self._remember(self.early_stopping.cost(metrics, self.better))
        return Record(self.epoch, self.t, metrics)

    def _origin(self) -> str:
        """Where the next batch's first non-finite number arises; empty if all are finite."""
        with self.rehearsal(), np.errstate(all="ignore"):
            batch = next(self.rest_of_epoch())
            tensor = self.problem.explain(batch, Context(training=False, rng=self.rngs["noise"]))
        return "" if tensor == "loss" else tensor

    def _remember(self, cost: float) -> None:
        if cost < self.best.cost:
            self.best = Best(cost, self.t, 0, self.problem.params.storage.copy())
        else:
            self.best.waited += 1

    def conclude(self) -> Record:
        """Test, once, with the best weights if early stopping kept them."""
        metrics: dict[str, float] = {}
        if self.early_stopping.patience is not None and self.best.storage is not None:
            self.problem.params.storage[...] = self.best.storage
            metrics["early_stopping/best_step"] = float(self.best.step)
        return Record(self.epoch, self.t, metrics | self.problem.test())

    def state_dict(self) -> dict[str, Any]:
        """All state that is needed to continue as if nothing had happened."""
        return copy.deepcopy(
            {
                "t": self.t,
                "storage": self.problem.params.storage,
                "grads": self.problem.params.grads,
                "slots": self.state,
                "rngs": {name: rng.bit_generator.state for name, rng in self.rngs.items()},
                "epoch_start": self._epoch_start,
                "objective": (self._objective, self._objective_steps),
                "recorded": self._recorded,
                "best": vars(self.best),
            }
        )

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`; arrays are copied into place, so every view stays valid."""
        saved = copy.deepcopy(dict(saved))
        self.t = saved["t"]
        _fill(self.problem.params.storage, saved["storage"])
        _fill(self.problem.params.grads, saved["grads"])
        for slot, array in self.state.items():
            _fill(array, saved["slots"][slot])
        for name, rng in self.rngs.items():
            rng.bit_generator.state = saved["rngs"][name]
        self._epoch_start = saved["epoch_start"]
        self._objective, self._objective_steps = saved["objective"]
        self._recorded = saved["recorded"]
        self.best = Best(**saved["best"])

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """Steps taken inside are undone to the bit; observers use it to look ahead."""
        saved = self.state_dict()
        try:
            yield
        finally:
            self.load_state_dict(saved)


def _fill(array: Array, saved: Array) -> None:
    """Copy an array in place. Raises `ValueError` for another shape or type."""
    if (saved.shape, saved.dtype) != (array.shape, array.dtype):
        expected = f"{array.dtype} of shape {array.shape}"
        raise ValueError(f"{saved.dtype} of shape {saved.shape} where {expected} belong")
    array[...] = saved
