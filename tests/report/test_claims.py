"""Verdicts: by which rule a claim is decided, and what is no evidence."""

import numpy as np
import pytest
from claim_folders import AXES, claim, noise, notes, shift, verdict, verdicts
from scipy import stats

from dlexp.report import paired, terminal
from dlexp.report.claims import blocks, text


def flat(params, seed):
    """No effect at all."""
    return shift(0)(params, seed)


# --- the three verdicts


def test_a_true_effect_is_supported(tmp_path):
    v = verdict(tmp_path / "s", shift(0.1))
    assert v.status == "SUPPORTED"
    assert (v.n, v.family, v.seeds) == (10, 1, tuple(range(10)))
    assert v.p == v.p_holm == pytest.approx(2 / 2**10)
    assert v.effect == pytest.approx(0.1, abs=0.01)
    assert v.interval[0] < v.effect < v.interval[1]
    assert v.mean["against"] - v.mean["of"] == pytest.approx(v.effect)
    assert v.effect_size > 2
    assert v.reason == "the effect, 0.102, is at least the margin, 0.02, and p = .0020 after Holm"


def test_a_claim_that_is_false_is_not_supported_and_told_to_go_the_other_way(tmp_path):
    v = verdict(tmp_path / "s", shift(-0.1))
    assert v.status == "NOT SUPPORTED"
    assert v.effect == pytest.approx(-0.1, abs=0.01)
    assert "goes the other way" in v.reason


def test_a_sure_effect_smaller_than_the_margin_is_not_supported(tmp_path):
    v = verdict(tmp_path / "s", shift(0.02), changes={"margin": 0.05})
    assert (v.status, v.p_holm < 0.05) == ("NOT SUPPORTED", True)
    assert "too small to matter" in v.reason


def test_no_effect_with_little_noise_is_not_supported(tmp_path):
    v = verdict(tmp_path / "s", flat, changes={"margin": 0.05})
    assert (v.status, v.p > 0.05) == ("NOT SUPPORTED", True)
    assert "and it holds 0" in v.reason


def test_much_noise_is_inconclusive(tmp_path):
    v = verdict(tmp_path / "s", shift(0.05, noisy=0.3))
    assert v.status == "INCONCLUSIVE"
    assert "the effect may matter or not" in v.reason


def test_a_sure_effect_about_as_large_as_the_margin_but_below_it_is_inconclusive(tmp_path):
    margin = verdict(tmp_path / "s", shift(0.05)).effect + 0.001
    v = verdict(tmp_path / "t", shift(0.05), changes={"margin": margin})
    assert v.effect < margin < v.interval[1]
    assert (v.status, v.p_holm < 0.05) == ("INCONCLUSIVE", True)
    assert "which the interval" in v.reason


def test_an_effect_of_the_margin_exactly_is_enough(tmp_path):
    v = verdict(
        tmp_path / "s",
        lambda p, s: 0.1 if p["regularizer"] == "weight_decay" else 0.3,
        changes={"margin": 0.2},
    )
    assert v.effect < 0.2  # by rounding
    assert v.status == "SUPPORTED"


def test_more_is_the_mirror_of_less(tmp_path):
    less = verdict(tmp_path / "a", shift(0.1))
    swapped = {"of": claim()["against"], "against": claim()["of"], "direction": "more"}
    more = verdict(tmp_path / "b", shift(0.1), changes=swapped)
    assert (more.status, more.p) == (less.status, less.p)
    assert more.effect == pytest.approx(less.effect)


# --- p, interval and effect against other arithmetic


def test_p_is_scipy_s_permutation_test_and_the_rest_is_the_textbook_s(tmp_path):
    v = verdict(tmp_path / "s", shift(0.01, noisy=0.01))
    d = np.array(v.values["against"]) - np.array(v.values["of"])
    theirs = stats.permutation_test((d,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert v.p == pytest.approx(theirs.pvalue)
    assert 0.002 < v.p < 1
    assert v.effect_size == pytest.approx(d.mean() / d.std(ddof=1))
    assert v.iqm["of"] == pytest.approx(stats.trim_mean(v.values["of"], 0.25))
    wins = np.mean(np.array(v.values["of"])[:, None] < np.array(v.values["against"]))
    assert v.improvement == pytest.approx(wins)


def test_p_of_as_good_is_scipy_s_of_the_shifted_difference(tmp_path):
    v = verdict(tmp_path / "s", shift(0.003), changes={"direction": "as_good", "margin": 0.004})
    d = np.array(v.values["against"]) - np.array(v.values["of"]) + 0.004
    theirs = stats.permutation_test(
        (d,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="greater"
    )
    assert v.p == pytest.approx(theirs.pvalue)


def test_the_interval_holds_what_scipy_s_test_does_not_refuse(tmp_path):
    v = verdict(tmp_path / "s", shift(0.05))
    d = np.array(v.values["against"]) - np.array(v.values["of"])
    for end, outward in zip(v.interval, (-1e-6, 1e-6), strict=True):
        p = [
            stats.permutation_test(
                (d - end - by,), np.mean, permutation_type="samples", n_resamples=np.inf
            ).pvalue
            for by in (outward, -outward)
        ]
        assert p[0] <= 0.05 < p[1]


# --- what is no evidence


@pytest.mark.parametrize(("seeds", "status"), [(5, "INCONCLUSIVE"), (6, "SUPPORTED")])
def test_five_seeds_decide_nothing_and_six_can(tmp_path, seeds, status):
    v = verdict(tmp_path / "s", shift(0.2), axes=AXES | {"seed": list(range(seeds))})
    assert v.status == status
    if seeds == 5:
        assert v.reason.startswith("n = 5 paired seeds: a verdict needs at least 6")
        assert v.p is v.interval is None
        assert v.effect == pytest.approx(0.2, abs=0.02)  # shown, though nothing is decided


def test_runs_that_the_seed_does_not_change_are_inconclusive(tmp_path):
    v = verdict(
        tmp_path / "s",
        lambda p, s: {"test/loss": 0.1 if p["regularizer"] == "none" else 0.0, "train/loss": 1.0},
    )
    assert (v.status, v.p) == ("INCONCLUSIVE", None)
    assert "the seed changes nothing" in v.reason


def test_failed_runs_leave_their_seed_out_and_are_counted(tmp_path):
    def fate(p, s):
        return (
            "FAILED" if (s, p["regularizer"]) in {(2, "none"), (3, "weight_decay")} else "FINISHED"
        )

    v = verdict(tmp_path / "s", shift(0.1), fate=fate)
    assert (v.n, v.left_out, v.status) == (8, (2, 3), "SUPPORTED")
    assert "2 seeds lack a result at some setting and are left out (2 results missing)" in notes(v)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"of": {"regularizer": "weight_decy"}},
            (
                "no run has regularizer=weight_decy; the values are none and weight_decay;"
                " did you mean 'weight_decay'?"
            ),
        ),
        (
            {"of": {"regulariser": "weight_decay"}},
            "no run has a parameter regulariser; did you mean 'regularizer'?",
        ),
        (
            {
                "of": {"regularizer": "none", "optimizer": "adam"},
                "against": {"regularizer": "weight_decay", "epochs": 10},
                "metric": "test/los",
            },
            "no run has measured test/los; did you mean 'test/loss'?",
        ),
        (
            {"of": {"optimizer": "adam"}, "against": {"regularizer": "none"}},
            "10 runs are on both sides",
        ),
        ({"metric": "train/loss @ step 0 + test/loss @ step 3"}, "has a value of"),
        ({"of": {"epochs": True}}, "no run has epochs=true"),
    ],
)
def test_a_selection_or_a_metric_that_matches_nothing_says_what_is_nearest(
    tmp_path, changes, message
):
    v = verdict(tmp_path / "s", shift(0.1), changes=changes)
    assert v.status == "INCONCLUSIVE"
    assert message in v.reason
    assert v.because["zh"] != v.because["en"]


def test_equal_numbers_are_equal_however_they_are_written(tmp_path):
    axes = {"model.dropout": [0, 1], "seed": list(range(8))}
    changes = {"of": {"model.dropout": 1.0}, "against": {"model.dropout": 0.0}}
    assert (
        verdict(tmp_path / "s", shift(0.1, key="model.dropout", of=1), changes=changes, axes=axes).n
        == 8
    )


# --- diverged


def test_a_diverged_run_s_accuracy_counts_as_zero_and_is_never_dropped(tmp_path):
    fate = lambda p, s: "DIVERGED" if p["regularizer"] == "none" and s < 3 else "FINISHED"  # noqa: E731
    v = verdict(
        tmp_path / "s",
        lambda p, s: {"test/accuracy": 0.9 + noise(p, s, 0.003)},
        fate=fate,
        changes={"metric": "test/accuracy", "direction": "more", "margin": 0.2},
    )
    assert (v.n, v.diverged, v.counted_as) == (10, (0, 3), 0.0)
    assert v.values["against"][:3] == (0.0, 0.0, 0.0)
    assert v.effect == pytest.approx(0.27, abs=0.02)
    assert "0 of the runs of one side and 3 of the other diverged and count as 0" in notes(v)


def test_a_diverged_run_of_another_metric_is_inconclusive_unless_the_claim_says_what_it_counts_as(
    tmp_path,
):
    fate = lambda p, s: "DIVERGED" if p["regularizer"] == "none" and s == 3 else "FINISHED"  # noqa: E731
    silent, told = verdicts(
        tmp_path / "s", [claim(), claim(id="b", diverged=2.3)], shift(0.1), fate=fate
    )
    assert (silent.status, silent.p, silent.diverged) == ("INCONCLUSIVE", None, (0, 1))
    assert "1 of 20 runs diverged" in silent.reason
    assert (told.status, told.n, told.values["against"][3], told.family) == (
        "SUPPORTED",
        10,
        2.3,
        1,
    )


def test_the_gap_of_a_diverged_run_is_not_zero(tmp_path):
    fate = lambda p, s: "DIVERGED" if p["regularizer"] == "weight_decay" and s == 3 else "FINISHED"  # noqa: E731
    ends = lambda p, s: {"train/accuracy": 1.0, "test/accuracy": 0.8 + noise(p, s)}  # noqa: E731
    v = verdict(tmp_path / "s", ends, fate=fate, changes={"metric": "gap/accuracy"})
    assert (v.status, "does not say" in v.reason) == ("INCONCLUSIVE", True)


def test_where_everything_diverged_nothing_is_claimed(tmp_path):
    v = verdict(
        tmp_path / "s",
        flat,
        fate=lambda p, s: "DIVERGED",
        changes={"metric": "train/loss", "diverged": 9.0},
    )
    assert v.reason == "every run of both sides diverged"


def test_numbers_at_the_edge_of_what_can_be_held_are_no_trouble(tmp_path):
    for i, size in enumerate((1e299, 1e-310, 1e308)):
        v = verdict(
            tmp_path / f"{i}", lambda p, s, size=size: size * (s + 1 + (p["regularizer"] == "none"))
        )
        assert v.status in ("SUPPORTED", "NOT SUPPORTED", "INCONCLUSIVE")
        text([v])
        terminal.render(blocks([v]))


# --- as good as


@pytest.mark.parametrize(
    ("size", "status"),
    [
        (0.0, "SUPPORTED"),
        (0.1, "SUPPORTED"),
        (-0.03, "SUPPORTED"),
        (-0.05, "INCONCLUSIVE"),
        (-0.1, "NOT SUPPORTED"),
    ],
)
def test_as_good_is_not_worse_by_more_than_the_margin(tmp_path, size, status):
    v = verdict(tmp_path / "s", shift(size), changes={"direction": "as_good", "margin": 0.05})
    assert v.effect == pytest.approx(size, abs=0.015)
    assert v.status == status


def test_as_good_turns_round_with_the_metric(tmp_path):
    def ends(p, s):
        return {"test/accuracy": 0.9 - 0.1 * (p["regularizer"] == "weight_decay") + noise(p, s)}

    changes = {"metric": "test/accuracy", "direction": "as_good", "margin": 0.05}
    v = verdict(tmp_path / "s", ends, changes=changes)
    assert (v.status, v.effect < -0.05) == ("NOT SUPPORTED", True)
    assert "worse by more than the margin" in v.reason
    expressed = {"metric": "1 - test/accuracy", "better": "low"}
    v = verdict(tmp_path / "t", ends, changes=changes | expressed)
    assert (v.status, v.effect < -0.05) == ("NOT SUPPORTED", True)


# --- Holm


def test_holm_counts_the_claims_that_have_a_p(tmp_path):
    axes = AXES | {"seed": list(range(6))}  # the smallest p is .03125
    one, two = claim(), claim(id="b", margin=0.03)
    untested = claim(id="c", metric="test/los")
    alone, without = verdicts(tmp_path / "a", [one, untested], shift(0.2), axes=axes)
    assert (alone.status, alone.family, alone.p_holm) == ("SUPPORTED", 1, 0.03125)
    assert (without.family, without.p_holm) == (0, None)
    both = verdicts(tmp_path / "b", [one, two], shift(0.2), axes=axes)
    assert [(v.status, v.family, v.p_holm) for v in both] == [("INCONCLUSIVE", 2, 0.0625)] * 2
    assert "7 seeds could decide" in notes(both[0])


def test_holm_corrects_by_rank_over_the_study(tmp_path):
    claims = [claim(id=f"c{i}", metric=m) for i, m in enumerate(("a", "b", "c"))]

    def ends(p, s):
        return {
            name: shift(size)(p | {"_": name}, s)
            for name, size in (("a", 0.05), ("b", 0.008), ("c", 0.012))
        }

    found = verdicts(tmp_path / "s", claims, ends)
    assert [v.p_holm for v in found] == paired.holm([v.p for v in found])
    assert len({v.p for v in found}) == 3
