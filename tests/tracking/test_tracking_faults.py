"""MLflow is dead, hangs, fails or returns; runs are killed: training ends, MLflow has it all."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from fake_servers import Gate, asked, free_port, mlflow_server
from run_folders import with_store

from dlexp import tracking
from dlexp.storage import journal
from dlexp.storage.lines import MEASURED
from dlexp.tracking import state

RUN = ("epochs=3", "model.hidden=[10]", "data.n_train=200", "observer=none")
PATIENT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "600"}  # only tracking.wait bounds the command then
BOUND = 240  # seconds for a command that must not take as long as that
SLOW = pytest.mark.slow
AWAY = {"hanging": "hang", "broken": "500"}


def dlexp(folder, *words, **environment):
    """A command, in a process of its own."""
    command = [sys.executable, "-m", "dlexp", *words]
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )


def only_run(folder):
    (run,) = (folder / "outputs" / "runs").iterdir()
    return run


def rest(run):
    """Wait for the sender in the background to have ended."""
    with journal.FileLock(run / "mlflow.lock", timeout=BOUND):
        pass


def trained(folder, done):
    """The run's folder, after a check that MLflow did not hinder the training."""
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    run = only_run(folder)
    events, _ = journal.events(run)
    assert events[-1].status == "FINISHED"
    assert [e.epoch for e in events if e.kind == "record"] == [0, 1, 2, 3, 3]
    assert (run / "network.npz").exists()
    assert done.stdout.startswith("finished  test/accuracy 0.")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("MLflow ")]
    assert "the run is not complete yet" in line
    assert "python -m dlexp sync" in line
    return run, line


def measured(run):
    """Every finite measurement of a journal: name, value, time."""
    events, _ = journal.events(run)
    found = [e for e in events if e.kind in MEASURED]
    return sorted((k, v, e.time_ms) for e in found for k, v in e.metrics.items() if v is not None)


def mirrored(store, run):
    """A store's copy of a run: statuses, measurements with their history, number of models."""
    own = json.loads((run / "run.json").read_text())["id"]
    ids = "(select run_uuid from tags where key = 'dlexp.run_id' and value = ?)"
    return (
        asked(store, f"select status from runs where run_uuid in {ids}", own),
        sorted(
            asked(store, f"select key, value, timestamp from metrics where run_uuid in {ids}", own)
        ),
        asked(store, f"select count(*) from logged_models where source_run_id in {ids}", own),
        sorted(asked(store, f"select key, value from params where run_uuid in {ids}", own)),
    )


@pytest.mark.parametrize(
    "kind", ["hanging", pytest.param("dead", marks=SLOW), pytest.param("broken", marks=SLOW)]
)
def test_training_ends_as_if_nothing_were_whatever_the_server_does(tmp_path, kind):
    """The command waits only for `tracking.wait`: the server answers when the command has ended."""
    with Gate(lambda n: AWAY.get(kind)) as gate:
        address = f"http://127.0.0.1:{free_port()}" if kind == "dead" else gate.address
        done = dlexp(tmp_path, *RUN, f"tracking.uri={address}", "tracking.wait=0.5", **PATIENT)
        run, _ = trained(tmp_path, done)
    rest(run)


@pytest.mark.slow
def test_the_command_says_what_is_wrong_with_the_server(tmp_path):
    address = f"http://127.0.0.1:{free_port()}"
    _, line = trained(tmp_path, dlexp(tmp_path, *RUN, f"tracking.uri={address}"))
    assert f"cannot reach MLflow at {address}: connection refused; nothing is lost, " in line
    done = dlexp(tmp_path, "sync")
    assert done.returncode == 1
    assert "connection refused" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A real MLflow: its address, and the file of its store."""
    folder = tmp_path_factory.mktemp("server")
    with mlflow_server(folder) as address:
        yield address, folder / "mlflow.db"


def synced(folder, store, run):
    """Call `sync` twice; each time, MLflow has the content of the journal, and nothing twice."""
    for message in ("complete: ", "complete: "):
        done = dlexp(folder, "sync")
        assert done.returncode == 0, done.stderr
        assert message in done.stdout
        status, metrics, models, params = mirrored(store, run)
        assert (status, models) == ([("FINISHED",)], [(1,)])
        assert metrics == measured(run)
        assert ("optimizer", "adam") in params
        assert ("optimizer.lr", "0.001") in params


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dead", *AWAY])
def test_sync_brings_a_server_that_was_away_up_to_date(tmp_path, server, kind):
    address, store = server
    port = free_port()
    if kind == "dead":
        run, _ = trained(
            tmp_path,
            dlexp(tmp_path, *RUN, f"tracking.uri=http://127.0.0.1:{port}", "tracking.wait=0"),
        )
        rest(run)
    else:
        with Gate(lambda n: AWAY[kind], port=port) as gate:
            run, _ = trained(
                tmp_path, dlexp(tmp_path, *RUN, f"tracking.uri={gate.address}", "tracking.wait=0")
            )
        rest(run)
    assert mirrored(store, run)[0] == []
    with Gate(lambda n: "pass", address, port):
        synced(tmp_path, store, run)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "first", "n"),
    [("500", 0, 2), ("500", 3, 2), ("mute", 0, 99), ("mute", 3, 9), ("drop", 3, 9)],
)
def test_a_server_that_fails_for_a_while_has_everything_once(tmp_path, server, what, first, n):
    """A `mute` one does what it is asked and says that it failed: what is sent again must not be
    there twice.

    Nor what was carried out by one that is given up (`drop`) since its answer has no end.
    """
    address, store = server
    with Gate(lambda i: what if first <= i < first + n else "pass", address) as gate:
        done = dlexp(
            tmp_path, *RUN, f"tracking.uri={gate.address}", MLFLOW_HTTP_REQUEST_TIMEOUT="2"
        )
        assert done.returncode == 0
        assert len(gate.calls) > first + 1
        gate.behave = lambda n: "pass"
        run = only_run(tmp_path)
        rest(run)
        synced(tmp_path, store, run)


@pytest.mark.slow
def test_a_server_that_starts_while_the_run_is_trained_needs_no_sync(tmp_path, server):
    address, store = server
    port = free_port()
    words = ("epochs=400", *RUN[1:], "data.n_train=1000", f"tracking.uri=http://127.0.0.1:{port}")
    command = [sys.executable, "-m", "dlexp", *words]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        # it has failed once
        until(lambda: any((tmp_path / "outputs" / "runs").glob("*/mlflow.json")))
        with Gate(lambda n: "pass", address, port):
            out, _ = process.communicate(timeout=BOUND)
    assert process.returncode == 0
    run = only_run(tmp_path)
    assert "MLflow    run " in out, out + (run / tracking.LOG).read_text()
    assert mirrored(store, run)[1] == measured(run)


def until(true):
    """Wait for something that is going to happen."""
    end = time.monotonic() + BOUND
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("patience", ["until MLflow says KILLED", "none"])
def test_a_killed_run_is_killed_in_mlflow_and_finished_when_it_is_resumed_each_measurement_once(
    tmp_path, patience
):
    with_store(tmp_path / "outputs")
    store = tmp_path / "outputs" / "mlflow.db"
    words = ("epochs=300", "model.hidden=[10]", "observer=none", "checkpoint.epochs=20")
    command = [sys.executable, "-m", "dlexp", *words]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        home = tmp_path / "outputs" / "runs"
        until(lambda: any(home.glob("*/checkpoints/last.npz")))
        process.send_signal(signal.SIGKILL)
    run = only_run(tmp_path)
    assert journal.events(run)[0][-1].kind != "finish"
    if patience != "none":
        until(lambda: state.load(run).done)
        assert mirrored(store, run)[0] == [("KILLED",)]
        assert mirrored(store, run)[1] == measured(run)
    done = dlexp(tmp_path, "resume", run.name)
    assert done.returncode == 0, done.stderr
    assert "MLflow    run " in done.stdout, (run / tracking.LOG).read_text()
    events = [e.kind for e in journal.events(run)[0]]
    assert events.count("resume") == 1
    assert events.count("record") == 302
    synced(tmp_path, store, run)
