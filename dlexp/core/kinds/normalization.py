"""What re-scales activations."""

from __future__ import annotations

from dlexp.core.kinds.declaration import kind
from dlexp.core.kinds.layer import Layer


@kind(
    "normalization",
    summary="what re-scales activations",
    needs_network=True,
    checks=("layer", "layer_reference"),
    rank=60,
    name_rank=40,
)
class Normalization(Layer):
    """Re-centres and re-scales what goes into an activation."""
