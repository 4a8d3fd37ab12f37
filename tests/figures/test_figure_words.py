"""The words of figures: metrics are called the same beside every axis, and the levels of a legend
have one form.
"""

import pytest

from dlexp.report.measure import Measure
from dlexp.report.plots.common import named
from dlexp.report.table import Axis


@pytest.mark.parametrize(
    ("metric", "whole", "short"),
    [
        ("train/accuracy", "training accuracy (share correct)", "training accuracy"),
        ("val/loss", "validation loss (nats)", "validation loss"),
        ("gap/accuracy", "gap in accuracy (share correct)", "gap in accuracy"),
        ("diagnostics/weight_norm/all", "weight norm (all)", "weight norm (all)"),
        ("diagnostics/unit_spread/dense2.W", "unit spread (dense2.W)", "unit spread (dense2.W)"),
    ],
)
def test_a_metric_has_one_name_with_its_unit_and_one_where_there_is_no_room(metric, whole, short):
    assert (Measure(metric, high=True).unit, Measure(metric, high=True).short) == (whole, short)


@pytest.mark.parametrize(
    ("key", "levels", "message"),
    [
        (
            "normalization",
            ('"none"', '"batch_norm"'),
            ["normalization=none", "normalization=batch_norm"],
        ),
        ("optimizer", ('"sgd"', '"adam"'), ["sgd", "adam"]),
        ("optimizer.lr", ("0.1", "1"), ["lr=0.1", "lr=1"]),
        ("optimizer.lr", (None, "1"), ["–", "lr=1"]),
    ],
)
def test_the_levels_of_a_legend_have_one_form(key, levels, message):
    found = named(Axis(key, levels, numeric=False))
    assert found[-1] == message[-1]
    assert None in levels or found == message
