"""Promises of every initializer."""

from __future__ import annotations

from pathlib import Path
from typing import cast
from unittest import SkipTest

import numpy as np

from dlexp.conformance import reference
from dlexp.core.arrays import Array
from dlexp.core.kinds.initializer import Initializer

# fan_in, fan_out: from 60,000 to 120,000 numbers each
SHAPES = ((400, 300), (100, 1000), (1000, 60))


def draw(p: Initializer, fan_in: int, fan_out: int, seed: int = 0) -> Array:
    return p(np.random.default_rng(seed), fan_in, fan_out)


def check_has_the_shape_it_is_asked_for(p: Initializer) -> None:
    for shape in ((40, 30), (1, 5), (5, 1), (1, 1)):
        w = draw(p, *shape)
        assert w.shape == shape, f"for fan_in, fan_out = {shape} the array has shape {w.shape}"
        assert np.issubdtype(w.dtype, np.floating), f"it gives {w.dtype}, not floats"
        assert np.isfinite(w).all(), f"not all numbers are finite for fan_in, fan_out = {shape}"


def check_draws_from_the_given_rng_only(p: Initializer) -> None:
    same = "equal generators give different numbers: draw only from the rng that is passed"
    np.testing.assert_array_equal(draw(p, 40, 30), draw(p, 40, 30), err_msg=same)
    first = draw(p, 40, 30)
    if first.std() > 0:
        other = not np.array_equal(first, draw(p, 40, 30, seed=1))
        assert other, "another generator gives the same numbers: draw from the rng that is passed"


def check_has_the_std_it_documents(p: Initializer) -> None:
    """Within 3 percent, some 7 to 10 standard errors of a normal distribution's at these sizes."""
    if p.documented_std(10, 10) is None:
        raise SkipTest("documented_std gives None")
    for shape in SHAPES:
        promised, drawn = p.documented_std(*shape), float(draw(p, *shape).std())
        assert promised is not None, (
            f"documented_std gives None for {shape}, but a number for (10, 10)"
        )
        assert abs(drawn - promised) <= 0.03 * promised, (
            f"for fan_in, fan_out = {shape} the standard deviation is {drawn:.5g}, not"
            f" {promised:.5g}: fan_in is the number of rows"
        )


def check_has_mean_zero(p: Initializer) -> None:
    """Within 5 standard errors."""
    for shape in SHAPES:
        w = draw(p, *shape)
        allowed = 5 * w.std() / w.size**0.5
        assert abs(w.mean()) <= allowed, (
            f"for {shape} the mean is {w.mean():.3g}, more than {allowed:.3g} from 0"
        )


def check_follows_reference(p: Initializer, references: Path | None) -> None:
    for ref in reference.of(p, references):
        q = cast("Initializer", ref.plugin)
        documented = [
            q.documented_std(int(fan_in), int(fan_out)) for fan_in, fan_out in ref["shapes"]
        ]
        ref.agrees(documented, ref["std"], "the standard deviations")
