"""Signals outside steps: while data load, while MLflow is awaited, when the terminal closes."""

import os
import pty
import signal
import subprocess
import sys
import threading
import time

import pytest

import dlexp
from dlexp import tracking
from dlexp.cli.main import main
from dlexp.core.registry import find
from dlexp.storage import journal
from dlexp.tracking import Sender

BOUND = 120
RUN = ("epochs=2", "model.hidden=[10]", "data.n_train=200", "observer=none")
LONG = ("epochs=100000", "model.hidden=[10]", "tracking=none")
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


def until(true):
    end = time.monotonic() + BOUND
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def ending(folder):
    (run,) = (folder / "outputs/runs").iterdir()
    return journal.events(run)[0][-1]


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_command_that_is_cut_short_while_it_waits_for_mlflow_has_its_result_and_says_so(
    in_tmp, capsys, monkeypatch, number, status
):
    class Slow:
        def wait(self, timeout):
            signal.raise_signal(number)

    monkeypatch.setattr(tracking, "start", lambda folders: Sender(folders, Slow()))
    assert main([*RUN]) == status
    out, err = capsys.readouterr()
    assert out.startswith("finished  test/accuracy 0.")
    assert "\nMLflow    the run is not complete yet: " in out
    assert (
        "interrupted while sending; it continues in the background; `python -m dlexp sync`"
        " completes it" in out
    )
    assert err == ""
    assert ending(in_tmp).status == "FINISHED"


def test_a_run_that_nobody_has_sent_yet_names_its_store(in_tmp, capsys, monkeypatch):
    monkeypatch.setattr(
        tracking, "start", lambda folders: Sender(folders, None, "the sender cannot be started")
    )
    assert main([*RUN, "tracking.uri=http://127.0.0.1:5999"]) == 0
    out = capsys.readouterr().out
    assert (
        "look      python -m dlexp ui --uri http://127.0.0.1:5999    (or: http://127.0.0.1:5999)"
        in out
    )
    assert main([*RUN]) == 0
    store = f"sqlite:///{in_tmp}/outputs/mlflow.db"
    assert (
        f"look      python -m dlexp ui    (or: mlflow ui --backend-store-uri {store})"
        in capsys.readouterr().out
    )


def test_a_notebook_that_is_cut_short_while_it_waits_for_mlflow_is_interrupted(in_tmp, monkeypatch):
    class Slow:
        def wait(self, timeout):
            raise KeyboardInterrupt

    monkeypatch.setattr(tracking, "start", lambda folders: Sender(folders, Slow()))
    with pytest.raises(KeyboardInterrupt):
        dlexp.run(*RUN)


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_signal_while_data_are_loaded_ends_the_command_with_its_status(
    in_tmp, monkeypatch, number, status
):
    monkeypatch.setattr(find("data", "digits"), "load", lambda *_: signal.raise_signal(number))
    assert main([*RUN]) == status
    assert list(in_tmp.iterdir()) == []


def test_whoever_ignores_the_end_of_the_terminal_goes_on_to(in_tmp):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGHUP))
        timer.start()
        assert main(["epochs=200", *RUN[1:], "tracking=none"]) == 0
        timer.join()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_run_whose_terminal_is_closed_is_interrupted_and_can_go_on(in_tmp):
    command = [sys.executable, "-m", "dlexp", *LONG, "observer=progress"]
    theirs = "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    theirs += "signal.signal(signal.SIGHUP, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    terminal, end = pty.openpty()
    streams = {"stdin": end, "stdout": end, "stderr": end}
    child = subprocess.Popen(
        [sys.executable, "-c", theirs, *command], start_new_session=True, **streams
    )
    os.close(end)
    until(lambda: any((in_tmp / "outputs/runs").glob("*/journal.jsonl")))
    time.sleep(0.5)
    os.close(terminal)
    assert child.wait() == 129
    assert ending(in_tmp).status == "INTERRUPTED"
    assert main(["resume", "nosuch"]) == 2
