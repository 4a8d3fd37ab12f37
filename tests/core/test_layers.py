"""Building blocks that are no plugins keep the promises of plugins."""

import numpy as np
import pytest

from dlexp import Context, Dense, FieldError, Views
from dlexp.conformance import layer
from dlexp.conformance.layer import Rig

CHECKS = [f for name, f in vars(layer).items() if name.startswith("check_")]


@pytest.mark.parametrize("check", CHECKS, ids=lambda f: f.__name__.removeprefix("check_"))
def test_dense(check):
    check(Dense(units=3))


def arrays(n, units):
    rng = np.random.default_rng(0)
    w, b = rng.normal(size=(n, units)), rng.normal(size=units)
    return Views(W=w, b=b, dW=np.empty_like(w), db=np.empty_like(b))


def test_dense_is_xw_plus_b_row_by_row():
    p = arrays(4, 3)
    x = np.random.default_rng(1).normal(size=(5, 4))
    y, _ = Dense(units=3).forward(x, p, Context(training=True, rng=np.random.default_rng(0)))
    for row, out in zip(x, y, strict=True):
        for unit in range(3):
            assert out[unit] == pytest.approx(
                sum(row[i] * p.W[i, unit] for i in range(4)) + p.b[unit]
            )


def test_dense_declares_a_weight_that_is_drawn_and_a_bias_that_starts_at_zero():
    specs = Dense(units=3).arrays(4)
    assert {name: spec.shape for name, spec in specs.items()} == {"W": (4, 3), "b": (3,)}
    assert specs["W"].start is None
    assert specs["b"].start == 0.0


def test_dense_on_the_data_writes_the_same_parameter_gradients():
    rig = Rig(Dense(units=3))
    _, backward = rig.forward(training=True)
    backward(rig.dy)
    expected = rig.params.grads.copy()
    rig.params.grads[...] = 5.0
    ctx = Context(training=True, rng=np.random.default_rng(0), input_is_data=True)
    _, backward = rig.layer.forward(rig.x, rig.p, ctx)
    backward(rig.dy)
    np.testing.assert_array_equal(rig.params.grads, expected)


@pytest.mark.parametrize("units", [0, -1, 2.5, True])
def test_dense_refuses_a_number_of_units_that_is_none(units):
    with pytest.raises(FieldError, match="units"):
        Dense(units=units)
