"""MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME choose the store unless the command does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlexp import tracking
from dlexp.cli.main import main
from dlexp.runs import lifecycle
from dlexp.tracking import address, settings, ui

FAST = ("epochs=1", "model.hidden=[5]", "data.n_train=100", "observer=none")
SERVER, NAME = "http://mlflow.example:5000", "homework 3"
URI, EXPERIMENT = "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"


@pytest.fixture
def unsent(in_tmp, monkeypatch):
    """Nothing is sent, and the two variables are set."""
    monkeypatch.setattr(
        lifecycle.tracking, "start", lambda folders: tracking.Sender(folders, None, "not now")
    )
    monkeypatch.setattr(
        tracking, "start_sweep", lambda folder: tracking.Sender([folder], None, "not now")
    )
    monkeypatch.setenv(URI, SERVER)
    monkeypatch.setenv(EXPERIMENT, NAME)
    return in_tmp


def shown(folder):
    """What a run's folder, or a sweep's, says of MLflow."""
    (file,) = [*folder.glob("outputs/runs/*/run.json"), *folder.glob("outputs/sweeps/*/sweep.json")]
    return json.loads(file.read_text())["tracking"]


def test_the_environment_decides_where_the_command_does_not_and_the_end_says_so(unsent, capsys):
    assert main([*FAST]) == 0
    out = capsys.readouterr().out
    assert f"chosen    by the environment: {URI}={SERVER}, {EXPERIMENT}={NAME}\n" in out
    assert "look      python -m dlexp ui   " in out
    told = shown(unsent)
    assert (told["uri"], told["experiment"]) == (SERVER, NAME)
    assert told["environment"] == [URI, EXPERIMENT]


def test_what_the_command_says_wins_and_nothing_is_said_of_the_environment(unsent, capsys):
    assert main([*FAST, "tracking.uri=sqlite:///own.db", "tracking.experiment=dlexp"]) == 0
    assert "environment" not in capsys.readouterr().out
    told = shown(unsent)
    assert (told["uri"], told["experiment"]) == ("sqlite:///{outputs}/../own.db", "dlexp")
    assert "environment" not in told


@pytest.mark.parametrize("words", [[], ["tracking.experiment=x"]])
def test_without_the_variables_or_with_empty_ones_all_is_as_ever(unsent, monkeypatch, words):
    monkeypatch.setenv(URI, "")
    monkeypatch.delenv(EXPERIMENT)
    assert main([*FAST, *words]) == 0
    told = shown(unsent)
    assert told["experiment"] == ("x" if words else "dlexp")
    assert told["uri"] == address.OWN
    assert "environment" not in told


SECRET = "hunter2"
REFUSED = {
    f"http://ann:{SECRET}@localhost:1": "MLFLOW_TRACKING_PASSWORD",
    f"https://{SECRET}@localhost": "password",
    f"http://localhost?token={SECRET}": "password",
    f"postgresql://ann:{SECRET}@db/runs": "PGPASSWORD",
    "./mlruns": "must be a server or a database",
    "databricks": "must be a server or a database",
}


@pytest.mark.parametrize("address", REFUSED)
@pytest.mark.parametrize("words", [FAST, ("-m", "seed=0,1", *FAST), ("--dry-run", *FAST), ("ui",)])
def test_an_address_with_a_secret_or_of_another_kind_is_refused_and_nothing_is_created(
    unsent, monkeypatch, capsys, address, words
):
    monkeypatch.setenv(URI, address)
    assert main(list(words)) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"dlexp: error: {URI}=")
    assert "(environment): " in err
    assert REFUSED[address] in err
    assert SECRET not in err
    assert err.count("\n") == 1
    assert list(unsent.iterdir()) == []


def test_without_mlflow_the_variables_mean_nothing(unsent, monkeypatch):
    monkeypatch.setenv(URI, f"http://ann:{SECRET}@localhost:1")
    assert main([*FAST, "tracking=none"]) == 0
    assert shown(unsent) is None


def test_a_sweep_and_its_workers_are_of_one_mind_and_it_keeps_its_store_when_it_goes_on(
    unsent, monkeypatch, capsys
):
    words = ["-m", "seed=0,1", *FAST]
    assert main(words) == 0
    (folder,) = (unsent / "outputs" / "sweeps").iterdir()
    told = shown(unsent)
    members = [json.loads(file.read_text())["tracking"] for file in folder.glob("runs/*/run.json")]
    assert members == [told, told]
    assert f"{URI}={SERVER}" in capsys.readouterr().out
    monkeypatch.setenv(URI, f"http://ann:{SECRET}@localhost:1")  # not asked any more
    monkeypatch.delenv(EXPERIMENT)
    assert main(["-m", "seed=0,1,2", *FAST]) == 0
    assert main(["resume", folder.name]) == 0
    assert shown(unsent) == told
    out = capsys.readouterr().out
    assert f"{URI}={SERVER}" in out
    assert f"--uri {SERVER}" in out  # since `ui` would look somewhere else now


def test_a_sweep_in_our_own_store_stays_there(unsent, monkeypatch):
    monkeypatch.delenv(URI)
    assert main(["-m", "seed=0,1", *FAST]) == 0
    told = shown(unsent)
    monkeypatch.setenv(URI, SERVER)
    assert main(["-m", "seed=0,1", *FAST]) == 0
    assert shown(unsent) == told
    assert told["uri"] == address.OWN


def test_ui_shows_the_store_that_new_runs_go_to(unsent, monkeypatch, capsys):
    served = []
    monkeypatch.setattr(
        ui, "serve", lambda uri, **more: served.append((uri, more["experiment"])) or 0
    )
    assert main(["ui"]) == 0
    assert f"chosen    by the environment: {URI}={SERVER}\n" in capsys.readouterr().out
    assert main(["ui", "--uri", "sqlite:///own.db", "--experiment", "x"]) == 0
    assert served == [(SERVER, NAME), ("sqlite:///own.db", "x")]
    assert "environment" not in capsys.readouterr().out


def test_credentials_of_mlflows_own_reach_the_sender_and_no_file(unsent, monkeypatch):
    own = {
        "MLFLOW_TRACKING_USERNAME": "ann",
        "MLFLOW_TRACKING_PASSWORD": SECRET,
        "MLFLOW_TRACKING_TOKEN": SECRET,
    }
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    assert own.items() <= tracking.environment().items()
    assert main([*FAST]) == 0
    files = [path for path in unsent.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


def test_the_tests_themselves_are_not_disturbed():
    code = (
        "import os, conftest; print([n for n in ('MLFLOW_TRACKING_URI', 'MLFLOW_EXPERIMENT_NAME')"
        " if n in os.environ])"
    )
    env = os.environ | {URI: SERVER, EXPERIMENT: NAME, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
    assert settings.of_environment(*settings.VARIABLES) == {}
