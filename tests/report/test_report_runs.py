"""What of a sweep is read, which of its keys are axes, and which runs make a group."""

import csv
import json
import shutil

import numpy as np
import pytest
from report_folders import arranged, compared, journal, skill, small, sweep

from dlexp import UserError, report
from dlexp.report import runs
from dlexp.storage.find import must_find

pytestmark = pytest.mark.usefixtures("no_figures")

OPTIMIZERS = ["sgd", "momentum", "adam"]


# --- reading


def test_a_sweep_is_read_from_its_ledger_the_last_line_of_a_key_counts(tmp_path):
    folder = small(tmp_path)
    lines = (folder / "ledger.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    again = json.dumps(first | {"status": "FAILED", "error": "out of memory"})
    (folder / "ledger.jsonl").write_text(
        "\n".join([*lines, "{not json", again, '{"key": "half a li'])
    )
    read = runs.read(folder)
    assert len(read.runs) == 16
    assert next(r for r in read.runs if r.key == first["key"]).status == "FAILED"
    assert read.notes == ("1 damaged line of the ledger of s could not be read",)


def test_a_run_whose_folder_is_gone_or_outside_is_missing_and_not_dropped(tmp_path):
    folder = small(tmp_path)
    (folder / "runs/r0000/journal.jsonl").unlink()
    (folder / "runs/r0001/journal.jsonl").write_text("[]\n")
    # a run, but none of this sweep's
    shutil.copytree(folder / "runs/r0002", tmp_path / "elsewhere")
    text = (folder / "ledger.jsonl").read_text().replace("runs/r0002", "../elsewhere")
    (folder / "ledger.jsonl").write_text(text)
    c = compared(folder)
    lost = [run for _, _, run in c.table.runs() if run.status == "MISSING"]
    assert sorted(run.name for run in lost) == ["../elsewhere", "runs/r0000", "runs/r0001"]
    assert (
        next(run.error for run in lost if run.name == "runs/r0000")
        == "no journal.jsonl in its folder"
    )
    assert [(s.label, s.n, s.expected) for s in c.summaries] == [("sgd", 5, 8), ("adam", 8, 8)]
    assert c.pairs[0].n == 5
    assert c.pairs[0].left_out == 3


def test_a_run_that_died_before_it_said_what_it_is_is_placed_by_its_words(tmp_path):
    folder = small(
        tmp_path,
        fate=lambda p, seed: "KILLED" if p["optimizer"] == "sgd" and seed == 3 else "FINISHED",
    )
    (folder / "runs/r0003/run.json").unlink()
    found = arranged(folder)
    assert found.groups[('"sgd"',)][3].status == "KILLED"
    assert not found.unplaced


def test_a_run_about_which_nothing_is_known_is_listed_all_the_same(tmp_path):
    folder = small(tmp_path, seeds=6)
    line = {
        "key": "zz",
        "status": "FAILED",
        "folder": "runs/none",
        "overrides": ["optimizer=lion", "seed=0"],
    }
    with (folder / "ledger.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    made = report.make([folder])
    assert "optimizer=lion seed=0" in made.text
    assert "1 run without a result (1 FAILED)" in made.text
    rows = list(csv.DictReader((made.folder / "runs.csv").read_text().splitlines()))
    assert rows[-1]["status"] == "FAILED"


@pytest.mark.parametrize("content", ["", "[]", "null", '{"axes": 3}', "{", "\x00"])
def test_a_sweep_that_cannot_be_read_is_refused_with_its_path(tmp_path, content):
    (tmp_path / "sweep.json").write_text(content)
    with pytest.raises(UserError, match=r"sweep\.json: cannot be read"):
        runs.read(tmp_path)


def find_sweep(word):
    return must_find(word, "report", runs=False)


def test_a_sweep_is_found_by_path_id_name_and_as_the_last(tmp_path, monkeypatch):
    monkeypatch.setenv("DLEXP_OUTPUTS", str(tmp_path))
    old, new = (
        small(tmp_path / "sweeps", "abc", name="first"),
        small(tmp_path / "sweeps", "def", seeds=2, created_ms=1),
    )
    assert find_sweep("abc") == find_sweep("first") == find_sweep(str(old)) == old
    assert find_sweep("def") == new
    assert find_sweep("last") == old  # its last run ended later
    with pytest.raises(
        UserError, match=r"report=frist.*choose from last, def, first; did you mean 'first'"
    ):
        find_sweep("frist")
    monkeypatch.setenv("DLEXP_OUTPUTS", str(tmp_path / "nothing"))
    with pytest.raises(UserError, match="there is no sweep in"):
        find_sweep("last")


def test_with_early_stopping_the_value_is_of_the_weights_that_were_kept(tmp_path):
    def lines(params, seed):
        events = journal(0.9, epochs=4)
        events[-2]["metrics"]["early_stopping/best_step"] = 24.0
        return events

    found = arranged(small(tmp_path, seeds=1, lines=lines))
    run = next(run for _, _, run in found.runs())
    curve = run.curves["val/accuracy"]
    assert run.final["val/accuracy"] == curve.values[curve.steps.index(24)] < curve.values[-1]
    assert run.final["test/accuracy"] == 0.9


# --- axes and groups


def test_what_follows_from_a_choice_is_no_axis(tmp_path):
    fields = {"sgd": {"lr": 0.01}, "momentum": {"lr": 0.01, "m": 0.9}, "adam": {"lr": 0.001}}
    folder = small(
        tmp_path,
        optimizers=OPTIMIZERS,
        implied=lambda p: {f"optimizer.{k}": v for k, v in fields[p["optimizer"]].items()},
    )
    (axis,) = arranged(folder).axes
    assert axis.key == "optimizer"
    assert axis.levels == ('"sgd"', '"momentum"', '"adam"')  # as typed
    assert axis.follows['"adam"'] == {"optimizer.lr": "0.001", "optimizer.m": None}


def test_swept_pairs_are_one_axis_and_what_cannot_be_told_apart_is_said(tmp_path):
    zipped = {"optimizer": ["sgd", "adam"], "optimizer.lr": [0.1, 0.001], "seed": list(range(7))}
    folder = sweep(
        tmp_path / "zip",
        zipped,
        fate=lambda p, s: (
            "FINISHED" if (p["optimizer"] == "sgd") == (p["optimizer.lr"] > 0.01) else "NEVER"
        ),
        implied=lambda p: {"epochs": 5 if p["optimizer"] == "sgd" else 10},
    )
    made = report.make([folder])
    assert [a["key"] for a in made.data["axes"]] == ["optimizer"]
    assert (
        "optimizer does not vary alone: epochs differs as well (sgd: 5 and adam: 10)"
        in " ".join(made.data["warnings"])
    )
    assert "optimizer.lr differs as well" not in " ".join(made.data["warnings"])


def test_what_does_not_differ_between_the_two_sides_of_any_comparison_is_no_warning(tmp_path):
    """SGD has another rate and no beta1: along the rate Adam alone is compared, with itself."""

    def beta1(params):
        return {"optimizer.beta1": 0.9} if params["optimizer"] == "adam" else {}

    adam = {"optimizer": ["adam"], "optimizer.lr": [0.01, 0.001], "seed": list(range(7))}
    sgd = {"optimizer": ["sgd"], "optimizer.lr": [0.1], "seed": list(range(7))}
    folders = [sweep(tmp_path / f"{i}", axes, implied=beta1) for i, axes in enumerate((adam, sgd))]
    made = report.make(folders, out=tmp_path / "r")
    (pair,) = [p for p in made.data["pairs"] if p["axis"] == "optimizer.lr"]
    assert {pair["better"], pair["worse"]} == {"lr=0.01", "lr=0.001"}
    assert "optimizer.beta1" in str(
        next(a for a in arranged(*folders).axes if a.key == "optimizer.lr").follows
    )
    assert not [w for w in made.data["warnings"] if "beta1 differs as well" in w]


@pytest.mark.parametrize("sweeper", ["tpe", "random", "grid"])
def test_tuning_is_advised_where_a_grid_was_swept_and_not_where_values_were_searched(
    tmp_path, sweeper
):
    axes = {
        "optimizer": ["sgd", "adam"],
        "optimizer.lr": [0.1, 0.01, 0.001],
        "seed": list(range(7)),
    }
    alike = sweep(tmp_path / "alike", axes, sweeper=sweeper)
    apart = sweep(
        tmp_path / "apart",
        axes,
        sweeper=sweeper,
        fate=lambda p, s: (
            "FINISHED" if (p["optimizer"] == "sgd") == (p["optimizer.lr"] > 0.01) else "NEVER"
        ),
    )
    for folder, message in (
        (alike, "averages over all swept values of"),
        (apart, "differ only in it."),
    ):
        made = report.make([folder])
        assert message in (warnings := " ".join(made.data["warnings"]))
        assert ("--tuned" in warnings) is ("--tuned" in made.text) is (sweeper == "grid")


def test_the_table_of_comparisons_says_that_its_differences_are_no_differences_of_iqm(tmp_path):
    message = "“by” is the mean of the paired differences, not the difference of two IQM."
    assert message in " ".join(report.make([small(tmp_path)]).text.split())


def test_numbers_are_ordered_as_numbers_and_lists_have_a_name(tmp_path):
    rates, hidden = [0.1, 0.001, 1e-05, 1], [[100], [50, 50], [10, 10, 10]]
    folder = sweep(tmp_path / "n", {"optimizer.lr": rates, "model.hidden": hidden, "seed": [0]})
    lr, sizes = arranged(folder).axes
    assert [lr.name(t) for t in lr.levels] == ["lr=1e-05", "lr=0.001", "lr=0.1", "lr=1"]
    assert [sizes.name(t) for t in sizes.levels] == [
        "hidden=[100]",
        "hidden=[50,50]",
        "hidden=3×10",
    ]
    assert lr.numeric
    assert not sizes.numeric


def test_a_field_of_one_method_only_is_an_axis_of_its_own_and_the_gap_is_said(tmp_path):
    first = small(tmp_path, "a", optimizers=["sgd", "adam"])
    second = sweep(
        tmp_path / "b",
        {"optimizer": ["momentum"], "optimizer.momentum": [0.5, 0.9], "seed": list(range(8))},
    )
    c = compared(first, second)
    assert [axis.key for axis in c.table.axes] == ["optimizer", "optimizer.momentum"]
    assert [s.label for s in c.summaries] == [
        "sgd",
        "adam",
        "momentum · momentum=0.5",
        "momentum · momentum=0.9",
    ]
    assert {(p.axis, *sorted((p.better, p.worse))) for p in c.pairs} == {
        ("optimizer", "adam", "sgd"),
        ("optimizer.momentum", "momentum=0.5", "momentum=0.9"),
    }
    assert c.unmade == {"optimizer": ("sgd against momentum", "adam against momentum")}


def test_a_plugin_never_follows_from_its_own_field(tmp_path):
    first = small(tmp_path, "a", optimizers=["sgd"])
    second = sweep(
        tmp_path / "b",
        {"optimizer": ["momentum"], "optimizer.momentum": [0.5, 0.9], "seed": [0, 1]},
    )
    assert [axis.key for axis in arranged(first, second).axes] == [
        "optimizer",
        "optimizer.momentum",
    ]


def test_of_numbers_that_are_met_once_none_follows_from_another_but_given_in_pairs_they_do(
    tmp_path,
):
    r = np.random.default_rng(6)
    rates = [float(10 ** r.uniform(-4, 0)) for _ in range(12)]
    decay = {lr: float(10 ** r.uniform(-6, -1)) for lr in rates}
    axes = {"optimizer.lr": rates, "regularizer.l1.strength": list(decay.values()), "seed": [0]}

    def fate(params, seed):
        return (
            "FINISHED"
            if decay[params["optimizer.lr"]] == params["regularizer.l1.strength"]
            else "NEVER"
        )

    keys = ["optimizer.lr", "regularizer.l1.strength"]
    assert [axis.key for axis in arranged(sweep(tmp_path / "once", axes, fate=fate)).axes] == keys
    seeds = {"seed": [0, 1, 2]}
    assert [
        axis.key for axis in arranged(sweep(tmp_path / "pairs", axes | seeds, fate=fate)).axes
    ] == keys[:1]


def test_a_random_search_is_not_taken_for_a_grid(tmp_path):
    r = np.random.default_rng(5)
    rates = [float(10 ** r.uniform(-4, 0)) for _ in range(30)]
    chosen = {lr: str(r.choice(["sgd", "adam"])) for lr in rates}
    folder = sweep(
        tmp_path / "search",
        {"optimizer": ["sgd", "adam"], "optimizer.lr": rates, "seed": [0]},
        fate=lambda p, s: "FINISHED" if chosen[p["optimizer.lr"]] == p["optimizer"] else "NEVER",
    )
    made = report.make([folder])
    assert [a["key"] for a in made.data["axes"]] == ["optimizer", "optimizer.lr"]
    assert made.data["pairs"] == []
    assert "as in a search" in made.text
    assert made.data["answer"].startswith("No two groups with results differ in only one setting")


def test_the_same_setting_and_seed_twice_counts_once_the_latest_with_a_result(tmp_path):
    first = small(tmp_path, "a", seeds=6)
    second = small(
        tmp_path,
        "b",
        seeds=6,
        score=lambda p, s: 0.5,
        fate=lambda p, s: "FAILED" if s == 0 else "FINISHED",
    )
    found = arranged(first, second)
    assert "repeated another's values and seed" in found.notes[0]
    sgd = found.groups[('"sgd"',)]
    assert sgd[0].sweep == "a"  # the later one failed
    assert sgd[1].final["test/accuracy"] == skill(sgd[1].params, 1) or sgd[1].sweep == "b"
    assert len(sgd) == 6
