"""The life of a run in a notebook and on the command line (test_tracking has MLflow)."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import yaml
from PIL import Image

import dlexp
from dlexp import Schedule, plugin
from dlexp.cli.main import main
from dlexp.config import compose_run
from dlexp.core.kinds import KINDS
from dlexp.core.registry import unregister
from dlexp.storage import journal
from dlexp.storage.records import RunDescription

FAST = ("epochs=2", "model.hidden=[10]", "data.n_train=200")
ALONE = (*FAST, "tracking=none")


def only_folder(outputs):
    (folder,) = (outputs / "runs").iterdir()
    return folder


def test_the_command_leaves_a_folder_with_all_that_the_readme_names(in_tmp, capsys):
    assert main(["optimizer=adam", "init=he", "regularizer=dropout", *ALONE]) == 0
    folder = only_folder(in_tmp / "outputs")
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    expected = {"run.json", "journal.jsonl", "config.yaml", "run.log", "network.npz"}
    assert names - {"lock"} == expected | {
        "figures/curves.png",
        "figures/histograms.png",
        "arrays/histograms.npz",
    }
    for figure in (folder / "figures").iterdir():
        with Image.open(figure) as image:
            assert min(image.size) >= 400
    out = capsys.readouterr().out
    assert out.startswith("finished  test/accuracy 0.")
    assert f"outputs/runs/{folder.name}" in out
    message = RunDescription.read(folder)
    assert message.name == "adam he dropout hidden=10 n_train=200 epochs=2 s0"
    assert message.params["optimizer"] == "adam"
    assert message.params["optimizer.lr"] == 0.001
    assert message.params["regularizer"] == "dropout"
    assert message.params["regularizer.dropout.ratio"] == 0.2
    assert message.dataset["train"] == 200
    assert len(message.dataset["sha256"]) == 64
    assert message.tags["dlexp.overrides"] == " ".join(
        ["optimizer=adam", "initializer=he", "regularizer=dropout", *ALONE]
    )
    assert message.tags["dlexp.numerics.threads"] == "1"


def test_run_json_says_what_everything_would_be_if_nobody_had_chosen(in_tmp):
    chosen = (
        "optimizer=momentum",
        "optimizer.lr=1",
        "regularizer=[dropout,weight_decay]",
        "seed=3",
        "clip_norm=5",
        "regularizer.dropout.ratio=0.5",
        "early_stopping.patience=9",
        "observer=none",
    )
    message = RunDescription.read(dlexp.run(*chosen, *ALONE).folder)
    plain = RunDescription.read(
        dlexp.run(
            "optimizer=momentum",
            "regularizer=[dropout,weight_decay]",
            "observer=none",
            "tracking=none",
            "epochs=0",
            "steps=0",
        ).folder
    ).params
    assert message.defaults == {k: v for k, v in plain.items() if k not in KINDS} | {
        "epochs": 50,
        "steps": None,
    }
    assert message.defaults["optimizer.lr"] == 0.01
    assert {
        k
        for k in message.params
        if k in message.defaults and message.params[k] != message.defaults[k]
    } == {
        "optimizer.lr",
        "seed",
        "clip_norm",
        "regularizer.dropout.ratio",
        "early_stopping.patience",
        "epochs",
        "model.hidden",
        "data.n_train",
    }


def test_a_named_variant_and_a_field_that_must_be_chosen_do_not_change_the_defaults(in_tmp):
    @plugin("needy")
    class Needy(Schedule):
        """Half the rate, until somebody says how much."""

        floor: float
        ends: tuple[float, ...] = (1, 2)
        start: float = 1

        def __call__(self, t, total):
            return self.floor

    try:
        experiment = compose_run("optimizer=heavy_momentum").experiment
        known = replace(experiment, schedule=Needy(floor=0.5)).defaults()
    finally:
        unregister(Needy)
    assert experiment.params()["optimizer.momentum"] == 0.99
    assert known["optimizer.momentum"] == 0.9
    assert "schedule.floor" not in known
    # as params say them
    assert json.dumps([known["schedule.start"], known["schedule.ends"]]) == "[1.0, [1.0, 2.0]]"


def test_python_does_the_same_and_returns_the_run(in_tmp):
    run = dlexp.run("optimizer=adam", "seed=3", *ALONE)
    assert run.status == "FINISHED"
    assert run.experiment.optimizer.name == "adam"
    assert run.folder.parent == in_tmp / "outputs" / "runs"
    assert 0 < run.metrics["test/accuracy"] <= 1
    steps, losses = run.history("train/loss")
    assert steps == [0, 2, 4]
    assert losses[-1] < losses[0]
    assert run.network.params["dense1.W"].shape == (64, 10)
    events, _ = journal.events(run.folder)
    written = [(e.step, e.metrics) for e in events if e.kind == "record"]
    assert written == [(r.step, r.metrics) for r in run.records]
    assert dlexp.run("optimizer=adam", "seed=3", *ALONE).records == run.records


def test_runs_in_threads_take_turns_and_give_the_same_bits(in_tmp):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda seed: dlexp.run(*FAST, f"seed={seed}", keep=False), [0, 0, 1]))
    assert runs[0].records == runs[1].records != runs[2].records


def test_keep_false_writes_nothing(in_tmp):
    run = dlexp.run(*FAST, keep=False)
    assert run.status == "FINISHED"
    assert run.folder is None
    assert list(in_tmp.iterdir()) == []


def test_python_raises_what_the_command_line_says(in_tmp):
    with pytest.raises(
        dlexp.UserError, match=r"optimizer=adm \(command line\): there is no optimizer of that name"
    ):
        dlexp.run("optimizer=adm")
    with pytest.raises(
        dlexp.UserError, match=r"batch_size=5000 \(command line\): there are only 1257"
    ):
        dlexp.run("batch_size=5000")
    assert list(in_tmp.iterdir()) == []


def test_the_recorded_configuration_describes_the_same_experiment(in_tmp):
    run = dlexp.run("optimizer=momentum", "optimizer.lr=0.05", "regularizer=[dropout,l1]", *ALONE)
    config = in_tmp / "again"
    config.mkdir()
    text = (run.folder / "config.yaml").read_text()
    message = yaml.safe_load(text)
    assert message["optimizer"] == {"name": "momentum", "lr": 0.05, "momentum": 0.9}
    assert message["initializer"] == {"name": "he"}
    assert message["regularizer"] == {"dropout": {"ratio": 0.2}, "l1": {"strength": 1e-5}}
    assert message["early_stopping"] == {"patience": None, "metric": "val/loss"}
    assert message["tracking"] == {"name": "none"}
    assert {"data", "model", "objective", "seed", "epochs", "dtype"} <= set(message)
    again = compose_run(
        "optimizer=momentum", "optimizer.lr=0.05", "regularizer=[dropout,l1]", *ALONE
    )
    assert again.experiment == run.experiment
    assert again.yaml == text


def test_a_diverged_run_is_recorded_as_such_and_exits_1(in_tmp, capsys):
    assert main(["optimizer=sgd", "optimizer.lr=1e30", *ALONE]) == 1
    folder = only_folder(in_tmp / "outputs")
    events, _ = journal.events(folder)
    assert events[-1].status == "DIVERGED"
    assert "diverged at step" in events[-1].error
    out, err = capsys.readouterr()
    assert out.startswith("diverged  diverged at step")
    assert "Traceback" not in err
    assert not (folder / "network.npz").exists()
    assert (folder / "figures" / "curves.png").exists()


def test_a_defect_in_a_plugin_is_recorded_as_failed_with_its_traceback(in_tmp, monkeypatch, capsys):
    from dlexp.core.registry import find

    def defect(*args):
        raise RuntimeError("a defect")

    monkeypatch.setattr(find("optimizer", "sgd"), "update", defect)
    assert main(["optimizer=sgd", *ALONE]) == 1
    folder = only_folder(in_tmp / "outputs")
    assert journal.events(folder)[0][-1].status == "FAILED"
    assert "RuntimeError: a defect" in (folder / "run.log").read_text()
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_so_in_its_journal_and_exit_status(number, status, in_tmp):
    code = (  # a shell that starts tests in the background has them ignore Ctrl-C
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from dlexp.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "epochs=20000", "model.hidden=[10]", "tracking=none"]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        until(
            lambda: any(
                len(journal.events(p.parent)[0]) > 2
                for p in in_tmp.glob("outputs/runs/*/journal.jsonl")
            )
        )
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
    finally:
        child.kill()
    assert child.returncode == status
    assert journal.events(only_folder(in_tmp / "outputs"))[0][-1].status == "INTERRUPTED"
    assert "Traceback" not in err
    assert out.startswith("interrupted")


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_a_surface_is_an_ordinary_run_whose_figure_is_the_path(in_tmp, capsys):
    words = [
        "objective=valley",
        "optimizer=momentum",
        "optimizer.lr=0.1",
        "steps=30",
        "tracking=none",
    ]
    assert main(words) == 0
    folder = only_folder(in_tmp / "outputs")
    assert (folder / "figures" / "path.png").exists()
    records = [e for e in journal.events(folder)[0] if e.kind == "record"]
    assert [r.step for r in records[:-1]] == list(range(31))
    assert records[0].metrics["path/x"] == -7
    message = RunDescription.read(folder)
    assert message.params["objective"] == "valley"
    assert not {"data", "model", "initializer"} & set(message.params)
    assert message.dataset is None


def test_an_outputs_folder_that_cannot_be_written_is_told_in_one_line(in_tmp, monkeypatch, capsys):
    (in_tmp / "file").write_text("")
    monkeypatch.setenv("DLEXP_OUTPUTS", str(in_tmp / "file"))
    assert main([*ALONE]) == 2
    err = capsys.readouterr().err
    assert "the run folder cannot be created" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("encoding", ["ascii", "gbk", "cp1252"])
def test_a_terminal_without_greek_letters_gets_help_all_the_same(encoding, in_tmp):
    command = [sys.executable, "-m", "dlexp", "help", "adam"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, env=environment, capture_output=True)
    assert done.returncode == 0
    assert b"optimizer.lr=0.001" in done.stdout


def test_a_reader_that_goes_away_is_no_defect(in_tmp):
    shell = f"'{sys.executable}' -m dlexp help optimizer | head -n 0; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
    assert "Traceback" not in done.stderr


def test_hydras_own_flags_work(in_tmp, capsys):
    assert main(["--cfg", "job", "optimizer=sgd"]) == 0
    assert "lr: 0.01" in capsys.readouterr().out
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"dlexp {dlexp.__version__}\n"
    assert list(in_tmp.iterdir()) == []


def test_with_a_spread_every_seed_starts_elsewhere_and_the_same_seed_at_the_same_place():
    def start(*words):
        run = dlexp.run("objective=valley", "steps=1", "tracking=none", *words, keep=False)
        return run.records[0].metrics["path/x"], run.records[0].metrics["path/y"]

    assert start() == start("seed=5") == (-7, 2)
    found = [start("objective.spread=0.5", f"seed={i}") for i in range(8)]
    assert len(set(found)) == 8
    assert all(abs(x + 7) < 0.5 and abs(y - 2) < 0.5 for x, y in found)
    assert start("objective.spread=0.5", "seed=3", "optimizer=momentum") == found[3]
