"""Which way a metric is better is declared by the objective, never guessed."""

import json
import sys

import pytest
from claim_folders import claim, noise, studied
from report_folders import journal, sweep

from dlexp import PluginError, UserError, plugin, report
from dlexp.cli.main import main
from dlexp.config import compose_run
from dlexp.core import registry
from dlexp.report import runs
from dlexp.report.claims import decide
from dlexp.runs import lifecycle
from dlexp.sweeps.trials import choose_metric
from dlexp.tracking import view
from dlexp.tracking.sweep_folder import Survey

Classification = registry.find("objective", "classification")
Supervised = sys.modules[Classification.__module__].Supervised
FAST = ("data=blobs", "model.hidden=[4]", "observer=none", "tracking=none")


class Scored(Supervised):
    def evaluate(self):
        found = super().evaluate()
        return found | {"val/r2": found["val/accuracy"]}


def scored(name, **declared):
    """An objective that also measures val/r2, and what it declares of it."""

    def build(self, parts, rngs):
        made = Classification.build(self, parts, rngs)
        made.__class__ = Scored
        return made

    return plugin(name)(
        type("Own", (Classification,), {"build": build, "__doc__": "L", **declared})
    )


@pytest.fixture
def objectives():
    """`declared`: more of val/r2 is better; `silent`: undeclared; `contrary`: less is better."""
    made = [
        scored("declared", better={"*/r2": "high"}),
        scored("silent"),
        scored("contrary", better={"*/r2": "low"}),
    ]
    yield made
    for cls in made:
        registry.unregister(cls)


STOPPING = (
    "early_stopping.patience=2",
    "early_stopping.metric=val/r2",
    "optimizer.lr=0.01",
    "epochs=6",
)


@pytest.mark.parametrize(("name", "best"), [("declared", max), ("contrary", min)])
def test_early_stopping_returns_to_the_best_as_the_objective_declares_it(name, best, objectives):
    run = lifecycle.run_overrides((*FAST, *STOPPING, f"objective={name}"), keep=False)
    steps, values = run.history("val/r2")
    assert len({*values}) > 1
    assert run.metrics["early_stopping/best_step"] == steps[values.index(best(values))]


@pytest.mark.parametrize(
    "words",
    [
        STOPPING,
        ("-m", "seed=0,1", *STOPPING),
        (
            "-m",
            "seed=0,1",
            "hydra/sweeper=random",
            "hydra.sweeper.n_trials=2",
            "hydra.sweeper.metric=val/r2",
            "optimizer.lr=interval(0.1,1)",
            "epochs=1",
        ),
    ],
)
def test_a_metric_whose_direction_nobody_says_is_refused_before_anything_is_created(
    words, objectives, in_tmp, capsys
):
    assert main([*words, *FAST, "objective=silent"]) == 2
    err = capsys.readouterr().err
    key = "hydra.sweeper.metric" if "hydra/sweeper=random" in words else "early_stopping.metric"
    assert err.startswith(
        f"dlexp: error: {key}=val/r2 (command line): it is not declared whether more of it is"
        " better"
    )
    assert "better = {'*/r2': 'high'}" in err
    assert err.count("\n") == 1
    assert not (in_tmp / "outputs").exists()


def test_a_metric_that_stops_nothing_may_be_without_a_direction(objectives):
    run = lifecycle.run_overrides(
        (*FAST, "early_stopping.metric=val/r2", "epochs=1", "objective=silent"), keep=False
    )
    assert run.trainer.best.storage is None


def test_a_search_judges_by_what_the_objectives_declare(objectives):
    setups = {name: compose_run(*FAST, f"objective={name}") for name in ("declared", "contrary")}
    assert choose_metric("val/r2", [setups["declared"]]) == ("val/r2", 1)
    assert choose_metric("val/r2", [setups["contrary"]]) == ("val/r2", -1)
    with pytest.raises(UserError, match="must be large for one objective and small for another"):
        choose_metric("val/r2", [*setups.values()])


def test_a_run_records_what_its_objective_declares(objectives, in_tmp):
    run = lifecycle.run_overrides((*FAST, "objective=declared", "epochs=0"))
    assert json.loads((run.folder / "run.json").read_text())["better"] == {"*/r2": "high"}


@pytest.mark.parametrize(
    ("better", "message"),
    [
        ({"*/r2": "up"}, "neither 'low' nor 'high'"),
        ("high", "is no mapping"),
        ({1: "low"}, "is no mapping"),
    ],
)
def test_a_declaration_that_says_nothing_is_refused_when_the_objective_is_registered(
    better, message
):
    with pytest.raises(PluginError, match=message):
        scored("odd", better=better)


# Reports read the declaration in run.json.


def declaring(folder, better):
    """A sweep's folder, whose runs now declare this."""
    for file in folder.glob("runs/*/run.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"better": better}))
    return folder


def rated(params, seed):
    """A run whose r2 on validation is best at lr=0.1, on the test too."""
    events = journal(0.9)
    r2 = (0.9 if params["optimizer.lr"] == 0.1 else 0.5) + 0.001 * seed
    events[-3]["metrics"]["val/r2"] = events[-2]["metrics"]["test/r2"] = r2
    return events


GRID = {"optimizer": ["sgd", "adam"], "optimizer.lr": [0.1, 0.01], "seed": list(range(15))}


@pytest.mark.parametrize(("way", "lr"), [("high", "lr=0.1"), ("low", "lr=0.01")])
def test_methods_are_tuned_as_the_runs_declare_or_as_the_command_says(
    way, lr, tmp_path, no_figures
):
    folder = declaring(sweep(tmp_path / "s", GRID, lines=rated), {"*/r2": way})
    made = report.make([folder], metric="test/r2", tuned=True)
    assert {c["chosen"] for c in made.data["tuned"]["choices"]} == {lr}
    assert made.data["more_is_better"] is (way == "high")
    assert report.make([folder], metric="test/r2", better="low").data["more_is_better"] is False


@pytest.mark.parametrize("better", [{}, {"*/r2": "sideways"}, {"*/other": "high"}])
def test_a_report_on_a_metric_whose_direction_nobody_says_is_refused(better, tmp_path, no_figures):
    folder = declaring(sweep(tmp_path / "s", GRID, lines=rated), better)
    with pytest.raises(UserError, match=r"add --better high .*; or declare it in its objective"):
        report.make([folder], metric="test/r2", tuned=True)


@pytest.mark.parametrize("way", ["high", None])
def test_runs_without_a_usual_metric_are_compared_by_a_declared_one_or_the_page_lists_them(
    way, tmp_path, no_figures
):
    def unusual(params, seed):
        events = rated(params, seed)
        for event in events:
            if "metrics" in event:
                event["metrics"] = {
                    name: value for name, value in event["metrics"].items() if name.endswith("r2")
                }
        return events

    grid = {"optimizer": ["sgd", "adam"], "optimizer.lr": [0.1], "seed": [0, 1, 2]}
    folder = declaring(sweep(tmp_path / "s", grid, lines=unusual), {"*/r2": way} if way else {})
    made = report.make([folder])
    if way:
        assert made.data["metric"] == "test/r2"
    else:
        assert (
            "No run has measured test/accuracy. --metric chooses among test/r2, val/r2."
            in " ".join(made.text.split())
        )


def test_runs_that_contradict_each_other_are_not_compared(tmp_path, no_figures):
    folder = declaring(sweep(tmp_path / "s", GRID, lines=rated), {"*/r2": "low"})
    first = min(folder.glob("runs/*/run.json"))
    first.write_text(first.read_text().replace('"low"', '"high"'))
    with pytest.raises(UserError, match="the objectives of these runs disagree"):
        report.make([folder], metric="test/r2")


@pytest.mark.parametrize(
    ("better", "by", "lr"), [({"*/r2": "high"}, "val/r2", "0.1"), ({}, "val/loss", "0.01")]
)
def test_a_claim_is_tuned_by_its_own_kind_of_metric_if_its_direction_is_known(
    better, by, lr, tmp_path
):
    def ends(params, seed):
        best = params["optimizer.lr"] == 0.1
        luck = noise(params, seed, 0.001)
        return {
            "val/r2": 0.5 + 0.4 * best + luck,
            "test/r2": 0.5 + luck,
            "val/loss": 0.5 + 0.4 * best + luck,
        }

    axes = {
        "regularizer": ["none", "weight_decay"],
        "optimizer.lr": [0.1, 0.01],
        "seed": list(range(12)),
    }
    wanted = claim(metric="test/r2", tuned=["optimizer.lr"])
    (v,) = decide(runs.read(declaring(studied(tmp_path / "s", [wanted], ends, axes=axes), better)))
    assert {(c.by, c.setting["optimizer.lr"]) for c in v.chosen} == {(by, lr)}


def test_as_good_knows_the_way_that_the_runs_declare(tmp_path):
    axes = {"regularizer": ["none", "weight_decay"], "seed": list(range(10))}
    folder = studied(
        tmp_path / "s",
        [claim(metric="test/r2", direction="as_good")],
        lambda p, s: {"test/r2": 0.5 + 0.3 * (p["regularizer"] == "weight_decay")},
        axes=axes,
    )
    with pytest.raises(UserError, match=r"better .*: is missing"):
        decide(runs.read(folder))
    assert [v.status for v in decide(runs.read(declaring(folder, {"*/r2": "high"})))] == [
        "SUPPORTED"
    ]
    assert [v.status for v in decide(runs.read(declaring(folder, {"*/r2": "low"})))] == [
        "NOT SUPPORTED"
    ]


@pytest.mark.parametrize(
    ("better", "order"),
    [
        ({"*/r2": "high"}, ("metrics.`val/r2`", False)),
        ({"*/r2": "low"}, ("metrics.`val/r2`", True)),
        ({}, ("attributes.start_time", False)),
    ],
)
def test_the_table_of_a_sweep_in_mlflow_has_the_best_on_top_only_where_that_is_known(better, order):
    state = view.sweep(
        "key", Survey(["lr"], ["lr"], ["val/r2"], ["a"], False, 3, better), grouped=True
    )
    assert (state["orderByKey"], state["orderByAsc"]) == order
