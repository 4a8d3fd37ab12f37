"""Promises of every regularizer."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, cast
from unittest import SkipTest

import numpy as np

from dlexp.conformance import reference
from dlexp.conformance.layer import Rig
from dlexp.conformance.numerical import Float32Only, numerical_gradient
from dlexp.core.arrays import Array, Context
from dlexp.core.kinds.layer import Layer
from dlexp.core.kinds.regularizer import Regularizer

KNOBS = ("strength", "ratio")  # fields for which zero means "off"
DRAWS = 20_000


def overrides(p: Regularizer, moment: str) -> bool:
    """Whether the plugin acts at this moment: layer, penalty or shrink."""
    return getattr(type(p), moment) is not getattr(Regularizer, moment)


def weights(dtype: Any = np.float64) -> Array:
    """Some weights; the first is exactly zero nowhere, so that |w| has a slope."""
    return np.random.default_rng(0).normal(size=12).astype(dtype)


def _with_layer(p: Regularizer) -> Layer:
    layer = p.layer()
    if layer is None:
        raise SkipTest("it does not act on activations")
    return layer


def check_acts_at_some_moment(p: Regularizer) -> None:
    moments = [m for m in ("layer", "penalty", "shrink") if overrides(p, m)]
    assert moments, "it does nothing: override layer, penalty or shrink"
    assert moments != ["layer"] or p.layer() is not None, (
        "layer() returns None: return the layer (or self)"
    )


def check_penalty_gradient(p: Regularizer) -> None:
    if not overrides(p, "penalty"):
        raise SkipTest("it adds no penalty to the loss")
    w = weights()
    g = np.zeros_like(w)
    p.penalty(w, g)
    expected = numerical_gradient(lambda: p.penalty(w, np.zeros_like(w)), w)
    message = "penalty adds another gradient to g than that of its value"
    np.testing.assert_allclose(g, expected, rtol=1e-5, atol=1e-9, err_msg=message)


def check_penalty_adds_to_the_gradient(p: Regularizer) -> None:
    w = weights()
    from_nothing, from_something = np.zeros_like(w), np.full_like(w, 5.0)
    before = w.copy()
    p.penalty(w, from_nothing)
    p.penalty(w, from_something)
    message = "penalty replaces g, which holds the loss's gradient: write `g += …`"
    np.testing.assert_allclose(from_something, from_nothing + 5.0, rtol=1e-12, err_msg=message)
    np.testing.assert_array_equal(
        w, before, err_msg="penalty changes the weights: do that in shrink"
    )


def check_penalty_is_not_negative(p: Regularizer) -> None:
    for scale in (0.0, 1.0, 100.0):
        value = p.penalty(scale * weights(), np.zeros(12))
        assert type(value) is float, f"penalty returns {type(value).__name__}: write `float(…)`"
        assert value >= 0, f"the penalty is {value}: it must not be negative"


def check_stays_in_float32(p: Regularizer) -> None:
    w, g = (weights(np.float32).view(Float32Only) for _ in "wg")
    p.penalty(w, g)
    p.shrink(w, 0.1)


def check_shrink_does_not_grow_weights(p: Regularizer) -> None:
    for scale in (1e-3, 1.0, 100.0):
        w = scale * weights()
        before = np.abs(w)
        p.shrink(w, 0.1)
        grown = np.linalg.norm(w) > np.linalg.norm(before) * (1 + 1e-12)
        assert not grown, "shrink makes the weights larger: check the sign"


def check_zero_strength_is_identity(p: Regularizer) -> None:
    knobs = [f.name for f in dataclasses.fields(cast("Any", p)) if f.name in KNOBS]
    if not knobs:
        raise SkipTest("it has no field called strength or ratio")
    off = dataclasses.replace(cast("Any", p), **dict.fromkeys(knobs, 0.0))
    w, g = weights(), np.full(12, 3.0)
    value = off.penalty(w, g)
    off.shrink(w, 0.1)
    at_zero = f"at {' = '.join(knobs)} = 0"
    assert value == 0, f"{at_zero} the penalty is {value}, not 0"
    np.testing.assert_array_equal(
        g, np.full(12, 3.0), err_msg=f"{at_zero} the penalty still has a gradient"
    )
    np.testing.assert_array_equal(w, weights(), err_msg=f"{at_zero} shrink still changes weights")
    layer = off.layer()
    for training in (True, False) if layer is not None else ():
        rig = Rig(cast("Layer", layer))
        y, backward = rig.forward(training)
        when = "training" if training else "evaluation"
        np.testing.assert_array_equal(
            y, rig.x, err_msg=f"{at_zero} the layer still changes x in {when}"
        )
        np.testing.assert_array_equal(
            backward(rig.dy), rig.dy, err_msg=f"{at_zero} the layer still changes dy in {when}"
        )


def check_evaluation_is_the_mean_of_training(p: Regularizer) -> None:
    """A unit's mean over 20,000 draws is within 5 standard errors of its value in evaluation."""
    layer = _with_layer(p)
    rig = Rig(layer)
    x = np.tile(rig.x[:1], (DRAWS, 1))
    drawn, _ = layer.forward(x, rig.p, Context(training=True, rng=np.random.default_rng(7)))
    expected, _ = layer.forward(x[:1], rig.p, Context(training=False, rng=np.random.default_rng(7)))
    allowed = 5 * drawn.std(axis=0) / DRAWS**0.5 + 1e-9 * np.abs(expected[0])
    far = np.abs(drawn.mean(axis=0) - expected[0])
    assert (far <= allowed).all(), (
        f"evaluation gives {expected[0]}, training on average {drawn.mean(axis=0)}: scale by the"
        " share that is kept"
    )


def check_is_random_only_through_its_rng(p: Regularizer) -> None:
    rig = Rig(_with_layer(p))
    for training in (True, False):
        first, second = rig.forward(training)[0], rig.forward(training)[0]
        message = "the same generator gives another mask: draw only from ctx.rng"
        np.testing.assert_array_equal(first, second, err_msg=message)


def check_follows_reference(p: Regularizer, references: Path | None) -> None:
    for ref in reference.of(p, references):
        q = cast("Regularizer", ref.plugin)
        w, g = ref["w"].copy(), np.zeros_like(ref["w"])
        ref.agrees(q.penalty(w, g), ref["value"], "the penalty")
        ref.agrees(g, ref["gradient"], "the penalty's gradient")
        q.shrink(w, float(ref["lr"]))
        ref.agrees(w, ref["shrunk"], "the shrunk weights")
