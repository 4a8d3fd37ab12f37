"""Each method at its best: chosen on validation with 5 seeds, reported on test with 10 others."""

import re

import pytest
from report_folders import DEFAULTS, journal, skill, sweep

from dlexp import UserError, report

pytestmark = pytest.mark.usefixtures("no_figures")

RATES = [1.0, 0.1, 0.01, 0.001]
GRID = {"optimizer": ["sgd", "adam"], "optimizer.lr": RATES}


def grid(tmp_path, place="grid", seeds=15, **how):
    first = how.pop("first", 0)
    return sweep(tmp_path / place, GRID | {"seed": list(range(first, seeds))}, **how)


def tuned(*folders, **asked):
    return report.make(folders, tuned=True, **asked)


def chosen(made):
    return {c["method"]: c["chosen"] for c in made.data["tuned"]["choices"]}


def test_the_best_setting_is_chosen_on_five_seeds_and_reported_on_ten_others(tmp_path):
    made = tuned(grid(tmp_path))
    assert chosen(made) == {"sgd": "lr=0.1", "adam": "lr=0.001"}
    assert made.data["tuned"]["tuning_seeds"] == [0, 1, 2, 3, 4]
    assert made.data["tuned"]["reporting_seeds"] == list(range(5, 15))
    assert {g["group"]: (g["n"], sorted(map(int, g["values"]))) for g in made.data["groups"]} == {
        "sgd": (10, list(range(5, 15))),
        "adam": (10, list(range(5, 15))),
    }
    (pair,) = made.data["pairs"]
    assert (pair["axis"], pair["better"], pair["n"]) == ("optimizer", "adam", 10)
    assert made.folder.name == "report-tuned"


def test_neither_the_test_metric_nor_the_reporting_seeds_have_a_say_in_the_choice(tmp_path):
    """Where validation says one thing in the tuning seeds, and everything else the other,
    validation is followed.
    """

    def lines(params, seed):
        best = 0.1 if seed < 5 else 0.01
        events = journal(0.9 if params["optimizer.lr"] == best else 0.6)
        events[-2]["metrics"]["test/accuracy"] = 0.9 if params["optimizer.lr"] == 0.01 else 0.6
        return events

    made = tuned(grid(tmp_path, lines=lines))
    assert chosen(made) == {"sgd": "lr=0.1", "adam": "lr=0.1"}
    assert [g["iqm"] for g in made.data["groups"]] == [0.6, 0.6]


def test_a_diverged_tuning_run_counts_as_the_worst(tmp_path):
    made = tuned(
        grid(
            tmp_path,
            score=lambda p, s: 0.99 if p["optimizer.lr"] == 1 else skill(p, s),
            fate=lambda p, s: "DIVERGED" if p["optimizer.lr"] == 1 and s < 3 else "FINISHED",
        )
    )
    assert chosen(made) == {"sgd": "lr=0.1", "adam": "lr=0.001"}


def test_ties_go_to_the_lower_validation_loss(tmp_path):
    def lines(params, seed):
        events = journal(0.9)
        for e in events:
            if "val/loss" in e.get("metrics", {}):
                e["metrics"]["val/loss"] += abs(params["optimizer.lr"] - 0.01)
        return events

    assert chosen(tuned(grid(tmp_path, lines=lines))) == {"sgd": "lr=0.01", "adam": "lr=0.01"}


def test_the_best_value_on_the_edge_of_the_grid_is_a_warning(tmp_path):
    made = tuned(grid(tmp_path))
    warnings = " ".join(made.data["warnings"])
    assert "adam: lr=0.001 is the smallest value tried; a smaller one may be better." in warnings
    assert "sgd: lr=0.1" not in warnings


def test_unequal_budgets_are_a_warning(tmp_path):
    few = sweep(
        tmp_path / "few",
        {"optimizer": ["momentum"], "optimizer.lr": [0.1], "seed": list(range(15))},
    )
    warnings = " ".join(tuned(grid(tmp_path), few, out=tmp_path / "r").data["warnings"])
    assert "Unequal tuning budgets, settings tried: sgd 4, adam 4 and momentum 1." in warnings
    assert "momentum: lr=0.1 is the only value tried." in warnings


def test_too_few_seeds_are_refused_with_what_to_run(tmp_path):
    with pytest.raises(UserError, match=r"there are 3: add seeds with 'seed=range\(15\)'"):
        tuned(grid(tmp_path, "three", seeds=3))
    folder = grid(tmp_path, "eight", seeds=8, fixed=["epochs=10"])
    with pytest.raises(UserError) as e:
        tuned(folder)
    said = str(e.value)
    assert "sgd lr=0.1 and adam lr=0.001" in said
    assert "10 other seeds are needed, and there are 3" in said
    run = (
        "python -m dlexp -m epochs=10 optimizer=sgd,adam optimizer.lr=1.0,0.1,0.01,0.001"
        " 'seed=range(5,15)'"
    )
    assert run in said
    assert "\n" not in said


def test_the_chosen_values_alone_may_be_run_afterwards_with_other_seeds(tmp_path):
    first = grid(tmp_path, "first", seeds=5)
    best = {"sgd": 0.1, "adam": 0.001}
    later = [
        sweep(
            tmp_path / name, {"optimizer": [name], "optimizer.lr": [lr], "seed": list(range(5, 15))}
        )
        for name, lr in best.items()
    ]
    made = tuned(first, *later, out=tmp_path / "r")
    assert chosen(made) == {"sgd": "lr=0.1", "adam": "lr=0.001"}
    assert made.data["groups"][0]["n"] == 10


def test_a_setting_that_lacks_a_tuning_run_is_refused_with_its_name_and_seeds(tmp_path):
    gone = ("adam", 0.01)
    folder = grid(
        tmp_path,
        fate=lambda p, s: (
            "KILLED" if (p["optimizer"], p["optimizer.lr"]) == gone and s in (1, 2) else "FINISHED"
        ),
    )
    with pytest.raises(UserError, match=r"missing: adam · lr=0\.01 \(seeds 1, 2\)"):
        tuned(folder)


def test_nothing_to_tune_is_refused(tmp_path):
    axes = {
        "optimizer": ["sgd", "adam"],
        "epochs": [5, 10],
        "data.n_train": [100, 300],
        "seed": list(range(15)),
    }
    with pytest.raises(UserError, match="no numeric hyper-parameter was swept"):
        tuned(sweep(tmp_path / "s", axes))


def test_default_and_tuned_are_shown_side_by_side_where_the_default_was_swept(tmp_path):
    """Adam's default is in the grid, and known from a run for which nobody asked otherwise; SGD's
    is not known.
    """
    known = sweep(
        tmp_path / "known",
        {"optimizer": ["adam"], "seed": [0]},
        implied=lambda p: {"optimizer.lr": 0.01},
    )
    made = tuned(grid(tmp_path), known, out=tmp_path / "r")
    assert [c["default"] for c in made.data["tuned"]["choices"]] == [None, "0.01"]
    assert [g["group"] for g in made.data["tuned"]["default"]["groups"]] == ["adam"]
    assert made.data["tuned"]["default"]["groups"][0]["iqm"] < made.data["groups"][1]["iqm"]
    assert "No default setting is shown for sgd" in " ".join(made.data["warnings"])
    assert re.search(r"adam +10 +0\.9\d\d +\[0\.\d+, 0\.\d+\] +0\.9\d\d +\[", made.text)


def test_runs_that_say_their_defaults_make_every_default_that_was_swept_known(tmp_path):
    """As every run.json says them since; those of older runs do not."""
    lr = {"sgd": 0.1, "adam": 0.01, "momentum": 0.5}
    folder = grid(tmp_path, defaults=lambda p: DEFAULTS | {"optimizer.lr": lr[p["optimizer"]]})
    axes = {"optimizer": ["momentum"], "optimizer.lr": RATES, "seed": list(range(15))}
    # which nobody has tried
    other = sweep(tmp_path / "other", axes, defaults=lambda p: {"optimizer.lr": 0.5})
    made = tuned(folder, other, out=tmp_path / "r")
    assert [c["default"] for c in made.data["tuned"]["choices"]] == ["0.1", "0.01", "0.5"]
    assert [g["group"] for g in made.data["tuned"]["default"]["groups"]] == ["sgd", "adam"]
    assert [w for w in made.data["warnings"] if "default" in w] == [
        "No default setting is shown for momentum: it was not swept, or is not known."
    ]


def test_a_preset_or_a_fixed_value_is_no_default(tmp_path):
    for i, how in enumerate(
        ({"fixed": ["optimizer.lr=0.01"]}, {"fixed": ["experiment=x"]}, {"defaults": {}})
    ):
        axes = {"optimizer": ["adam"], "seed": [0]}
        known = sweep(tmp_path / f"known{i}", axes, implied=lambda p: {"optimizer.lr": 0.01}, **how)
        if "defaults" in how:  # a named variant of the plugin
            text = (
                (known / "ledger.jsonl")
                .read_text()
                .replace("optimizer=adam", "optimizer=slow_adam")
            )
            (known / "ledger.jsonl").write_text(text)
        made = tuned(grid(tmp_path, f"grid{i}"), known, out=tmp_path / "r")
        assert [c["default"] for c in made.data["tuned"]["choices"]] == [None, None]


def test_the_choice_is_among_the_settings_of_all_swept_numbers(tmp_path):
    axes = GRID | {"regularizer.weight_decay.strength": [0.0, 0.1], "seed": list(range(15))}
    folder = sweep(
        tmp_path / "two",
        axes,
        score=lambda p, s: skill(p, s) - 0.2 * p["regularizer.weight_decay.strength"],
    )
    made = tuned(folder)
    assert chosen(made) == {"sgd": "lr=0.1 · strength=0", "adam": "lr=0.001 · strength=0"}
    assert [len(c["scores"]) for c in made.data["tuned"]["choices"]] == [8, 8]


def test_without_a_validation_metric_there_is_no_tuning(tmp_path):
    def lines(params, seed):
        events = journal(0.9)
        for e in events:
            e["metrics"] = {
                k: v for k, v in e.get("metrics", {}).items() if not k.startswith("val/")
            }
        return events

    with pytest.raises(UserError, match="no validation metric to choose by"):
        tuned(grid(tmp_path, lines=lines))
