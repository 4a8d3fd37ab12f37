"""Promises of every optimizer."""

from __future__ import annotations

import dataclasses
import unittest.mock
from pathlib import Path
from typing import Any, cast

import numpy as np

from dlexp.conformance import reference
from dlexp.conformance.numerical import Float32Only
from dlexp.core import params as params_module, registry
from dlexp.core.arrays import Array, Param, Rebound, Slots
from dlexp.core.kinds.optimizer import Optimizer
from dlexp.core.params import Parameters
from dlexp.core.pieces import pieces

Running = dict[str, Array]


def parameters(dtype: Any = np.float64) -> Parameters:
    """A matrix and a bias, drawn from N(0, 1)."""
    params = Parameters({"a.W": Param((5, 4)), "a.b": Param((4,), start=0.0)}, dtype)
    params.values[...] = np.random.default_rng(0).normal(size=params.values.shape)
    return params


def fresh(p: Optimizer, params: Parameters) -> Running:
    """The slots as a trainer makes them."""
    return {slot: np.zeros_like(params.grads) for slot in p.slots}


def drive(p: Optimizer, params: Parameters, slots: Running, steps: int, start: int = 0) -> None:
    """Steps down the parabola ½‖w‖², whose gradient is w."""
    handed = list(pieces(p, params, slots))  # once, as a trainer does
    for t in range(start + 1, start + steps + 1):
        params.grads[...] = params.values
        for w, g, s in handed:
            p.update(w, g, s, p.lr, t)


def once(
    p: Optimizer, lr: float | None = None, g: float | None = None
) -> tuple[Array, Array, Array, Array, Slots]:
    """One update of a matrix: weights before and after, gradient before and after, slots."""
    rng = np.random.default_rng(1)
    w, gradient = rng.normal(size=(5, 4)), rng.normal(size=(5, 4))
    if g is not None:
        gradient[...] = g
    before, gradient_before = w.copy(), gradient.copy()
    s = Slots(**{slot: np.zeros_like(w) for slot in p.slots})
    p.update(w, gradient, s, p.lr if lr is None else lr, 1)
    return before, w, gradient_before, gradient, s


def check_descends_a_parabola(p: Optimizer) -> None:
    params = parameters()
    before = float(np.square(params.values).sum())
    drive(p, params, fresh(p, params), steps=200)
    after = float(np.square(params.values).sum())
    assert after < before, (
        f"200 steps at its default rate take ‖w‖² from {before:.3g} to {after:.3g}: check the sign"
    )


def check_stays_in_float32(p: Optimizer) -> None:
    params = parameters(np.float32)
    w, g = (params["a.W"].copy().view(Float32Only) for _ in "wg")
    s = Slots(**{slot: np.zeros((5, 4), np.float32).view(Float32Only) for slot in p.slots})
    for t in (1, 2):
        p.update(w, g, s, p.lr, t)


def check_block_size_is_invisible(p: Optimizer) -> None:
    results = []
    for size in (params_module.BLOCK, 7):
        params = parameters()
        with unittest.mock.patch.object(params_module, "BLOCK", size):
            drive(p, params, fresh(p, params), steps=5)
        results.append(params.values.copy())
    message = "a weight's update depends on the other weights in its block: set `per_tensor = True`"
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12, err_msg=message)


def check_resumes_bit_for_bit(p: Optimizer) -> None:
    straight = parameters()
    drive(p, straight, fresh(p, straight), steps=6)
    first = parameters()
    slots = fresh(p, first)
    drive(p, first, slots, steps=3)
    resumed, saved = parameters(), {name: slot.copy() for name, slot in slots.items()}
    resumed.storage[...] = first.storage
    again = cast("Optimizer", registry.from_dict(p.kind, registry.as_dict(p)))
    drive(again, resumed, saved, steps=3, start=3)
    message = (
        "6 steps differ from 3 steps, a checkpoint and 3 more: keep all state in the arrays named"
        " in `slots`"
    )
    np.testing.assert_array_equal(straight.values, resumed.values, err_msg=message)


def check_changes_slots_in_place(p: Optimizer) -> None:
    s = Slots(**{slot: np.zeros((5, 4)) for slot in p.slots})
    handed = dict(vars(s))
    rng = np.random.default_rng(2)
    try:
        p.update(rng.normal(size=(5, 4)), rng.normal(size=(5, 4)), s, p.lr, 1)
    except Rebound as e:
        raise AssertionError(str(e)) from e
    new = sorted(set(vars(s)) - set(handed))
    assert not new, f"s.{', s.'.join(new)} is not in checkpoints: name it in `slots`"
    rebound = [name for name, array in handed.items() if vars(s)[name] is not array]
    assert not rebound, (
        f"s.{', s.'.join(rebound)} is bound to a new array: write `s.{rebound[0]}[...] = …` or `+=`"
    )


def check_is_deterministic(p: Optimizer) -> None:
    results = []
    for _ in range(2):
        params = parameters()
        drive(p, params, fresh(p, params), steps=5)
        results.append(params.values.copy())
    message = "the same gradients give other weights the second time: keep no state, draw nothing"
    np.testing.assert_array_equal(results[0], results[1], err_msg=message)


def check_updates_in_place(p: Optimizer) -> None:
    before, w, *_ = once(p)
    assert not np.array_equal(before, w), (
        "update does not change w: change it in place, `w -= …` (not `w = w - …`)"
    )
    assert np.isfinite(w).all(), "one update makes weights that are not finite: guard the division"


def check_leaves_the_gradient_alone(p: Optimizer) -> None:
    _, _, before, gradient, _ = once(p)
    np.testing.assert_array_equal(before, gradient, err_msg="update changes g: copy it first")


def check_zero_gradient_does_not_move_fresh_weights(p: Optimizer) -> None:
    before, w, *_ = once(p, g=0.0)
    message = "weights move without a gradient: move decay of weights to a regularizer"
    np.testing.assert_array_equal(before, w, err_msg=message)


def check_uses_the_lr_it_is_handed(p: Optimizer) -> None:
    handed = p.lr / 2
    other = dataclasses.replace(cast("Any", p), lr=p.lr * 3)
    moved, same, full = (once(q, lr)[1] for q, lr in ((p, handed), (other, handed), (p, p.lr)))
    message = "update uses self.lr: use its argument lr, which the schedule has scaled"
    np.testing.assert_array_equal(moved, same, err_msg=message)
    assert not np.array_equal(moved, full), (
        "update does not use its argument lr: schedules would have no effect"
    )


def check_follows_reference(p: Optimizer, references: Path | None) -> None:
    for ref in reference.of(p, references):
        q = cast("Optimizer", ref.plugin)
        gradients, rates, expected = ref["gradients"], ref["lr"], ref["weights"]
        w = expected[0].copy()
        s = Slots(**{slot: np.zeros_like(w) for slot in q.slots})
        for t, (g, lr) in enumerate(zip(gradients, rates, strict=True), start=1):
            q.update(w, g.copy(), s, float(lr), t)
            ref.agrees(w, expected[t], f"the weights after step {t}")
