"""The smaller budget of a study is never larger than the study, and what it changes is said."""

import pytest
from omegaconf import OmegaConf

from dlexp.config import grid
from dlexp.config.plan import Plan
from dlexp.sweeps.study_changes import changes


def smaller(params, parts=None, **words):
    return grid.reduce_budget(words, params, parts or {"all": {}})


def seeds(found, part="all"):
    params, parts = found
    return {**params, **parts[part]}.get("seed")


CLAIM = {"id": "a"}


@pytest.mark.parametrize(
    ("own", "words", "said"),
    [
        ("range(20)", {"claims": [CLAIM] * 4}, "range(8)"),
        ("range(20)", {"claims": [CLAIM, {"id": "b", "tuned": ["optimizer.lr"]}]}, "range(12)"),
        ("range(3)", {"claims": [CLAIM]}, "range(3)"),
        ("2,5,9", {"claims": [CLAIM]}, "2,5,9"),
        ("range(20)", {"quick": {"params": {"seed": "range(9)"}}}, "range(9)"),
        ("range(5)", {"quick": {"params": {"seed": "range(9)"}}}, "range(5)"),
        ("range(5)", {"quick": {"parts": {"all": {"seed": "range(9)"}}}}, "range(5)"),
        ("range(5)", {"quick": {"parts": {"all": {"seed": "1,2"}}}}, "1,2"),
        (None, {"claims": [CLAIM]}, None),
        (7, {"claims": [CLAIM]}, 7),
    ],
)
def test_a_preview_has_seeds_enough_for_its_claims_but_never_more_than_the_study(own, words, said):
    params = {"epochs": 3} | ({} if own is None else {"seed": own})
    assert seeds(smaller(params, **words)) == said


def test_each_part_keeps_to_its_own_seeds():
    parts = {"one": {"seed": 0}, "few": {"seed": "range(2)"}, "usual": {}}
    found = smaller({"seed": "range(20)"}, parts, claims=[CLAIM])
    assert [seeds(found, part) for part in parts] == [0, "range(2)", "range(6)"]


def changed(own, now, typed=(), file=None):
    plans = [{"all": Plan.of_values(own, "grid")}, {"all": Plan.of_values(now, "grid", typed)}]
    found = changes(*plans, OmegaConf.create(file or {}))
    return [[one[language] for one in found.get("all", ())] for language in ("en", "zh")]


@pytest.mark.parametrize(
    ("own", "now", "typed", "said"),
    [
        ({"std": "1,0.1,0.01"}, {"std": "1.0,0.01"}, [], ["2 of 3 values of std"]),
        ({"seed": "range(10)"}, {"seed": "range(8)"}, [], ["8 of 10 seeds"]),
        ({"seed": "range(10)"}, {"seed": "range(20)"}, [], []),
        ({}, {"epochs": 10}, [], ["10 of 20 epochs"]),
        ({"steps": 603}, {"steps": 200}, [], ["200 of 603 steps"]),
        ({}, {}, ["epochs=20"], []),
        ({}, {}, ["epochs=40"], ["epochs=40 (the study: 20)"]),
        ({}, {}, ["data=mnist"], ["data=mnist"]),
        ({}, {}, ["model.hidden=[100]"], ["model.hidden=[100] (the study: [5,5])"]),
        ({"std": "1,0.1"}, {"std": "1,0.1"}, ["std=1,3"], ["std=1,3 (the study: 1,0.1)"]),
        (
            {"std": "1,0.1"},
            {"std": "1,0.1"},
            ["quick=true", "tracking=none", "hydra.launcher.n_jobs=1"],
            [],
        ),
    ],
)
def test_what_is_trained_otherwise_than_the_file_says_is_said(own, now, typed, said):
    english, chinese = changed(own, now, typed, {"epochs": 20, "model": {"hidden": [5, 5]}})
    assert english == said
    assert len(chinese) == len(said)
