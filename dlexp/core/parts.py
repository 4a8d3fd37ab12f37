"""What an experiment is made of: a plugin of each kind, or several, and plain values."""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass
from typing import TYPE_CHECKING, Any

from dlexp.core.defaults import default
from dlexp.core.early_stopping import EarlyStopping
from dlexp.core.fields import at_least, check_fields, non_negative, one_of, positive
from dlexp.core.kinds.declaration import Kind, every
from dlexp.errors import FieldError

if TYPE_CHECKING:
    from dlexp.core.kinds.activation import Activation
    from dlexp.core.kinds.data import Data
    from dlexp.core.kinds.initializer import Initializer
    from dlexp.core.kinds.model import Model
    from dlexp.core.kinds.normalization import Normalization
    from dlexp.core.kinds.optimizer import Optimizer
    from dlexp.core.kinds.regularizer import Regularizer
    from dlexp.core.kinds.schedule import Schedule

    @dataclass(frozen=True, kw_only=True)
    class Plugins:
        """What type checkers know of the kinds; an experiment has a field for every kind."""

        data: Data
        model: Model
        initializer: Initializer
        activation: Activation
        normalization: Normalization
        regularizer: tuple[Regularizer, ...] = ()
        optimizer: Optimizer
        schedule: Schedule

else:

    def _field(kind: Kind) -> tuple[Any, ...]:
        if kind.many:
            return kind.name, tuple[kind.cls, ...], field(default=())
        return kind.name, kind.cls

    # without a docstring, dataclasses writes one, which takes 10 ms
    DOC = {"__doc__": "The plugins of an experiment: a field for every kind."}
    Plugins = make_dataclass(
        "Plugins",
        map(_field, every()),
        namespace=DOC,
        frozen=True,
        kw_only=True,
        init=False,
        repr=False,
        eq=False,
    )


@dataclass(frozen=True, kw_only=True, init=False, repr=False, eq=False)
class Parts(Plugins):
    """The plugins and values of an experiment; an objective builds its problem from them.

    `steps` overrides `epochs`; `eval_every` counts epochs; `clip_norm` bounds the
    gradient's norm. Raises `FieldError` for a value out of its range.
    """

    epochs: int = non_negative(default("epochs"))
    steps: int | None = non_negative(default("steps"))
    batch_size: int = positive(default("batch_size"))
    seed: int = non_negative(default("seed"))
    dtype: str = one_of(default("dtype"), "float32", "float64")
    eval_every: int = at_least(1, default("eval_every"))
    clip_norm: float | None = positive(default("clip_norm"))
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.seed >= 2**63:
            raise FieldError("must be < 2**63", key="seed", value=self.seed)
