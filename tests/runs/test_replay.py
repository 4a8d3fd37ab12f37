"""A recorded run, trained again: the same bits, or the first number that differs; probes."""

import json

import pytest
from mischief import mischief

import dlexp
from dlexp.cli.main import main
from dlexp.core.registry import find
from dlexp.storage import journal

SMALL = (
    "model.hidden=[16]",
    "data.n_train=200",
    "batch_size=50",
    "epochs=6",
    "normalization=batch_norm",
    "regularizer=dropout",
    "observer=none",
    "tracking=none",
)


@pytest.fixture
def run(in_tmp):
    """A finished run's folder."""
    return dlexp.run(*SMALL).folder


def rewrite(folder, change):
    """Change the events of a journal."""
    events = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    change(events)
    (folder / "journal.jsonl").write_text("".join(json.dumps(e) + "\n" for e in events))


def describe(folder, **changes):
    """Change run.json."""
    message = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(message | changes))
    return message


def test_a_run_replays_to_the_same_bits_and_writes_nothing(run, in_tmp, capsys):
    before = sorted(p for p in in_tmp.rglob("*"))
    for word in (run.name, str(run), json.loads((run / "run.json").read_text())["id"], "last"):
        assert main(["replay", word]) == 0
        assert (
            capsys.readouterr().out
            == "same      8 records of 7 metrics and the weights, to the bit\n"
        )
    assert sorted(p for p in in_tmp.rglob("*")) == before


def test_every_kind_of_problem_replays(in_tmp, capsys):
    dlexp.run(
        "objective=rosenbrock", "optimizer=rmsprop", "steps=20", "observer=none", "tracking=none"
    )
    assert main(["replay", "last"]) == 0
    dlexp.run(
        *SMALL,
        "early_stopping.patience=1",
        "optimizer.lr=0.5",
        "regularizer=[l1,inverted_dropout]",
        "schedule=cosine",
        "clip_norm=1",
        "dtype=float64",
        "eval_every=2",
    )
    assert main(["replay", "last"]) == 0
    assert capsys.readouterr().out.count("same ") == 2


def test_a_diverged_run_diverges_again(in_tmp, capsys):
    folder = dlexp.run(*SMALL, "normalization=none", "optimizer=sgd", "optimizer.lr=1e30").folder
    assert journal.events(folder)[0][-1].status == "DIVERGED"
    assert main(["replay", "last"]) == 0
    assert "same" in capsys.readouterr().out


def test_the_first_metric_that_differs_is_named_with_its_step_and_both_values(run, capsys):
    def nudge(events):
        records = [e for e in events if e["event"] == "record"]
        records[2]["metrics"]["val/loss"] += 1e-9
        records[3]["metrics"]["train/loss"] += 1e-9

    rewrite(run, nudge)
    was = journal.records(run)[2].metrics["val/loss"]
    assert main(["replay", "last"]) == 1
    out = capsys.readouterr().out
    assert out.startswith(f"differs   val/loss at step 8 was {was!r}, is ")
    assert "changed   nothing that was recorded" in out


def test_weights_that_differ_are_enough(run, capsys):
    rewrite(run, lambda events: events[-1].update(weights="0" * 64))
    assert main(["replay", "last"]) == 1
    assert capsys.readouterr().out.startswith("differs   the final weights differ\n")


def test_what_changed_is_named_plugin_code_and_data(run, capsys, monkeypatch):
    adam = find("optimizer", "adam")
    update = adam.update
    monkeypatch.setattr(
        adam, "update", lambda self, w, g, s, lr, t: update(self, w, g, s, 1.001 * lr, t)
    )
    message = json.loads((run / "run.json").read_text())
    code = message["identity"]["code"] | {"optimizer/adam.py": "0" * 16, "layer/gone.py": "0" * 16}
    describe(
        run,
        identity=message["identity"] | {"code": code},
        dataset=message["dataset"] | {"sha256": "f" * 64},
    )
    assert main(["replay", "last"]) == 1
    out = capsys.readouterr().out
    assert "differs   train/loss at step 4 was " in out
    assert "changed   optimizer/adam.py was changed\n" in out
    assert "changed   layer/gone.py is gone\n" in out
    assert (
        "changed   the data are not what they were: SHA-256 ffffffffffff… when the run began" in out
    )


def test_on_another_machine_there_is_a_report_of_tolerances(run, capsys):
    tags = json.loads((run / "run.json").read_text())["tags"]
    describe(run, tags=tags | {"dlexp.numerics.digest": "0" * 12, "dlexp.numerics.core": "Abacus"})

    def nudge(events):
        for e in events:
            if e["event"] == "record" and "val/loss" in e["metrics"]:
                e["metrics"]["val/loss"] *= 1 + 1e-5

    rewrite(run, nudge)
    assert main(["replay", "last"]) == 0
    out = capsys.readouterr().out
    assert "changed   core was Abacus, is " in out
    assert "  val/loss                 1e-05  (step " in out
    assert "within the tolerance of 0.001" in out
    assert main(["replay", "last", "--tolerance", "1e-6"]) == 1
    assert "outside the tolerance of 1e-06" in capsys.readouterr().out


def test_a_run_that_was_cut_short_is_compared_as_far_as_it_came(run, capsys):
    rewrite(run, lambda events: events.__delitem__(slice(4, None)))
    assert main(["replay", "last"]) == 0
    assert capsys.readouterr().out == "same      3 records of 5 metrics, to the bit\n"


def test_a_run_of_a_sweep_replays(in_tmp, capsys):
    assert main(["-m", "seed=0,1", *SMALL, "epochs=1"]) == 0
    capsys.readouterr()
    for folder in sorted((in_tmp / "outputs/sweeps").glob("*/runs/*")):
        assert main(["replay", folder.name]) == 0
    assert capsys.readouterr().out.count("same ") == 2


def test_a_probe_shows_more_and_changes_nothing(run, capsys):
    before = (run / "journal.jsonl").read_bytes()
    assert (
        main(
            ["probe", "last", "observer=[diagnostics,curves]", "observer.diagnostics.figure=false"]
        )
        == 0
    )
    out = capsys.readouterr().out
    assert out.endswith("same      8 records of 7 metrics and the weights, to the bit\n")
    (probe,) = (run / "probes").iterdir()
    assert f"folder    {probe}\n" in out
    events, _ = journal.events(probe)
    assert any(
        name.startswith("diagnostics/") for e in events if e.kind == "note" for name in e.metrics
    )
    assert [p.name for p in (probe / "figures").iterdir()] == ["curves.png"]
    assert (run / "journal.jsonl").read_bytes() == before


def test_a_probe_takes_observers_only(run, capsys):
    assert main(["probe", "last", "observer=diagnostics", "optimizer.lr=1"]) == 2
    assert "optimizer.lr (command line): only observers can be changed" in capsys.readouterr().err
    assert main(["probe", "last"]) == 2
    assert main(["probe", "last", "observer=diagnstics"]) == 2
    assert "did you mean 'diagnostics'?" in capsys.readouterr().err
    assert not (run / "probes").exists()


def test_what_cannot_be_replayed_is_refused_in_one_line(run, capsys):
    def refused(*words):
        assert main(["replay", *words]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        return err

    assert "replay=nosuch (command line): there is no such run" in refused("nosuch")
    assert "did you mean 'last'?" in refused("lst")
    assert "there is no MLflow store" in refused("0123456789abcdef0123456789abcdef")
    (run / "run.json").write_text("{")
    assert "run.json: cannot be read" in refused(run.name)


def test_a_plugin_that_is_there_no_more_is_named(in_tmp, capsys):
    with mischief(-1, lambda: None):
        dlexp.run(*SMALL, "schedule=mischief")
    assert main(["replay", "last"]) == 2
    assert "mischief" in capsys.readouterr().err
