"""The layers of a network."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence

from dlexp.core.kinds.activation import Activation
from dlexp.core.kinds.declaration import kind
from dlexp.core.kinds.layer import Layer
from dlexp.core.kinds.normalization import Normalization
from dlexp.core.registry import Plugin


@kind(
    "model",
    summary="how the network is laid out",
    needs_network=True,
    task=True,
    rank=30,
    name_rank=80,
)
class Model(Plugin):
    """Lays out the network."""

    @abstractmethod
    def layers(
        self,
        n_out: int,
        activation: Activation,
        normalization: Normalization,
        noise: Sequence[Layer],
    ) -> Iterator[Layer]:
        """The layers from data to logits, in order; `noise` are the regularizers' layers."""
