"""The kinds of plugin: what each one must answer, and nothing else.

Shapes: activations are (batch, features), weights (in, out), biases and scales (n,), as in the
textbook.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, cast

from dlexp.core import directions
from dlexp.core.arrays import Array, Backward, Context, Param, Rng, Views
from dlexp.core.dataset import Dataset, Split, stratified
from dlexp.core.fields import at_least
from dlexp.core.registry import Plugin

if TYPE_CHECKING:
    from pathlib import Path

    from dlexp.core.experiment import Experiment
    from dlexp.core.problem import Problem
    from dlexp.core.trainer import Record
    from dlexp.runs.run import Run


class Optimizer(Plugin):
    """Moves parameters one step downhill, in place.

    `update` sees a contiguous block `w` of the flat parameter vector, its gradient `g`, the same
    block of each running array named in `slots` as `s.<slot>`, the scheduled learning rate `lr` and
    the step number t = 1, 2, … Slots are zero at first; once they hold a nan or an infinity, the
    run has diverged. An optimizer that needs whole arrays (norms, matrix roots) sets `per_tensor`
    and sees one named array at a time, in its own shape. Write `x**0.5`, not `np.sqrt(x)`, for
    hyper-parameters: a NumPy float64 scalar turns float32 arrays into float64.
    """

    kind = "optimizer"
    slots: ClassVar[tuple[str, ...]] = ()
    per_tensor: ClassVar[bool] = False
    lr: float

    @classmethod
    def misdeclared(cls) -> str:
        return (
            ""
            if "lr" in {f.name for f in fields(cast("Any", cls))}
            else "has no field lr: write lr: float = 0.1"
        )

    @abstractmethod
    def update(self, w: Array, g: Array, s: Views, lr: float, t: int) -> None:
        """Change `w` (and the slots in `s`) in place."""


class Initializer(Plugin):
    """Draws the first value of a weight array, of shape (fan_in, fan_out)."""

    kind = "initializer"

    @abstractmethod
    def __call__(self, rng: Rng, fan_in: int, fan_out: int) -> Array:
        """An array (fan_in, fan_out), drawn from `rng` and nothing else."""

    def documented_std(self, fan_in: int, fan_out: int) -> float | None:
        """The standard deviation the docstring promises, or None where it promises none."""
        return None


class Schedule(Plugin):
    """Scales the learning rate: a pure function of the step."""

    kind = "schedule"

    @abstractmethod
    def __call__(self, t: int, total: int) -> float:
        """The factor for step t of 0 … total − 1."""


class Layer(Plugin):
    """A differentiable step: `forward` returns the output and the function that pulls gradients
    back.

    `p.W` is the array declared as "W", `p.dW` its gradient, to be written (never accumulated) by
    `backward`. Arrays are written in place, `p.mean[...] = x` or `p.mean += x`; `p.mean = x` raises
    an error.

    `min_batch` is the smallest batch it can be trained on.
    """

    kind = "layer"
    min_batch: ClassVar[int] = 1

    def arrays(self, n: int) -> Mapping[str, Param]:
        """The arrays it owns, given n input features."""
        return {}

    def width(self, n: int) -> int:
        """Its number of output features, given n input features."""
        return n

    @abstractmethod
    def forward(self, x: Array, p: Views, ctx: Context) -> tuple[Array, Backward]:
        """Output (batch, width) of input (batch, n), and backward: ∂L/∂output ↦ ∂L/∂input, writing
        ∂L/∂array.
        """


class Identity(Layer):
    """A layer that is not there: networks leave it out."""

    def forward(self, x: Array, p: Views, ctx: Context) -> tuple[Array, Backward]:
        return x, lambda dy: dy


class Activation(Layer):
    """An elementwise non-linearity."""

    kind = "activation"


class Normalization(Layer):
    """Re-centres and re-scales what goes into an activation."""

    kind = "normalization"


class Regularizer(Plugin):
    """Trades training fit for generalisation. Override the moment it acts at; the others do
    nothing.

    A field called `strength` or `ratio` is the knob whose zero means "off".
    """

    kind = "regularizer"

    def layer(self) -> Layer | None:
        """On the activations: a layer to put after every hidden activation (dropout)."""
        return None

    def penalty(self, w: Array, g: Array) -> float:
        """On the loss: add the penalty's gradient to `g` in place and return its value; `w` holds
        all weights.
        """
        return 0.0

    def shrink(self, w: Array, lr: float) -> None:
        """On the weights: change them in place, just before the optimizer's update (decoupled
        decay, max-norm).
        """


class Model(Plugin):
    """Lays out the network."""

    kind = "model"

    @abstractmethod
    def layers(
        self,
        n_out: int,
        activation: Activation,
        normalization: Normalization,
        noise: Sequence[Layer],
    ) -> Iterator[Layer]:
        """The layers from data to logits, in order; `noise` are the regularizers' layers."""


@dataclass(frozen=True, kw_only=True)
class Data(Plugin):
    """Loads a classification task as training, validation and test splits.

    `n_train` keeps that many training samples, drawn anew for every seed with the classes in
    proportion.
    """

    kind: ClassVar[str] = "data"
    n_train: int | None = at_least(1, None)

    @abstractmethod
    def load(self, rng: Rng) -> tuple[Split, Split, Split]:
        """Training, validation and test split; whatever is drawn is drawn from `rng`, the seed's
        split stream.
        """

    def source(self) -> str:
        """Where the data come from: a link, a path, or the formula's name."""
        return f"dlexp data={self.name}"

    def files(self) -> list[Path]:
        """The files it reads: where one of them changes, so does what is learned from it."""
        return []

    def example(self, folder: Path) -> Data:
        """A small instance for the checks: writes what it needs into `folder`."""
        return self

    def dataset(self, rng: Rng) -> Dataset:
        """The checked splits, with `n_train` applied. Raises `DataError` where they cannot be used."""
        train, validation, test = self.load(rng)
        if self.n_train is not None:
            train = stratified(train, self.n_train, rng)
        return Dataset(train, validation, test, name=self.name, source=self.source())


OUTPUTS = ("softmax", "sigmoid", "identity")  # what an objective may say of its network's


class Objective(Plugin):
    """What is minimised: a classification task, or a surface f(x, y).

    `ignores` names the kinds and settings that mean nothing to it: asking for one explicitly is an
    error. `output` says what the network's outputs z mean to whoever asks the saved network:
    "softmax" (zₖ ↦ exp zₖ / Σⱼ exp zⱼ), "sigmoid" (each zₖ by itself ↦ 1 / (1 + exp −zₖ)) or
    "identity" (z as it is, as in regression). `better` says which way its metrics are better,
    {"*/r2": "high"}; a name that ends in loss is better when low, in accuracy when high, and any
    other that is not declared is refused where it matters, as in early stopping.
    """

    kind = "objective"
    ignores: ClassVar[tuple[str, ...]] = ()
    output: ClassVar[str] = "softmax"
    better: ClassVar[Mapping[str, str]] = MappingProxyType({})

    @classmethod
    def misdeclared(cls) -> str:
        if cls.output not in OUTPUTS:
            return f"output = {cls.output!r} is none of {', '.join(OUTPUTS)}"
        return directions.misdeclared(cls.better)

    @abstractmethod
    def build(self, parts: Experiment, rngs: Mapping[str, Rng]) -> Problem:
        """The problem, ready to train; `rngs` are the seed's streams: split, init, order, noise."""


# in words
NEEDS = {"network": "a network", "dataset": "a data set", "softmax": "a softmax as its output"}


class Observer(Plugin):
    """Watches a run: looks, never changes a number and never stops a run; if it raises, it is
    logged and heard no more.

    Like an optimizer it keeps its state in `s`, a namespace of its own for each run. `needs` names
    what a run must have: asking for the observer where that is missing is an error, and it does not
    look at such a run.
    """

    kind = "observer"
    needs: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def misdeclared(cls) -> str:
        unknown = [need for need in cls.needs if need not in NEEDS]
        return (
            f"needs {', '.join(map(repr, unknown))}; there are {', '.join(NEEDS)}"
            if unknown
            else ""
        )

    def start(self, run: Run, s: SimpleNamespace) -> None:
        """Before the first step; the network is untrained."""

    def record(self, run: Run, s: SimpleNamespace, record: Record) -> None:
        """After each evaluation; `run.trainer` is at that step."""

    def finish(self, run: Run, s: SimpleNamespace, error: BaseException | None) -> None:
        """At the end, whatever it was."""


KINDS: dict[str, type[Plugin]] = {
    cls.kind: cls
    for cls in (
        Objective,
        Data,
        Model,
        Initializer,
        Activation,
        Normalization,
        Regularizer,
        Optimizer,
        Schedule,
        Observer,
    )
}
# kinds of which a run may select several: regularizer=[dropout,weight_decay]
MANY = ("regularizer", "observer")
