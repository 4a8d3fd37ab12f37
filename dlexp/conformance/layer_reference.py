"""Activations and normalizations against recorded passes of another implementation."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np

from dlexp.conformance import reference
from dlexp.core.arrays import Context
from dlexp.core.kinds.layer import Layer
from dlexp.core.params import Parameters


def check_follows_reference(layer: Layer, references: Path | None) -> None:
    rng = np.random.default_rng(0)
    for ref in reference.of(layer, references):
        q = cast("Layer", ref.plugin)
        arrays = q.arrays(ref["x"].shape[-1])
        params = Parameters({f"it.{name}": spec for name, spec in arrays.items()}, np.float64)
        for name in arrays:
            params[f"it.{name}"][...] = ref[f"start_{name}"]
        p = params.views("it")
        for t, (x, dy) in enumerate(zip(ref["x"], ref["dy"], strict=True)):
            y, backward = q.forward(x, p, Context(training=True, rng=rng))
            ref.agrees(y, ref["y"][t], "the outputs")
            ref.agrees(backward(dy), ref["dx"][t], "the gradients ∂L/∂x")
            for name, spec in arrays.items():
                if spec.trainable:
                    ref.agrees(
                        params.gradient(f"it.{name}"),
                        ref[f"d_{name}"][t],
                        f"the gradients ∂L/∂{name}",
                    )
                else:
                    ref.agrees(
                        params[f"it.{name}"], ref[f"after_{name}"][t], f"the running values {name}"
                    )
        y, _ = q.forward(ref["eval_x"], p, Context(training=False, rng=rng))
        ref.agrees(y, ref["eval_y"], "the outputs in evaluation")
