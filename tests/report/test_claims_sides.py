"""Which runs a claim is decided on: guards, cells, levels, and each side at its best."""

import json

import numpy as np
import pytest
from claim_folders import claim, noise, notes, shift, studied, verdict, verdicts

from dlexp.report import runs
from dlexp.report.claims import decide

SCALES = [1.0, 0.1, 0.01]


# --- guard


def guarded(tmp_path, low, **guard):
    """Training accuracy of weight decay is `low` at the scale 0.1, .99 elsewhere."""

    def ends(p, s):
        collapsed = p["regularizer"] == "weight_decay" and p["initializer.std"] == 0.1
        return {"train/accuracy": low if collapsed else 0.99, "test/loss": shift(0.1)(p, s)}

    axes = {
        "regularizer": ["none", "weight_decay"],
        "initializer.std": SCALES,
        "seed": list(range(8)),
    }
    changes = {"guard": {"metric": "train/accuracy", "at_least": 0.7} | guard}
    return verdict(tmp_path / "s", ends, changes=changes, axes=axes)


def test_a_guard_that_holds_lets_the_verdict_stand(tmp_path):
    v = guarded(tmp_path, 0.8)
    assert v.status == "SUPPORTED"
    assert [(g.side, round(g.worst, 6), g.holds) for g in v.guard] == [
        ("of", 0.8, True),
        ("against", 0.99, True),
    ]


def test_a_network_that_collapsed_at_one_setting_gives_no_verdict(tmp_path):
    v = guarded(tmp_path, 0.5)  # the mean over settings is .83
    assert v.status == "INCONCLUSIVE"
    assert (
        v.reason == "the guard does not hold: train/accuracy is 0.500 at a setting of"
        " regularizer=weight_decay; required: ≥ 0.7"
    )
    assert v.p_holm is not None  # it was tested, and counts in the family


def test_a_guard_looks_only_where_it_is_told_to(tmp_path):
    assert guarded(tmp_path, 0.5, of="against").status == "SUPPORTED"


def test_a_guard_from_above_and_one_that_was_not_measured(tmp_path):
    assert guarded(tmp_path / "a", 0.9, at_least=None, at_most=0.95).guard[0].holds is False
    v = guarded(tmp_path / "b", 0.9, metric="train/acuracy")
    assert v.reason == "the guard cannot be checked: train/acuracy was not measured"


def test_a_diverged_run_fails_a_guard_of_accuracy_as_zero(tmp_path):
    v = verdict(
        tmp_path / "s",
        lambda p, s: {"test/loss": shift(0.1)(p, s), "train/accuracy": 0.8},
        fate=lambda p, s: "DIVERGED" if p["regularizer"] == "none" and s < 2 else "FINISHED",
        changes={"diverged": 2.3, "guard": {"metric": "train/accuracy", "at_least": 0.7}},
    )
    assert v.guard[1].worst == pytest.approx(0.64)
    assert v.status == "INCONCLUSIVE"


# --- cells and levels


def test_a_value_is_the_mean_over_what_else_varies_on_both_sides(tmp_path):
    axes = {
        "regularizer": ["none", "weight_decay"],
        "activation": ["relu", "tanh"],
        "seed": list(range(8)),
    }
    found = lambda p, s: 0.1 * (p["activation"] == "tanh") + shift(0.1)(p, s)  # noqa: E731
    v = verdict(tmp_path / "s", found, axes=axes)
    assert v.averaged == {"activation": ("relu", "tanh")}
    assert v.n == 8  # and not 16: nothing is counted twice
    assert v.mean["against"] == pytest.approx(
        0.35 + np.mean([noise(p0, s, 0.01) for s in range(8) for p0 in ({},)]), abs=0.02
    )


def test_cells_that_only_one_side_has_are_left_out_and_told(tmp_path):
    axes = {
        "regularizer": ["none", "weight_decay"],
        "activation": ["relu", "tanh"],
        "seed": list(range(8)),
    }
    part = {"all": lambda p: p["regularizer"] == "none" or p["activation"] == "relu"}
    v = verdict(
        tmp_path / "s",
        lambda p, s: 5 * (p["activation"] == "tanh") + shift(0.1)(p, s),
        axes=axes,
        parts=part,
    )
    assert v.effect == pytest.approx(0.1, abs=0.02)
    assert "1 settings that only one side has are left out" in notes(v)


def test_a_hyperparameter_that_goes_with_a_choice_is_no_cell_but_is_told(tmp_path):
    axes = {"optimizer": ["sgd", "adam"], "seed": list(range(8))}
    v = verdict(
        tmp_path / "s",
        shift(0.1, key="optimizer", of="adam"),
        axes=axes,
        changes={"of": {"optimizer": "adam"}, "against": {"optimizer": "sgd"}},
        implied=lambda p: {"optimizer.lr": {"sgd": 0.1, "adam": 0.001}[p["optimizer"]]},
    )
    assert v.status == "SUPPORTED"
    assert (
        "optimizer.lr differs as well (0.001 against 0.1); the effects cannot be separated"
        in notes(v)
    )


def test_what_one_side_alone_has_is_averaged_and_told(tmp_path):
    axes = {
        "regularizer": ["none", "weight_decay"],
        "regularizer.strength": [0.1, 0.01],
        "seed": list(range(8)),
    }
    v = verdict(tmp_path / "s", shift(0.1), axes=axes, parts={"all": lambda p: True})
    assert v.averaged == {"regularizer.strength": ("0.1", "0.01")} or v.averaged == {
        "regularizer.strength": ("0.01", "0.1")
    }
    folder = studied(tmp_path / "t", [claim()], shift(0.1), axes=axes)
    for path in folder.glob("runs/*/run.json"):
        told = json.loads(path.read_text())
        if told["params"]["regularizer"] == "none":
            del told["params"]["regularizer.strength"]
            path.write_text(json.dumps(told))
    (v,) = decide(runs.read(folder))
    assert v.status == "SUPPORTED"
    assert (
        "regularizer=weight_decay: averaged over its regularizer.strength, which the other side"
        " does not have" in (notes(v))
    )


def test_learning_rates_that_have_nothing_in_common_cannot_be_compared_untuned(tmp_path):
    axes = {
        "regularizer": ["none", "weight_decay"],
        "optimizer.lr": [1.0, 0.1, 0.01, 0.001],
        "seed": list(range(6)),
    }
    part = {"all": lambda p: (p["optimizer.lr"] >= 0.1) == (p["regularizer"] == "none")}
    v = verdict(tmp_path / "s", shift(0.1), axes=axes, parts=part)
    assert (
        v.reason
        == "the two sides have no setting in common: they have other values of optimizer.lr"
    )


def test_a_claim_looks_at_its_own_part_only(tmp_path):
    axes = {
        "regularizer": ["none", "weight_decay"],
        "model.hidden": [[5], [6]],
        "seed": list(range(8)),
    }
    parts = {"five": lambda p: p["model.hidden"] == [5], "six": lambda p: p["model.hidden"] == [6]}
    claims = [claim(part="five"), claim(id="b", part="six")]
    five, six = verdicts(
        tmp_path / "s",
        claims,
        lambda p, s: shift(0.1 if p["model.hidden"] == [5] else -0.1)(p, s),
        axes=axes,
        parts=parts,
    )
    assert (five.status, six.status) == ("SUPPORTED", "NOT SUPPORTED")


def interaction(tmp_path, **changes):
    """Batch normalization depends less on the scale: without it the loss is 1 at the scale .01,
    else .3.
    """
    axes = {"normalization": ["none", "batch"], "initializer.std": SCALES, "seed": list(range(8))}

    def ends(p, s):
        lost = 0.7 if p["normalization"] == "none" and p["initializer.std"] == 0.01 else 0.0
        return 0.3 + lost + noise(p, s, 0.005)

    sides = {
        "of": {"normalization": "batch"},
        "against": {"normalization": "none"},
        "over": "initializer.std",
    }
    return verdict(tmp_path / "s", ends, axes=axes, changes=sides | changes)


def test_an_interaction_is_decided_on_the_range_over_an_axis(tmp_path):
    v = interaction(tmp_path, reduce="range")
    assert (v.status, v.n, v.levels) == ("SUPPORTED", 8, ("0.01", "0.1", "1"))
    assert v.effect == pytest.approx(0.7, abs=0.03)
    assert v.mean["of"] < 0.05


@pytest.mark.parametrize(
    ("reduce", "effect"),
    [("mean", 0.7 / 3), ("median", 0), ("min", 0), ("max", 0.7), ("std", 0.7 * 2**0.5 / 3)],
)
def test_levels_are_reduced_on_each_side(tmp_path, reduce, effect):
    assert interaction(tmp_path, reduce=reduce).effect == pytest.approx(effect, abs=0.03)


def test_better_at_every_level_is_the_smallest_gain_of_any(tmp_path):
    v = interaction(tmp_path, reduce="worst")
    assert v.status == "NOT SUPPORTED"  # it is better at one scale of three
    assert -0.02 < v.effect <= 0
    assert v.mean["against"] - v.mean["of"] == pytest.approx(v.effect)
    axes = {
        "regularizer": ["none", "weight_decay"],
        "initializer.std": SCALES,
        "seed": list(range(8)),
    }
    grows = lambda p, s: shift(0.1 + 0.1 * p["initializer.std"])(p, s)  # noqa: E731
    v = verdict(
        tmp_path / "all", grows, axes=axes, changes={"over": "initializer.std", "reduce": "worst"}
    )
    assert v.status == "SUPPORTED"
    assert v.effect == pytest.approx(0.1, abs=0.02)


def test_one_level_is_nothing_to_reduce(tmp_path):
    v = verdict(tmp_path / "s", shift(0.1), changes={"over": "initializer.std"})
    assert v.reason == "initializer.std has fewer than two values that both sides have"


# --- tuned


def tuned(tmp_path, seeds=15, **how):
    """Weight decay is best at lr .1, none at .01, and so says the validation loss; at equal lr none
    is better.
    """
    axes = {
        "regularizer": ["none", "weight_decay"],
        "optimizer.lr": [0.1, 0.01, 0.001],
        "seed": list(range(seeds)),
    }

    def ends(p, s):
        best = 0.1 if p["regularizer"] == "weight_decay" else 0.01
        off = 0.3 * abs(np.log10(p["optimizer.lr"] / best)) - 0.1 * (
            p["regularizer"] == "weight_decay"
        )
        return {
            "val/loss": 0.5 + off + noise(p, s, what="val"),
            "test/loss": 0.5 + off + noise(p, s),
        }

    return verdict(tmp_path / "s", ends, axes=axes, changes={"tuned": ["optimizer.lr"]}, **how)


def test_each_side_is_judged_at_its_best_on_seeds_that_had_no_part_in_the_choice(tmp_path):
    v = tuned(tmp_path)
    assert [c.setting for c in v.chosen] == [{"optimizer.lr": "0.1"}, {"optimizer.lr": "0.01"}]
    assert v.chosen[0].by == "val/loss"
    assert v.chosen[0].seeds == tuple(range(5))
    assert set(v.chosen[0].scores) == {"0.001", "0.01", "0.1"}
    assert v.seeds == tuple(range(5, 15))
    assert (v.status, round(v.effect, 1)) == ("SUPPORTED", 0.1)
    assert "regularizer=weight_decay: optimizer.lr=0.1 is the largest value tried" in notes(v)


def test_the_choice_is_by_validation_and_not_by_the_test(tmp_path):
    axes = {
        "regularizer": ["none", "weight_decay"],
        "optimizer.lr": [0.1, 0.01],
        "seed": list(range(12)),
    }

    def ends(p, s):
        return {
            "val/loss": p["optimizer.lr"] + noise(p, s, 0.001),
            "test/loss": 1 - p["optimizer.lr"] + noise(p, s, 0.001),
        }

    v = verdict(tmp_path / "s", ends, axes=axes, changes={"tuned": ["optimizer.lr"]})
    assert [c.setting for c in v.chosen] == [{"optimizer.lr": "0.01"}] * 2


def test_the_test_of_a_tuned_claim_needs_no_runs_of_what_was_not_chosen(tmp_path):
    part = {
        "all": (
            lambda p: (
                p["seed"] < 5 or (p["optimizer.lr"] == 0.1) == (p["regularizer"] == "weight_decay")
            )
        )
    }
    assert tuned(tmp_path, parts=part).status == "SUPPORTED"


def test_tuning_without_enough_seeds_or_a_validation_metric_is_inconclusive(tmp_path):
    assert tuned(tmp_path / "a", seeds=5).reason.startswith(
        "5 seeds are needed to choose optimizer.lr"
    )
    v = tuned(tmp_path / "b", seeds=9)
    assert v.reason.startswith("n = 4 paired seeds")
    axes = {
        "regularizer": ["none", "weight_decay"],
        "optimizer.lr": [0.1, 0.01],
        "seed": list(range(12)),
    }
    v = verdict(tmp_path / "c", shift(0.1), axes=axes, changes={"tuned": ["optimizer.lr"]})
    assert v.reason == "there is no validation metric to choose optimizer.lr by"


def test_a_setting_that_failed_while_tuning_is_told_and_a_diverged_one_is_the_worst(tmp_path):
    def lost(p, s):
        return (
            "FAILED"
            if (p["optimizer.lr"], s) == (0.001, 2) and p["regularizer"] == "none"
            else "FINISHED"
        )

    v = tuned(tmp_path / "a", fate=lost)
    assert len(v.chosen[1].scores) == 2
    assert "regularizer=none: 1 settings of optimizer.lr lack results" in notes(v)
    assert "unequal tuning budgets, in settings tried: 3 against 2" in notes(v)
    wild = lambda p, s: "DIVERGED" if p["optimizer.lr"] == 0.1 else "FINISHED"  # noqa: E731
    assert tuned(tmp_path / "b", fate=wild).chosen[0].setting == {"optimizer.lr": "0.01"}


def test_a_layer_may_be_called_otherwise_in_the_runs_of_either_side(tmp_path):
    axes = {"activation": ["sigmoid", "tanh"], "seed": list(range(8))}

    def ends(p, s):
        return {
            f"diagnostics/std/{p['activation']}5": shift(0.1, key="activation", of="tanh")(p, s)
        }

    changes = {
        "metric": "diagnostics/std/*5",
        "of": {"activation": "tanh"},
        "against": {"activation": "sigmoid"},
    }
    assert verdict(tmp_path / "s", ends, axes=axes, changes=changes).status == "SUPPORTED"
    lost = verdict(
        tmp_path / "t", ends, axes=axes, changes=changes | {"metric": "diagnostics/std/*6"}
    )
    assert lost.reason.startswith(
        "no run has measured diagnostics/std/*6; did you mean 'diagnostics/std/"
    )


def test_what_follows_from_a_choice_or_from_the_seed_is_no_cell_of_its_own(tmp_path):
    axes = {
        "regularizer": ["none", "weight_decay"],
        "activation": ["relu", "tanh"],
        "seed": list(range(8)),
    }

    def implied(p):
        gain = {"relu": 1, "tanh": 2}[p["activation"]] + 10 * (p["regularizer"] == "none")
        return {"initializer.gain": gain, "objective.start": 7 * p["seed"]}

    v = verdict(tmp_path / "s", shift(0.1), axes=axes, implied=implied)
    assert (v.status, v.n, list(v.averaged)) == ("SUPPORTED", 8, ["activation"])


def test_a_setting_that_was_tried_in_one_cell_only_cannot_be_chosen(tmp_path):
    axes = {
        "regularizer": ["none", "weight_decay"],
        "activation": ["relu", "tanh"],
        "optimizer.lr": [0.1, 0.01],
        "seed": list(range(12)),
    }
    part = {"all": lambda p: p["optimizer.lr"] == 0.1 or p["activation"] == "relu"}

    def ends(p, s):
        return {
            "val/loss": p["optimizer.lr"] + noise(p, s, 0.001),
            "test/loss": shift(0.1)(p, s),
        }

    v = verdict(tmp_path / "s", ends, axes=axes, parts=part, changes={"tuned": ["optimizer.lr"]})
    assert [c.setting for c in v.chosen] == [{"optimizer.lr": "0.1"}] * 2
    assert "1 settings of optimizer.lr lack results" in notes(v)


def test_of_runs_that_repeat_each_other_the_latest_with_a_result_counts(tmp_path):
    folder = studied(tmp_path / "s", [claim()], shift(0.1))
    other = studied(tmp_path / "t", [claim()], shift(0.1, off=0.4))
    (other / "runs" / "r0000").rename(folder / "runs" / "again")
    line = json.loads((folder / "ledger.jsonl").read_text().splitlines()[0])
    older = line | {"key": "again", "folder": "runs/again", "time_ms": -1}
    failed = line | {"key": "failed", "status": "FAILED", "time_ms": 9e15}
    before = decide(runs.read(folder))[0]
    with (folder / "ledger.jsonl").open("a") as ledger:
        ledger.write(json.dumps(older) + "\n" + json.dumps(failed) + "\n")
    (after,) = decide(runs.read(folder))
    assert after.values == before.values
    assert "2 runs repeat another's values and seed" in notes(after)
    newer = json.dumps(older | {"time_ms": 9e15}) + "\n"
    with (folder / "ledger.jsonl").open("a") as ledger:
        ledger.write(newer)
    (after,) = decide(runs.read(folder))
    assert after.values["against"][0] != before.values["against"][0]


def test_a_truth_value_is_no_number(tmp_path):
    axes = {"model.bias": [True, False], "seed": list(range(8))}
    changes = {"of": {"model.bias": 1}, "against": {"model.bias": False}}
    v = verdict(tmp_path / "s", shift(0.1), axes=axes, changes=changes)
    assert v.reason.startswith("no run has model.bias=1; the values are false and true")


def test_a_claim_whose_guard_fails_still_counts_in_the_family(tmp_path):
    guard = {"metric": "train/loss", "at_most": 0.1}
    stopped, other = verdicts(tmp_path / "s", [claim(guard=guard), claim(id="b")], shift(0.1))
    assert (stopped.status, stopped.family, other.family) == ("INCONCLUSIVE", 2, 2)
    assert other.p_holm == 2 * other.p
