"""Promises of every activation."""

from __future__ import annotations

import numpy as np

from dlexp.conformance.layer import Rig
from dlexp.core.arrays import Context
from dlexp.core.kinds.activation import Activation


def check_is_elementwise(p: Activation) -> None:
    rig = Rig(p)
    y, _ = rig.forward(training=False)
    assert y.shape == rig.x.shape, (
        f"the output has shape {y.shape}: return the shape of x, {rig.x.shape}"
    )
    order = np.array([2, 0, 3, 1])
    if not p.arrays(4):
        z, _ = p.forward(
            rig.x[:, order], rig.p, Context(training=False, rng=np.random.default_rng(0))
        )
        message = "a unit's activation depends on other units: register it as a normalization"
        np.testing.assert_allclose(z, y[:, order], rtol=1e-12, err_msg=message)


def check_stays_finite_for_large_inputs(p: Activation) -> None:
    rig = Rig(p, np.float32)
    rig.x = np.array([[-1e4, -100, 100, 1e4]] * 6, np.float32)
    try:
        with np.errstate(over="raise", invalid="raise", divide="raise", under="ignore"):
            y, backward = rig.forward(training=True)
            dx = backward(rig.dy)
    except FloatingPointError as e:
        raise AssertionError(
            f"inputs of ±100 and ±10,000 give {e}: write it in a form that cannot overflow"
        ) from e
    assert np.isfinite(y).all(), "inputs of ±100 and ±10,000 give outputs that are not finite"
    assert np.isfinite(dx).all(), "inputs of ±100 and ±10,000 give gradients that are not finite"
