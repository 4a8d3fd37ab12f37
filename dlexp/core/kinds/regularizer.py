"""What limits over-fitting."""

from __future__ import annotations

from dlexp.core.arrays import Array
from dlexp.core.kinds.declaration import kind
from dlexp.core.kinds.layer import Layer
from dlexp.core.registry import Plugin


@kind(
    "regularizer",
    summary="what limits over-fitting; one or several: regularizer=[dropout,weight_decay]",
    many=True,
    checks=("layer", "regularizer"),
    rank=70,
    name_rank=50,
)
class Regularizer(Plugin):
    """Trades training fit for generalisation; override one of its three methods.

    A field called `strength` or `ratio` turns it off when it is zero.
    """

    def layer(self) -> Layer | None:
        """On the activations: a layer to put after every hidden activation (dropout)."""
        return None

    def penalty(self, w: Array, g: Array) -> float:
        """On the loss: add the penalty's gradient by the weights `w` to `g`; return its value."""
        return 0.0

    def shrink(self, w: Array, lr: float) -> None:
        """On the weights: change them in place before the update (decoupled decay, max-norm)."""
