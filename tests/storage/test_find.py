"""A run or a sweep is found by what a user types, the same in every command."""

import json
import os

import pytest

from dlexp.cli.main import main
from dlexp.errors import UserError
from dlexp.storage.find import find, must_find

EVENT = '{"event": "start", "time_ms": 1, "elapsed": 0}\n'


def a_run(folder, own_id, mlflow_id=None):
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"id": own_id}))
    (folder / "journal.jsonl").write_text(EVENT)
    if mlflow_id:
        (folder / "mlflow.json").write_text(json.dumps({"run_id": mlflow_id}))
    return folder


@pytest.fixture
def home(in_tmp):
    """A run, and a sweep with one run."""
    outputs = in_tmp / "outputs"
    a_run(outputs / "runs" / "1-adam", "1", "0123abcd")
    a_run(outputs / "sweeps" / "s1" / "runs" / "k-sgd", "k")
    sweep = outputs / "sweeps" / "s1"
    (sweep / "sweep.json").write_text(json.dumps({"id": "s1", "name": "mine", "created_ms": 5}))
    (sweep / "lock").touch()
    return outputs


@pytest.mark.parametrize("word", ["1-adam", "1", "0123abcd", "outputs/runs/1-adam"])
def test_a_run_is_found_by_its_folders_name_its_id_mlflows_id_and_its_path(home, word):
    assert find(word).resolve() == home / "runs" / "1-adam"
    assert find(word, sweeps=False).resolve() == home / "runs" / "1-adam"
    assert find(word, runs=False) is None


@pytest.mark.parametrize("word", ["s1", "mine", "outputs/sweeps/s1"])
def test_a_sweep_is_found_by_its_id_its_name_and_its_path(home, word):
    assert find(word).resolve() == home / "sweeps" / "s1"
    assert find(word, sweeps=False) is None


def test_last_is_what_changed_last_and_a_sweep_rather_than_its_run(home):
    run, sweep = home / "runs" / "1-adam", home / "sweeps" / "s1"
    for file, when in (
        (run / "journal.jsonl", 300),
        (sweep / "runs" / "k-sgd" / "journal.jsonl", 200),
        (sweep / "lock", 100),
    ):
        os.utime(file, (when, when))
    assert find("last") == run
    os.utime(sweep / "runs" / "k-sgd" / "journal.jsonl", (400, 400))
    assert find("last") == sweep
    assert find("last", sweeps=False) == sweep / "runs" / "k-sgd"


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({}, "there is no such run or sweep; choose from last, mine, 1-adam; did you mean 'mine'"),
        ({"sweeps": False}, "there is no such run; choose from last, k-sgd, 1-adam"),
        ({"runs": False}, "there is no such sweep, nor a folder with a sweep.json; choose from"),
    ],
)
def test_what_there_is_not_is_answered_with_what_there_is(home, kinds, message):
    with pytest.raises(UserError) as e:
        must_find("mien", "resume", **kinds)
    assert str(e.value).startswith(f"resume=mien (command line): {message}")


def test_an_empty_outputs_folder_is_said_with_its_path(in_tmp):
    with pytest.raises(UserError, match=f"there is no run or sweep in {in_tmp / 'outputs'}"):
        must_find("last", "resume")


@pytest.mark.parametrize("word", ["1-adam", "mine", "last"])
def test_sync_and_doctor_take_names_too(home, word, capsys):
    assert main(["sync", word]) == 0
    main(["doctor", "--dry-run", word])
    out, err = capsys.readouterr()
    assert "nothing to send" in out
    assert "outputs/" in out
    assert err == ""
