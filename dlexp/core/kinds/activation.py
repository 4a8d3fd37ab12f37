"""What follows a linear layer."""

from __future__ import annotations

from dlexp.core.kinds.declaration import kind
from dlexp.core.kinds.layer import Layer


@kind(
    "activation",
    summary="the non-linearity between layers",
    needs_network=True,
    checks=("layer", "layer_reference", "activation"),
    rank=50,
    name_rank=60,
)
class Activation(Layer):
    """An elementwise non-linearity."""
