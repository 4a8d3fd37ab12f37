"""Repeated sweeps: failed runs keep their folders, `resume` continues the whole sweep anywhere."""

import json
import multiprocessing

import pytest

from dlexp.cli.main import main
from dlexp.config.plan import Plan, length
from dlexp.storage.ledger import Ledger, LedgerEntry
from dlexp.storage.status import Status
from dlexp.sweeps import launcher, progress
from dlexp.sweeps.launchers import local

FAST = ("epochs=1", "model.hidden=[5]", "data.n_train=100", "tracking=none")
BOOM = '''
import numpy as np
from dlexp import Optimizer, plugin, positive

@plugin("boom")
class Boom(Optimizer):
    """raises on demand"""

    lr: float = positive(0.1)
    fatal: bool = True

    def update(self, w, g, s, lr, t):
        if self.fatal:
            raise RuntimeError("boom\\\\nand more")
        w -= lr * g
'''


@pytest.fixture
def quiet(monkeypatch):
    # has tests of its own
    monkeypatch.setattr("dlexp.cli.summary.comparison", lambda session: "")


def entries(folder):
    return [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]


@pytest.fixture
def boom(in_tmp, monkeypatch):
    """A plugin that fails, for the processes of a sweep too."""
    place = in_tmp / "plugins" / "optimizer"
    place.mkdir(parents=True)
    (place / "boom.py").write_text(BOOM)
    return in_tmp


def dlexp(*words, cwd):
    import subprocess
    import sys

    command = [sys.executable, "-m", "dlexp", *words]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_failed_run_that_is_not_tried_again_keeps_its_folder(boom):
    words = ("-m", "optimizer=boom,sgd", "seed=0", "sweep=v", *FAST)
    assert dlexp(*words, cwd=boom).returncode == 1
    sweep = boom / "outputs" / "sweeps" / "v"
    before = {p: p.read_bytes() for p in (sweep / "runs").rglob("*") if p.is_file()}
    assert dlexp(*words, cwd=boom).returncode == 1
    assert {p: p.read_bytes() for p in (sweep / "runs").rglob("*") if p.is_file()} == before
    assert len(entries(sweep)) == 2
    assert dlexp(*words, "--retry-failed", cwd=boom).returncode == 1
    assert [e["status"] for e in entries(sweep)].count("FAILED") == 2


def test_resume_completes_a_sweep_where_it_lies(in_tmp, quiet, capsys, monkeypatch):
    assert main(["-m", "seed=0,1", "sweep=here", *FAST]) == 0
    capsys.readouterr()
    elsewhere = in_tmp / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert main(["resume", str(in_tmp / "outputs" / "sweeps" / "here")]) == 0
    assert "2 finished; 0 newly trained" in capsys.readouterr().out
    assert list(elsewhere.iterdir()) == []
    assert main(["resume", "here"]) == 2  # the outputs folder is this one's again


def test_resume_means_all_that_a_sweep_was_asked_for(in_tmp, quiet, capsys):
    assert main(["-m", "optimizer=sgd,adam", "seed=0,1", "sweep=s", *FAST]) == 0
    assert main(["-m", "optimizer=sgd,adam", "seed=0", "sweep=s", *FAST]) == 0
    sweep = in_tmp / "outputs" / "sweeps" / "s"
    (lost,) = [
        e
        for e in entries(sweep)
        if e["overrides"][-1] != "seed=0" and "optimizer=adam" in e["overrides"]
    ][:1]
    kept = [
        line
        for line in (sweep / "ledger.jsonl").read_text().splitlines(keepends=True)
        if lost["key"] not in line
    ]
    (sweep / "ledger.jsonl").write_text("".join(kept))
    (sweep / lost["folder"] / "journal.jsonl").unlink()
    capsys.readouterr()
    assert main(["resume", "s"]) == 0
    assert "1 newly trained" in capsys.readouterr().out
    assert {e["key"] for e in entries(sweep)} >= {lost["key"]}


def test_a_name_used_for_something_else_is_said(in_tmp, quiet, capsys):
    assert main(["-m", "seed=0,1", "sweep=s", *FAST]) == 0
    assert "also run" not in capsys.readouterr().err
    assert main(["-m", "seed=0,1", "sweep=s", "observer=none", *FAST]) == 0  # changes no number
    assert "also run" not in capsys.readouterr().err
    assert main(["-m", "seed=0,1", "sweep=s", "batch_size=50", *FAST]) == 0
    assert (
        "sweep s was also run with data.n_train=100 epochs=1 model.hidden=[5]: "
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("seed=range(0)",), "seed=range(0,0,1): is an empty range"),
        (("seed=range(5,3)",), "is an empty range"),
        (
            ("seed=range(100000000000)",),
            "seed has 100,000,000,000 values; the limit is 1,000,000",
        ),
        (
            ("seed=0,1", "hydra.launcher.n_jobs=0"),
            "hydra.launcher.n_jobs=0 (command line): must be at least 1",
        ),
        (
            ("seed=0,1", "hydra.launcher.n_jobs=-3", "--dry-run"),
            "hydra.launcher.n_jobs=-3 (command line): must be at least 1",
        ),
    ],
)
def test_ranges_and_workers_that_cannot_be_meant_are_refused_at_once(
    in_tmp, capsys, words, message
):
    assert main(["-m", *words, *FAST]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not (in_tmp / "outputs").exists()


def test_a_range_is_counted_as_it_is_written_out():
    from hydra.core.override_parser.overrides_parser import OverridesParser

    for text, n in (
        ("a=range(5)", 5),
        ("a=range(2,9,3)", 3),
        ("a=range(0,1,0.25)", 4),
        ("a=range(5,0,-2)", 3),
    ):
        (override,) = OverridesParser.create().parse_overrides([text])
        assert length(override.value()) == len(Plan.of([override]).swept["a"]) == n


def test_the_live_line_counts_what_runs_and_everything_that_has_no_result(monkeypatch):
    with progress.ProgressLine(6, 1) as line:
        drawn = []
        monkeypatch.setattr(
            line._bar, "set_postfix_str", lambda counts, refresh: drawn.append(counts)
        )
        for number in range(3):
            line.started(number)
        assert drawn[-1] == "3 running, 0 failed, 0 diverged"
        for number, status in enumerate(["INTERRUPTED", "DIVERGED", "KILLED"]):
            line.ended(number, Status(status))
    assert drawn[-1] == "0 running, 2 failed, 1 diverged"


def test_an_override_in_no_encoding_is_written_down_and_read_again(tmp_path):
    with Ledger(tmp_path / "s").held() as ledger:
        ledger.write(LedgerEntry("k1", Status.FINISHED, "runs/a", ("data.label=\udcfc",)))
        ledger.write(LedgerEntry("k2", Status.FINISHED, "runs/b", ("data.label=学",)))
    with Ledger(tmp_path / "s").held() as again:
        assert [again.entries[k].overrides for k in ("k1", "k2")] == [
            ("data.label=\udcfc",),
            ("data.label=学",),
        ]
    assert "学" in (tmp_path / "s" / "ledger.jsonl").read_text("utf-8")


def slow_work(seconds):
    import time

    time.sleep(seconds)
    return seconds


def test_the_loop_gives_signs_of_life_while_nothing_ends(monkeypatch):
    monkeypatch.setattr(launcher, "WAIT", 0.05)
    waits, ended = [], []
    with local.LocalProcesses(slow_work) as processes:
        launcher.run_jobs(
            processes,
            [0.6],
            1,
            on_start=lambda number: None,
            on_end=lambda *result: ended.append(result),
            on_wait=lambda: waits.append(1),
        )
    assert ended == [(0, 0.6)]
    assert len(waits) >= 2


@pytest.mark.parametrize("moment", ["while it waits", "while it works"])
def test_a_worker_whose_command_is_gone_ends_without_a_word(moment, monkeypatch, capfd):
    ours, theirs = multiprocessing.Pipe()
    monkeypatch.setattr(local.threading.Thread, "start", lambda self: None)
    monkeypatch.setattr(local.signal, "signal", lambda *_: None)
    if moment == "while it works":
        ours.send("a job")
    else:
        ours.close()
    local.serve(theirs, lambda job: ours.close())
    assert capfd.readouterr() == ("", "")
