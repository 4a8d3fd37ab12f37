"""How often a verdict is wrong: A against A, and a loss of exactly the margin, over and over."""

from array import array
from pathlib import Path

import numpy as np
import pytest
from claim_folders import claim

from dlexp.report.claims import decide
from dlexp.report.measured import Curve
from dlexp.report.runs import RunRecord, SweepRecord
from dlexp.storage.status import Status


def simulated(rng, shifts, direction, margin, n=10):
    """A study in memory: claim i is about metric m{i}, of which the two sides differ by shifts[i]
    in truth.
    """
    found = []
    for seed in range(n):
        luck = rng.normal(0, 1, len(shifts))
        for side in ("a", "b"):
            own = luck + rng.standard_t(4, len(shifts)) + np.array(shifts) * (side == "a")
            final = {f"m{i}": float(x) for i, x in enumerate(own)}
            curves = {name: Curve((1,), array("d", (x,))) for name, x in final.items()}
            found.append(
                RunRecord(
                    "s",
                    f"{side}{seed}",
                    "",
                    Status.FINISHED,
                    seed,
                    {"which": side, "seed": seed},
                    curves=curves,
                    final=final,
                )
            )
    told = claim(of={"which": "a"}, against={"which": "b"}, direction=direction, margin=margin)
    better = {"better": "high"} if direction == "as_good" else {}
    claims = [told | better | {"id": f"c{i}", "metric": f"m{i}"} for i in range(len(shifts))]
    return SweepRecord(
        id="s", folder=Path(), runs=tuple(found), study={"name": "s", "claims": claims}
    )


def false_alarms(repeats, seed, shifts, direction, margin):
    """The share of studies with any claim SUPPORTED."""
    rng = np.random.default_rng(seed)
    studies = (decide(simulated(rng, shifts, direction, margin)) for _ in range(repeats))
    return sum(any(v.status == "SUPPORTED" for v in found) for found in studies) / repeats


OFTEN = [pytest.param(200, id="200"), pytest.param(1000, id="1000", marks=pytest.mark.slow)]


@pytest.mark.parametrize("repeats", OFTEN)
@pytest.mark.parametrize(("direction", "claims"), [("more", 1), ("more", 3), ("less", 3)])
def test_a_against_a_is_supported_in_at_most_five_of_a_hundred_studies(repeats, direction, claims):
    found = false_alarms(repeats, 1, [0.0] * claims, direction, 1e-9)
    assert 0 < found <= 0.05  # it happens: the test is not so careful that it never says anything


@pytest.mark.parametrize("repeats", OFTEN)
def test_as_good_is_wrong_in_at_most_five_of_a_hundred_where_the_loss_is_the_margin_exactly(
    repeats,
):
    assert (
        0.02
        < false_alarms(repeats, 3, [-1.0], "as_good", 1.0)
        <= (0.05 if repeats == 200 else 0.06)
    )  # .0498 in truth


@pytest.mark.parametrize("repeats", OFTEN)
def test_one_claim_of_a_family_is_wrong_as_rarely_when_another_is_true(repeats):
    rng = np.random.default_rng(5)
    studies = (decide(simulated(rng, [6.0, 0.0, 0.0], "more", 1e-9)) for _ in range(repeats))
    wrong = [any(v.status == "SUPPORTED" for v in found[1:]) for found in studies]
    assert sum(wrong) / repeats <= 0.05


def test_what_is_true_is_found():
    assert false_alarms(20, 4, [4.0], "more", 1.0) >= 0.9
