"""SIGTERM and SIGHUP at a sweep, a search and a study: message and exit status."""

import os
import re
import signal
from functools import partial

import pytest

from dlexp.cli.main import main
from dlexp.sweeps.session import Session

FAST = ("epochs=1", "model.hidden=[5]", "data.n_train=100", "tracking=none")
STUDY = "# @package _global_\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: '0,1'}}}\n"
SIGNALS = [(signal.SIGTERM, 143), (signal.SIGHUP, 129)]


def under_way(folder):
    """Whether one run of a sweep has ended, and another has not."""
    journals = [path.read_text() for path in folder.glob("runs/*/journal.jsonl")]
    ledger = folder / "ledger.jsonl"
    return (
        ledger.exists() and ledger.read_text() and any('"finish"' not in text for text in journals)
    )


def test_sigterm_and_sighup_stop_a_sweep_with_the_message_of_ctrl_c(in_tmp, start, until):
    for number, status in SIGNALS:
        words = [
            "epochs=1,1000000",
            "model.hidden=[10]",
            "data.n_train=200",
            "hydra.launcher.n_jobs=2",
        ]
        command = start(*words, f"sweep={number.name}")
        until(partial(under_way, in_tmp / "outputs" / "sweeps" / number.name))
        command.send_signal(number)
        err = command.communicate(timeout=60)[1]
        assert "Traceback" not in err
        assert re.search(
            r"interrupted after training \d runs?; continue with: python -m dlexp resume \w+", err
        ), number
        assert command.returncode == status


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_a_search_a_study_and_a_resumed_sweep_stop_with_the_same_message(
    number, status, in_tmp, capsys, monkeypatch
):
    def interrupted(self, jobs, ledger, *, done, n_jobs):
        handlers.append(signal.getsignal(number))
        signal.raise_signal(number)

    handlers = []
    monkeypatch.setattr(Session, "_train", interrupted)
    (in_tmp / "experiment").mkdir()
    (in_tmp / "experiment" / "small.yaml").write_text(STUDY, encoding="utf-8")
    study = ["--config-dir", str(in_tmp), "experiment=small", *FAST]
    search = (
        "-m",
        "hydra/sweeper=random",
        "hydra.sweeper.n_trials=2",
        "optimizer.lr=0.1,0.2",
        "sweep=mine",
        *FAST,
    )
    for words in (search, ["resume", "mine"], study):
        assert main(words) == status
        assert (
            "interrupted after training 0 runs; continue with: python -m dlexp resume "
            in capsys.readouterr().err
        )
    assert len(handlers) == 3
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL  # as it was before the command


def test_a_sweep_goes_on_when_the_end_of_the_terminal_is_ignored(in_tmp, monkeypatch):
    def hung_up(self, jobs, ledger, *, done, n_jobs):
        os.kill(os.getpid(), signal.SIGHUP)
        raise ZeroDivisionError

    monkeypatch.setattr(Session, "_train", hung_up)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with pytest.raises(ZeroDivisionError):
            main(["-m", "seed=0,1", *FAST])
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
