"""The conformance kit in the hands of an author: ids, skips, and failures that are declared."""

import os
import subprocess
import sys

import pytest

from dlexp import Optimizer, PluginError, plugin
from dlexp.conformance import checks_for, parametrize_with_checks
from dlexp.core import registry


def declaring(known_failures):
    """An optimizer with these known failures, registered nowhere."""

    class Typo(Optimizer):
        """w ← w"""

        known_failures = {}
        lr: float = 0.1

        def update(self, w, g, s, lr, t):
            """Does nothing."""

    Typo.known_failures = known_failures
    cls = plugin("typo")(Typo)
    registry.unregister(cls)
    return cls


def test_a_known_failure_that_names_no_check_is_refused_with_the_nearest_name():
    cls = declaring({"resumes_bit_by_bit": "because"})
    with pytest.raises(
        PluginError, match=r"resumes_bit_by_bit: .*did you mean 'resumes_bit_for_bit'"
    ):
        parametrize_with_checks(plugins=[cls])


def test_a_known_failure_of_another_kinds_check_is_refused():
    cls = declaring({"has_mean_zero": "because"})
    with pytest.raises(PluginError, match="known_failures"):
        checks_for(cls)


def test_classes_and_instances_are_taken_and_the_ids_read_well():
    adam = registry.find("optimizer", "adam")
    (_, cases), ids = (mark := parametrize_with_checks(plugins=[adam, adam(lr=0.1)]).mark).args, []
    for case in cases:
        ids.append(case.id)
        p, check = case.values
        assert isinstance(p, adam)
        assert case.id == f"optimizer/adam-{check.name}"
    assert mark.name == "parametrize"
    assert "optimizer/adam-resumes_bit_for_bit" in ids
    assert {case.values[0].lr for case in cases} == {0.001, 0.1}


def test_without_plugins_every_registered_one_is_tested():
    cases = parametrize_with_checks().mark.args[1]
    assert {type(case.values[0]) for case in cases} == set(registry.every())


OUTSIDE = """
from dlexp import Optimizer, plugin, positive
from dlexp.conformance import parametrize_with_checks

@plugin("decay")
class Decay(Optimizer):
    '''w ← w − lr·(g + w/100)

    Source: nobody (2026), https://example.org
    '''

    lr: float = positive(0.1)
    known_failures = {
        "zero_gradient_does_not_move_fresh_weights": "decay is the point of it",
        "is_deterministic": "so it is said, and wrongly",
    }

    def update(self, w, g, s, lr, t):
        w -= lr * (g + w / 100)

@parametrize_with_checks(plugins=[Decay])
def test_plugin(plugin, check):
    check(plugin)
"""


def test_an_author_outside_sees_passes_skips_expected_failures_and_those_that_pass_after_all(
    tmp_path,
):
    (tmp_path / "test_mine.py").write_text(OUTSIDE, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-rA",
        "test_mine.py",
    ]
    wide = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(
        command, cwd=tmp_path, env=wide, capture_output=True, text=True, check=False
    )
    out, test = done.stdout, "test_mine.py::test_plugin[optimizer/decay-"
    assert f"PASSED {test}descends_a_parabola]" in out
    assert (
        f"XFAIL {test}zero_gradient_does_not_move_fresh_weights] - decay is the point of it" in out
    )
    assert f"FAILED {test}is_deterministic] - [XPASS(strict)] so it is said, and wrongly" in out
    assert "no folder of references is given" in out
    assert "1 failed" in out
    assert "2 skipped" in out
    assert "1 xfailed" in out
