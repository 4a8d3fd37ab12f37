"""What stands beside a verdict: seeds that repeat one result, runs outside a guard, previews;
moments after the end.
"""

import json

import numpy as np
import pytest
from claim_folders import claim, shift, studied, verdict

from dlexp import report
from dlexp.report import runs
from dlexp.report.claims import decide, text


def cautions(v, lang="en"):
    return [note[lang] for note in v.cautions]


# --- the same difference for every seed


def even(params, seed):
    """A difference of .1 whatever the seed, to a float32's rounding."""
    off = float(np.float32(0.3 + np.random.default_rng(seed).normal(0, 0.05)))
    return float(np.float32(off - 0.1 * (params["regularizer"] == "weight_decay")))


def test_seeds_that_all_give_the_same_difference_are_said_to_be_one(tmp_path):
    v = verdict(tmp_path / "s", even)
    assert v.status == "SUPPORTED"
    message = (
        "every seed gives the same difference: more seeds add no evidence, and in effect n is 1,"
        " not 10"
    )
    assert cautions(v) == [message]
    assert "实际上 n 为 1" in cautions(v, "zh")[0]
    assert json.loads(text([v]))["claims"][0]["cautions"] == [v.cautions[0]]


def test_differences_that_differ_need_no_caution(tmp_path):
    assert cautions(verdict(tmp_path / "s", shift(0.1))) == []


def test_a_caution_stands_on_the_page_below_the_table_and_in_the_terminal_in_both_languages(
    tmp_path,
):
    made = report.make([studied(tmp_path / "s", [claim()], even)])
    page, chinese = (
        made.html.with_name(name).read_text("utf-8") for name in ("report.html", "report.zh.html")
    )
    message = (
        '<p class="warning">shrinks: every seed gives the same difference: more seeds add no'
        " evidence"
    )
    assert page.index("</table>") < page.index(message) < page.index('id="claim-by-claim"')
    assert '<p class="warning">shrinks：每个种子给出的差都相同' in chinese
    assert "! Every seed gives the same difference" in made.text
    assert "every seed gives the same difference" in made.markdown


# --- a guard that holds for the mean only


def some_below(params, seed):
    low = params["regularizer"] == "weight_decay" and seed in (1, 4, 7)
    return {"test/loss": shift(0.1)(params, seed), "train/accuracy": 0.6 if low else 0.95}


@pytest.mark.parametrize(
    ("guard", "message"),
    [
        (
            {"at_least": 0.7},
            ["3 of 10 runs with regularizer=weight_decay violate train/accuracy ≥ 0.7"],
        ),
        ({"at_least": 0.5}, []),
        ({"at_most": 0.86, "of": "of"}, ["7 of 10 runs with regularizer=weight_decay violate"]),
        ({"at_least": 0.7, "of": "against"}, []),
    ],
    ids=["below", "all-hold", "above", "other-side"],
)
def test_runs_outside_a_guard_that_holds_for_the_mean_are_counted(tmp_path, guard, message):
    v = verdict(tmp_path / "s", some_below, changes={"guard": {"metric": "train/accuracy"} | guard})
    assert v.status == "SUPPORTED"
    assert len(cautions(v)) == len(message)
    assert all(part in found for part, found in zip(message, cautions(v), strict=True))


# --- moments after the end of a run


@pytest.mark.parametrize("moment", ["step 11", "epoch 3", "epoch 99"])
def test_a_moment_after_the_end_of_a_run_was_not_measured(tmp_path, moment):
    v = verdict(tmp_path / "s", shift(0.1), changes={"metric": f"train/loss @ {moment}"})
    assert v.status == "INCONCLUSIVE"
    assert (
        v.reason
        == f"there is no train/loss at {moment}: the run with regularizer=weight_decay, seed 0,"
        " ends at step 10 (epoch 2)"
    )
    assert f"没有 {moment} 时的 train/loss" in v.because["zh"]


def test_the_last_moment_of_a_run_was_measured(tmp_path):
    for i, moment in enumerate(("step 10", "epoch 2")):
        found = verdict(tmp_path / str(i), shift(0.1), changes={"metric": f"train/loss @ {moment}"})
        assert found.n == 10


def test_a_guard_at_a_moment_after_the_end_says_so(tmp_path):
    v = verdict(
        tmp_path / "s",
        shift(0.1),
        changes={"guard": {"metric": "train/loss @ epoch 9", "at_most": 3}},
    )
    assert v.status == "INCONCLUSIVE"
    assert v.reason.startswith("there is no train/loss at epoch 9: the run with regularizer=")


def test_a_run_that_stopped_early_keeps_its_last_value_to_its_planned_end_and_no_further(tmp_path):
    def early(params):
        return {"early_stopping.patience": 3, "epochs": 6}

    found = [
        verdict(
            tmp_path / str(n),
            shift(0.1),
            changes={"metric": f"train/loss @ epoch {n}"},
            implied=early,
        )
        for n in (6, 7)
    ]
    assert [v.n for v in found] == [10, 0]
    assert "there is no train/loss at epoch 7" in found[1].reason


def test_a_run_that_diverged_counts_as_worst_at_any_moment(tmp_path):
    v = verdict(
        tmp_path / "s",
        shift(0.1),
        changes={"metric": "train/loss @ step 10", "diverged": 9.0},
        fate=lambda params, seed: "DIVERGED" if params["regularizer"] == "none" else "FINISHED",
    )
    assert (v.status, v.diverged) == ("SUPPORTED", (0, 10))


# --- previews

CHANGES = {
    "all": [
        {"en": "3 of 16 values of initializer.std", "zh": "initializer.std 的 16 个值中的 3 个"},
        {"en": "10 of 20 epochs", "zh": "20 个 epochs 中的 10 个"},
    ]
}


def previewed(folder, *fixed, changes=CHANGES):
    study = {
        "name": "s",
        "title": {"en": "A study", "zh": "一项研究"},
        "claims": [claim()],
        "changes": changes,
    }
    return studied(
        folder, [], shift(0.1), study=study, fixed=list(fixed), parts={"all": lambda params: True}
    )


def test_a_verdict_of_a_preview_says_what_was_changed(tmp_path):
    (v,) = decide(runs.read(previewed(tmp_path / "s", "quick=True")))
    assert cautions(v) == ["preview: 3 of 16 values of initializer.std, 10 of 20 epochs"]
    assert cautions(v, "zh") == [
        "预览：initializer.std 的 16 个值中的 3 个，20 个 epochs 中的 10 个"
    ]
    (v,) = decide(runs.read(previewed(tmp_path / "t")))
    assert cautions(v) == [
        "differs from the study's file: 3 of 16 values of initializer.std, 10 of 20 epochs"
    ]


@pytest.mark.parametrize("damaged", [None, [], "x", {"all": "x"}, {"all": [1]}, {"other": []}])
def test_words_about_changes_that_are_damaged_stop_no_verdict(tmp_path, damaged):
    (v,) = decide(runs.read(previewed(tmp_path / "s", changes=damaged)))
    assert (v.status, v.cautions) == ("SUPPORTED", ())


def test_a_preview_says_so_in_title_table_sentence_headings_and_figures(tmp_path):
    figures = [
        {"kind": "dots", "metric": "test/loss", "axis": "regularizer", "title": "At 16 scales"}
    ]
    parts = {"all": {"title": {"en": "16 scales", "zh": "16 个尺度"}}}
    study = {
        "name": "s",
        "title": {"en": "A study", "zh": "一项研究"},
        "claims": [claim()],
        "changes": CHANGES,
        "figures": figures,
        "parts": parts,
    }

    def made(name, *fixed):
        folder = studied(
            tmp_path / name,
            [],
            shift(0.1),
            study=study,
            fixed=list(fixed),
            parts={"all": lambda p: True},
        )
        found = report.make([folder])
        return found, *(
            found.html.with_name(page).read_text("utf-8")
            for page in ("report.html", "report.zh.html")
        )

    found, page, chinese = made("quick", "quick=True")
    assert "<h1>Preview: A study</h1>" in page
    assert '<td class="v">✓ SUPPORTED (preview)</td>' in page
    assert "1 claim, as a preview: 1 SUPPORTED (shrinks)." in page
    assert ">16 scales (preview: 3 of 16 values of initializer.std, 10 of 20 epochs)</h2>" in page
    assert 'alt="At 16 scales (preview)"' in page
    assert "<h1>预览：一项研究</h1>" in chinese
    assert '<td class="v">✓ SUPPORTED（预览）</td>' in chinese
    assert "✓ SUPPORTED (preview)" in found.text
    assert found.data["claims"][0]["preview"] is True
    found, page, chinese = made("full")
    assert not any(
        message in page + found.text for message in ("Preview:", "(preview", "as a preview")
    )
    assert "预览" not in chinese
