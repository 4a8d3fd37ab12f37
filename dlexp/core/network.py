"""A network: a chain of layers over one parameter vector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlexp.core.arrays import Array, Backward, Context, Param, Rng
from dlexp.core.kinds.initializer import Initializer
from dlexp.core.kinds.layer import Identity, Layer
from dlexp.core.params import Parameters
from dlexp.errors import PluginError


@dataclass(frozen=True)
class Trace:
    """What passed through one layer: its output (batch, width) and ∂L/∂output."""

    name: str
    layer: Layer
    output: Array
    gradient: Array


class Network:
    """Layers in sequence over one flat parameter vector.

    Layers are named by type and number: dense1, batch_norm1, relu1, dense2, …; arrays by layer:
    `dense1.W`, `batch_norm1.gamma`.
    """

    def __init__(self, layers: Iterable[Layer], n_in: int, dtype: Any = np.float32) -> None:
        self.layers = tuple(layer for layer in layers if not isinstance(layer, Identity))
        self.names = tuple(_numbered(layer.name for layer in self.layers))
        specs: dict[str, Param] = {}
        n, widths = n_in, []
        for name, layer in zip(self.names, self.layers, strict=True):
            try:
                specs |= {f"{name}.{array}": spec for array, spec in layer.arrays(n).items()}
                widths.append(layer.width(n))
            except Exception as e:
                e.add_note(f"{name} is given {n} features, the data have {n_in}")
                raise
            _check_sizes(name, layer, specs, widths[-1])
            n = widths[-1]
        self.n_in, self.n_out, self.widths = n_in, n, tuple(widths)
        self.params = Parameters(specs, dtype)
        self._views = [self.params.views(name) for name in self.names]

    def initialize(self, initializer: Initializer, rng: Rng) -> None:
        """Draw every weight (in float64, then rounded); other arrays keep their start."""
        # a value that float32 cannot hold is reported as divergence at step 0
        with np.errstate(over="ignore"):
            for name, spec in self.params.specs.items():
                if spec.start is None:
                    if len(spec.shape) != 2:
                        wrong = f"{name} has the shape {spec.shape}: an initializer draws"
                        wrong += " (fan_in, fan_out)"
                        raise PluginError(wrong, key="initializer", value=initializer.name)
                    fan_in, fan_out = spec.shape
                    self.params[name][...] = initializer(rng, fan_in, fan_out)

    def forward(self, x: Array, ctx: Context) -> tuple[Array, Backward]:
        """The output, and the function that writes every gradient and returns the input's."""
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
        """One forward and backward pass, recording each layer; it writes every gradient.

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


def _check_sizes(name: str, layer: Layer, specs: Mapping[str, Param], width: object) -> None:
    """Raises `PluginError` for sizes that are not whole numbers from 1."""
    wrong = ""
    if not isinstance(width, (int, np.integer)) or width < 1:
        wrong = f"{name} has the width {width!r}"
    for array, spec in specs.items():
        if not all(isinstance(n, (int, np.integer)) and n >= 0 for n in spec.shape):
            wrong = wrong or f"{array} has the shape {spec.shape}"
    if wrong:
        wrong = f"{wrong}: sizes are whole numbers from 1"
        raise PluginError(wrong, key=layer.kind, value=layer.name)


def _numbered(names: Iterable[str]) -> Iterator[str]:
    seen: Counter[str] = Counter()
    for name in names:
        seen[name] += 1
        yield f"{name}{seen[name]}"
