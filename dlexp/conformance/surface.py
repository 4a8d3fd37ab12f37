"""Promises of every surface."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlexp.conformance.numerical import slope
from dlexp.core.arrays import Array
from dlexp.core.kinds.objective import Objective
from dlexp.core.surface import Surface


def subject(p: Objective) -> Surface | None:
    """The objective, if it is a surface."""
    return p if isinstance(p, Surface) else None


def points(p: Surface) -> Array:
    """Two hundred points (x, y) of the window."""
    low, high = np.array(p.window, float).T
    return np.random.default_rng(0).uniform(low, high, (200, 2))


def height(p: Surface, xy: Any) -> float:
    return float(p.f(float(xy[0]), float(xy[1])))


def check_gradient(p: Surface) -> None:
    for xy in points(p):
        gradient = np.array(p.gradient(float(xy[0]), float(xy[1])), float)
        at = xy.copy()
        expected = np.array([slope(lambda at=at: height(p, at), at, axis) for axis in np.eye(2)])  # type: ignore[misc]
        scale = 1 + np.abs(expected).max() + abs(height(p, xy))
        assert np.abs(gradient - expected).max() <= 1e-6 * scale, (
            f"at ({xy[0]:.3f}, {xy[1]:.3f}) gradient is {gradient}, the slopes of f {expected}"
        )


def check_minimum_is_a_minimum(p: Surface) -> None:
    bottom = height(p, p.minimum)
    around = np.array(p.minimum) + 1e-2 * np.random.default_rng(1).normal(size=(100, 2))
    lower = [xy for xy in (*around, *points(p)) if height(p, xy) < bottom]
    assert not lower, f"f is lower at {lower[0]} than at the minimum {p.minimum}"
    slopes = np.abs(np.array(p.gradient(*p.minimum), float))
    assert (slopes <= 1e-9).all(), (
        f"the gradient at the minimum {p.minimum} is not zero but {slopes}"
    )


def check_start_and_minimum_are_in_the_window(p: Surface) -> None:
    for what, xy in (("start", p.start), ("minimum", p.minimum)):
        assert len(xy) == 2, f"{what} = {xy} must be two numbers"
        inside = all(low <= v <= high for v, (low, high) in zip(xy, p.window, strict=True))
        assert inside, f"{what} = {xy} lies outside the window {p.window}, which the figure shows"
    slopes = p.gradient(*p.start)
    assert any(abs(float(s)) > 0 for s in slopes), (
        f"the gradient at the start {p.start} is zero: choose another start"
    )


def check_takes_arrays(p: Surface) -> None:
    x, y = points(p)[:6].T.reshape(2, 2, 3)
    kept = x.copy(), y.copy()
    for what, whole, one in (
        ("f", lambda: (p.f(x, y),), lambda a, b: (p.f(a, b),)),
        ("gradient", lambda: p.gradient(x, y), p.gradient),
    ):
        try:
            parts = [np.broadcast_to(part, x.shape) for part in whole()]
        except Exception as e:
            wrong = (
                f"{what} does not accept arrays ({e}): use NumPy functions, no `if` on x, nothing"
                " from math"
            )
            raise AssertionError(wrong) from e
        for i in np.ndindex(x.shape):
            expected = one(float(x[i]), float(y[i]))
            np.testing.assert_allclose(
                [part[i] for part in parts], expected, rtol=1e-12, err_msg=f"{what} of an array"
            )
    np.testing.assert_array_equal(
        (x, y), kept, err_msg="f or gradient changes x or y: work on copies"
    )
