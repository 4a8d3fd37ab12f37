"""What a run counts for, what is compared with what, what is said about it, and the command."""

import json

import numpy as np
import pytest
from report_folders import TAGS, arranged, compared, event, journal, small, sweep

from dlexp import UserError, report
from dlexp.cli.main import main
from dlexp.report import measure

pytestmark = pytest.mark.usefixtures("no_figures")

OPTIMIZERS = ["sgd", "momentum", "adam"]


def pair(c, better, worse):
    return next(p for p in c.pairs if (p.better, p.worse) == (better, worse))


# --- values


def test_a_diverged_run_is_the_worst_and_a_failed_one_is_missing(tmp_path):
    fate = {1: "DIVERGED", 2: "FAILED", 3: "KILLED", 4: "INTERRUPTED"}
    folder = small(
        tmp_path,
        fate=lambda p, s: fate.get(s, "FINISHED") if p["optimizer"] == "sgd" else "FINISHED",
    )
    c = compared(folder)
    sgd = c.summaries[0]
    assert sgd.values[1] == 0
    assert set(sgd.values) == {0, 1, 5, 6, 7}
    assert (sgd.n, sgd.expected, sgd.diverged) == (5, 8, 1)
    assert c.pairs[0].n == 5
    loss = compared(folder, metric="test/loss").summaries[0]
    assert loss.values[1] == np.inf
    assert np.isfinite(loss.iqm)
    assert loss.iqm_range[1] == np.inf


def test_in_a_difference_an_infinite_loss_is_the_worst_that_was_measured(tmp_path):
    folder = small(
        tmp_path, fate=lambda p, s: "DIVERGED" if p["optimizer"] == "sgd" else "FINISHED"
    )
    c = compared(folder, metric="test/loss")
    worst = max(run.final["test/loss"] for _, _, run in c.table.runs() if run.status == "FINISHED")
    assert c.measure.cap == worst
    assert c.pairs[0].better == "adam"
    assert c.pairs[0].means[1] == pytest.approx(worst)
    assert "diverged and count as infinitely bad" in report.make([folder], metric="test/loss").text


@pytest.mark.parametrize("value", [1e300, 1e308, 0.0, -1e250, 1e-320])
def test_numbers_at_the_edge_of_what_can_be_held_are_no_trouble(tmp_path, value):
    """Warnings are errors: nothing overflows on the way."""

    def lines(params, seed):
        events = journal(0.9)
        for e in events:
            e["metrics"] = dict.fromkeys(
                e.get("metrics", ()), value * (seed + 1 + (params["optimizer"] == "sgd"))
            )
        return events

    made = report.make([small(tmp_path, lines=lines)], metric="test/loss")
    assert len(made.data["pairs"]) == (value != 1e308)
    assert json.loads((made.folder / "report.json").read_text())


def test_where_everything_diverged_nothing_is_claimed(tmp_path):
    made = report.make([small(tmp_path, fate=lambda p, s: "DIVERGED")], metric="val/loss")
    assert made.data["pairs"] == []
    assert [g["iqm"] for g in made.data["groups"]] == ["inf", "inf"]
    assert made.data["answer"].startswith("Every run that has a result diverged")


def test_the_metric_falls_back_and_an_unknown_one_is_refused_with_the_nearest(tmp_path):
    assert compared(small(tmp_path, "a")).measure.metric == "test/accuracy"
    no_test = small(tmp_path, "b", lines=lambda p, s: journal(0.9, tests=False))
    assert compared(no_test).measure.metric == "train/loss"
    with pytest.raises(
        UserError,
        match=r"metric=test/acuracy: no run has measured this metric.*did you mean 'test/accuracy'",
    ):
        compared(small(tmp_path, "c"), metric="test/acuracy")


def test_a_metric_of_unknown_direction_must_be_told(tmp_path):
    def lines(params, seed):
        return [
            *journal(0.9)[:-1],
            event(10, 120, {"diagnostics/norm": 1.0 + seed}),
            journal(0.9)[-1],
        ]

    folder = small(tmp_path, lines=lines)
    with pytest.raises(UserError, match="--better high"):
        compared(folder, metric="diagnostics/norm")
    assert not compared(folder, metric="diagnostics/norm", better="low").measure.high


def test_time_to_a_target_counts_misses_and_later_divergence_as_infinite(tmp_path):
    def lines(params, seed):
        return journal(0.9 if seed < 3 else 0.5, status="DIVERGED" if seed == 0 else "FINISHED")

    fate = {0: "DIVERGED"}
    folder = small(
        tmp_path,
        seeds=5,
        optimizers=["sgd"],
        lines=lines,
        fate=lambda p, s: fate.get(s, "FINISHED"),
    )
    (s,) = compared(folder, target=0.4).summaries
    assert s.reached == 4
    (s,) = compared(folder, target=0.85).summaries
    assert (s.reached, s.time) == (2, np.inf)
    times = {
        seed: measure.time_to(run, measure.Measure("val/accuracy", True), 0.85, True)
        for _, seed, run in arranged(folder).runs()
    }
    assert times == {0: np.inf, 1: 6.0, 2: 6.0, 3: np.inf, 4: np.inf}


def test_curves_go_on_as_the_worst_after_divergence_and_as_the_last_value_after_early_stopping(
    tmp_path,
):
    def lines(params, seed):
        return journal(
            0.9, epochs={0: 10, 1: 4}.get(seed, 10), status="DIVERGED" if seed == 2 else "FINISHED"
        )

    folder = small(
        tmp_path,
        seeds=3,
        optimizers=["sgd"],
        lines=lines,
        fate=lambda p, s: "DIVERGED" if s == 2 else "FINISHED",
    )
    c = compared(folder)
    x, y = measure.curves(c.table, (), c.watched, c.epochs, np.arange(11.0))
    assert x.tolist() == list(range(11))
    assert (y[5:, 2] == 0).all()
    assert (y[4, 2] > 0).all()
    assert (y[4:, 1] == y[4, 1]).all()
    assert (np.diff(y[:, 0]) > 0).all()


def test_a_record_in_the_middle_of_an_epoch_stands_between_them(tmp_path):
    def lines(params, seed):
        *events, end = journal(0.9, epochs=3, tests=False)
        return [*events, event(3, 42, {"val/loss": 0.1}), end]

    c = compared(small(tmp_path, seeds=1, optimizers=["sgd"], lines=lines))
    x, _ = measure.curves(c.table, (), c.watched, c.epochs, np.empty(0))
    assert x.tolist() == [0, 1, 2, 3, 3.5]


# --- comparisons


def test_both_sides_of_a_pair_are_averaged_over_the_other_axes_within_each_seed(tmp_path):
    axes = {"optimizer": OPTIMIZERS, "initializer": ["he", "xavier"], "seed": list(range(9))}
    c = compared(sweep(tmp_path / "s", axes))
    value = {(g, seed): c.measure.of(run) for g, seed, run in c.table.runs()}
    d = [
        np.mean([value[('"adam"', i), s] - value[('"sgd"', i), s] for i in ('"he"', '"xavier"')])
        for s in range(9)
    ]
    found = pair(c, "adam", "sgd")
    assert found.gain == pytest.approx(np.mean(d))
    assert found.p == 2 / 2**9
    assert (found.n, found.cells, found.agree, found.won) == (9, 2, 2, 9)
    assert len(c.pairs) == 3 + 1
    assert found.p_holm == pytest.approx(4 * 2 / 2**9)
    assert pair(c, "adam", "sgd").verdict == "better"


def test_a_seed_that_lacks_a_run_on_either_side_is_left_out(tmp_path):
    axes = {"optimizer": ["sgd", "adam"], "initializer": ["he", "xavier"], "seed": list(range(9))}

    def fate(params, seed):
        return (
            "KILLED"
            if (params["optimizer"], params["initializer"], seed) == ("adam", "he", 4)
            else "FINISHED"
        )

    c = compared(sweep(tmp_path / "s", axes, fate=fate))
    assert [(p.axis, p.n, p.left_out) for p in c.pairs] == [
        ("optimizer", 8, 1),
        ("initializer", 8, 1),
    ]


def test_numbers_are_compared_with_their_neighbours_and_choices_with_each_other(tmp_path):
    axes = {
        "optimizer.lr": [0.1, 0.01, 0.001, 0.0001],
        "activation": ["relu", "tanh", "sigmoid"],
        "seed": list(range(6)),
    }
    c = compared(sweep(tmp_path / "s", axes))
    seen = {frozenset((p.better, p.worse)) for p in c.pairs}
    assert seen == {
        frozenset({"lr=0.1", "lr=0.01"}),
        frozenset({"lr=0.01", "lr=0.001"}),
        frozenset({"lr=0.001", "lr=0.0001"}),
        frozenset({"relu", "tanh"}),
        frozenset({"relu", "sigmoid"}),
        frozenset({"tanh", "sigmoid"}),
    }


def test_five_seeds_give_no_verdict_and_six_may(tmp_path):
    five = report.make([small(tmp_path, "five", seeds=5)])
    assert five.data["pairs"][0]["verdict"] == "no verdict"
    assert (
        "a verdict needs at least 6; with 5 the smallest possible two-sided p is .0625"
        in " ".join(five.data["warnings"])
    )
    assert five.data["ranking"]["optimizer"][0]["last"] == 2
    six = report.make([small(tmp_path, "six", seeds=6)])
    assert six.data["pairs"][0]["verdict"] == "better"


def test_it_is_said_beforehand_when_no_comparison_can_be_significant(tmp_path):
    c = report.make(
        [small(tmp_path, seeds=7, optimizers=["sgd", "momentum", "adagrad", "adam", "x"])]
    )
    assert (
        "With n = 7 paired seeds and 10 planned comparisons no single difference can be"
        in " ".join(c.data["warnings"])
    )
    assert "9 seeds, or fewer comparisons, could decide" in " ".join(c.data["warnings"])
    assert {p["verdict"] for p in c.data["pairs"]} == {"INCONCLUSIVE"}
    assert "INCONCLUSIVE" in c.data["answer"]


def test_equal_methods_are_inconclusive_and_equivalent_only_with_a_margin(tmp_path):
    folder = small(
        tmp_path,
        seeds=10,
        score=lambda p, s: 0.9 + 0.001 * (s % 2 - 0.5) * (1 if p["optimizer"] == "sgd" else -1),
    )
    assert compared(folder).pairs[0].verdict == "INCONCLUSIVE"
    assert compared(folder, margin=0.01).pairs[0].verdict == "EQUIVALENT"
    assert compared(folder, margin=0.0005).pairs[0].verdict == "INCONCLUSIVE"


def test_the_ranking_leaves_open_what_is_not_decided(tmp_path):
    score = {"sgd": 0.7, "momentum": 0.9, "adam": 0.9, "adagrad": 0.8}
    folder = small(
        tmp_path,
        seeds=10,
        optimizers=list(score),
        score=lambda p, s: (
            score[p["optimizer"]] + 0.01 * np.random.default_rng([s, len(p["optimizer"])]).normal()
        ),
    )
    ranks = {r.level: (r.best, r.last) for r in compared(folder).ranking["optimizer"]}
    assert ranks == {"momentum": (1, 2), "adam": (1, 2), "adagrad": (3, 3), "sgd": (4, 4)}


def test_the_better_comes_first_whichever_way_is_better(tmp_path):
    folder = small(tmp_path)
    for metric in ("test/accuracy", "test/loss"):
        c = compared(folder, metric=metric)
        assert (c.pairs[0].better, c.pairs[0].worse) == ("adam", "sgd")
        assert c.pairs[0].gain > 0
        assert c.pairs[0].won == 8
        assert c.pairs[0].improvement == 1


def test_repeating_what_no_seed_changes_is_no_evidence(tmp_path):
    def lines(params, seed):
        f = {"sgd": 0.9, "adam": 0.7}[params["optimizer"]]
        steps = [event(k, k, {"train/loss": 6.45 * f**k}) for k in range(11)]
        return [
            *steps,
            {"event": "finish", "time_ms": 1, "status": "FINISHED", "error": None, "elapsed": 1.0},
        ]

    made = report.make(
        [small(tmp_path, lines=lines, dataset=False, implied=lambda p: {"objective": "valley"})]
    )
    assert made.data["metric"] == "train/loss"
    assert made.data["pairs"][0]["p"] is None
    assert made.data["pairs"][0]["verdict"] == "no verdict"
    assert "there is nothing to test" in made.data["answer"]


@pytest.mark.parametrize(
    ("tag", "message"),
    [("dlexp.git.commit", "2 commits"), ("dlexp.numerics.digest", "2 numerical environments")],
)
def test_runs_of_different_making_are_not_passed_over(tmp_path, tag, message):
    a = small(tmp_path, "a")
    b = small(tmp_path, "b", optimizers=["momentum"], tags=TAGS | {tag: "other"})
    assert message in " ".join(report.make([a, b], out=tmp_path / "r").data["warnings"])


def test_groups_that_met_different_data_are_not_called_paired(tmp_path):
    folder = small(tmp_path, seeds=6)
    path = folder / "runs/r0002/run.json"
    told = json.loads(path.read_text())
    told["dataset"]["sha256"] = "another"
    path.write_text(json.dumps(told))
    assert "Not truly paired: for seed 2" in " ".join(report.make([folder]).data["warnings"])


# --- the command


def test_the_command_prints_the_report_of_the_last_sweep(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DLEXP_OUTPUTS", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    small(tmp_path / "sweeps", "abc", name="my sweep")
    assert main(["report", "--target", "0.5", "--margin=0.001"]) == 0
    out = capsys.readouterr().out
    assert "adam is better than sgd by" in out
    assert "report  sweeps/abc/report/report.html" in out
    assert main(["report", "my sweep", "--metric", "val/loss", "--out", "here"]) == 0
    assert (tmp_path / "here/report.html").is_file()


@pytest.mark.parametrize(
    "words",
    [
        ["--target", "nan"],
        ["--margin", "0"],
        ["--margin=-1"],
        ["--metrics", "x", "y"],
        ["--better=up"],
    ],
)
def test_the_command_refuses_what_makes_no_sense_in_one_line(tmp_path, capsys, words):
    assert main(["report", str(small(tmp_path)), *words]) == 2
    err = capsys.readouterr().err
    assert err.startswith("dlexp: error: ")
    assert err.count("\n") == 1


def test_a_sweep_without_an_end_of_any_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="no run has ended yet"):
        report.make([small(tmp_path, fate=lambda p, s: "NEVER")])
