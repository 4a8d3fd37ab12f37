"""Too little memory (`ulimit -v`) is an error of the machine: one line, exit status 1."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from run_folders import event, run_folder, send, with_store

from dlexp import errors
from dlexp.cli.main import main
from dlexp.config import compose_run
from dlexp.runs import lifecycle
from dlexp.runs.run import Run
from dlexp.sweeps.identity import Ingredients
from dlexp.sweeps.job import Job
from dlexp.sweeps.launchers import local
from dlexp.sweeps.worker import train_job
from dlexp.tracking import run_follower, state

FAST = ("epochs=1", "model.hidden=[5]", "data.n_train=100", "observer=none", "tracking=none")
HUGE = np._core._exceptions._ArrayMemoryError((5000, 5000), np.dtype("float64"))
SAID = "there is too little memory: Unable to allocate 191. MiB"
SHORT = [
    HUGE,
    MemoryError(),
    OSError(12, "Cannot allocate memory"),
    RuntimeError("can't start new thread"),
    ImportError("libx.so: failed to map segment from shared object"),
]


def failing(error):
    def fail(*words, **more):
        raise error

    return fail


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="ulimit -v bounds memory on Linux only"
)
@pytest.mark.parametrize("kilobytes", [40_000, 60_000])
def test_a_command_that_cannot_even_be_loaded_ends_in_one_line(kilobytes, tmp_path):
    line = f"ulimit -v {kilobytes}; exec {sys.executable} -m dlexp help"
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="ulimit -v bounds memory on Linux only"
)
def test_a_network_that_does_not_fit_is_one_line(tmp_path):
    words = " ".join(("epochs=1", "'model.hidden=[5000,5000]'", *FAST[2:]))
    line = f"ulimit -v 450000; exec {sys.executable} -m dlexp {words}"
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("dlexp: error: there is too little memory"), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", SHORT, ids=lambda e: type(e).__name__)
def test_it_is_told_from_a_defect_of_ours(error):
    assert errors.is_of_the_machine(error)
    assert errors.describe_error(error).startswith("there is too little memory")
    assert "\n" not in errors.describe_error(error)
    assert not errors.is_of_the_machine(RuntimeError("of ours"))


def test_before_a_run_begins_nothing_is_created(in_tmp, monkeypatch, capsys):
    monkeypatch.setattr(lifecycle, "assembled", failing(HUGE))
    assert main([*FAST]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"dlexp: error: {SAID}")
    assert err.count("\n") == 1
    assert list(in_tmp.iterdir()) == []


def test_in_the_middle_of_a_run_it_fails_and_can_go_on(in_tmp, monkeypatch, capsys):
    monkeypatch.setattr(Run, "train", failing(HUGE))
    assert main([*FAST]) == 1
    out, err = capsys.readouterr()
    assert SAID in out
    assert "go on     python -m dlexp resume" in out
    assert "Traceback" not in err
    assert err.count("\n") == 1


def test_a_job_of_a_sweep_says_so_in_its_result(in_tmp, monkeypatch):
    monkeypatch.setattr(lifecycle, "assembled", failing(HUGE))
    job = Job(compose_run(*FAST), "key", in_tmp / "run", "sweep", Ingredients({}, {}))
    result = train_job(job)
    assert result.status == "FAILED"
    assert SAID in result.error


def test_a_worker_that_cannot_begin_says_so_in_one_line_and_ends(monkeypatch, capfd):
    monkeypatch.setattr(local.signal, "signal", lambda *_: None)
    monkeypatch.setattr(threading.Thread, "start", failing(RuntimeError("can't start new thread")))
    monkeypatch.setattr(os, "_exit", lambda status: (_ for _ in ()).throw(SystemExit(status)))
    with pytest.raises(SystemExit, match="1"):
        local.serve(None, None)
    assert (
        capfd.readouterr().err
        == "dlexp: error: a worker ends: there is too little memory: can't start new thread\n"
    )


def test_a_sender_says_so_without_a_traceback_and_sync_sends_it_later(tmp_path, monkeypatch, capfd):
    uri = with_store(tmp_path)
    run = run_folder(
        tmp_path / "run", uri, [event("start"), event("finish", status="FINISHED")], net=False
    )
    with monkeypatch.context() as patch:
        patch.setattr(run_follower.Stores, "get", failing(MemoryError()))
        assert send(run) == 1
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    assert "there is too little memory" in state.load(run).error
    assert send(run) == 0


def test_a_sweep_that_cannot_start_a_worker_says_so_in_one_line(in_tmp, monkeypatch, capfd):
    from multiprocessing.context import ForkServerProcess

    from dlexp.cli.main import main

    def refused(process):
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(ForkServerProcess, "start", refused)
    assert main(["-m", "seed=0,1", "epochs=1", "model.hidden=[5]", "tracking=none"]) == 1
    message = capfd.readouterr().err
    assert "dlexp: error: a worker process: cannot be started" in message
    assert "Traceback" not in message
