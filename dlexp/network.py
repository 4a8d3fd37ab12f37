"""A network is a chain of layers, and is called like one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlexp.arrays import Array, Backward, Context, Param, Rng
from dlexp.kinds import Identity, Initializer, Layer
from dlexp.params import Parameters


@dataclass(frozen=True)
class Trace:
    """What passed through one layer: its output (batch, width) and ∂L/∂output of the same shape."""

    name: str
    layer: Layer
    output: Array
    gradient: Array


class Network:
    """Layers in sequence over one flat parameter vector.

    Layers are named by what they are and how many of their like came before: dense1, batch_norm1, relu1, dense2, …;
    their arrays `dense1.W`, `batch_norm1.gamma`.
    """

    def __init__(self, layers: Iterable[Layer], n_in: int, dtype: Any = np.float32) -> None:
        self.layers = tuple(layer for layer in layers if not isinstance(layer, Identity))
        self.names = tuple(_numbered(layer.name for layer in self.layers))
        specs: dict[str, Param] = {}
        n = n_in
        for name, layer in zip(self.names, self.layers, strict=True):
            specs |= {f"{name}.{array}": spec for array, spec in layer.arrays(n).items()}
            n = layer.width(n)
        self.n_in, self.n_out = n_in, n
        self.params = Parameters(specs, dtype)
        self._views = [self.params.views(name) for name in self.names]

    def initialize(self, initializer: Initializer, rng: Rng) -> None:
        """Draw every weight (in float64, then rounded); biases, scales and buffers keep their layer's start."""
        with np.errstate(over="ignore"):  # what float32 cannot hold diverges at step 0, and is named there
            for name, spec in self.params.specs.items():
                if spec.start is None:
                    fan_in, fan_out = spec.shape
                    self.params[name][...] = initializer(rng, fan_in, fan_out)

    def forward(self, x: Array, ctx: Context) -> tuple[Array, Backward]:
        """The output, and the function that writes every gradient and returns the input's (unless that is data)."""
        tape = []
        first = Context(ctx.training, ctx.rng, input_is_data=True)
        for i, (layer, p) in enumerate(zip(self.layers, self._views, strict=True)):
            x, back = layer.forward(x, p, ctx if i else first)
            tape.append(back)

        def backward(dy: Array) -> Array:
            for back in reversed(tape):
                dy = back(dy)
            return dy

        return x, backward

    def outputs(self, x: Array, ctx: Context) -> Iterator[tuple[str, Array]]:
        """The name and the output of each layer in turn."""
        for name, layer, p in zip(self.names, self.layers, self._views, strict=True):
            x, _ = layer.forward(x, p, ctx)
            yield name, x

    def trace(self, x: Array, ctx: Context, loss_gradient: Any) -> list[Trace]:
        """One forward and backward pass, with what passed each layer. It writes every gradient, as `backward` does.

        `loss_gradient` maps the network's output to ∂L/∂output.
        """
        outputs, backs = [], []
        for layer, p in zip(self.layers, self._views, strict=True):
            x, back = layer.forward(x, p, ctx)
            outputs.append(x)
            backs.append(back)
        gradients = [loss_gradient(x)]
        for back in reversed(backs[1:]):
            gradients.append(back(gradients[-1]))
        backs[0](gradients[-1])
        steps = zip(self.names, self.layers, outputs, reversed(gradients), strict=True)
        return [Trace(*step) for step in steps]


def _numbered(names: Iterable[str]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield f"{name}{seen[name]}"
