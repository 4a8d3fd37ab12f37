"""Long runs and large sweeps: memory stays flat, journals stay readable, clocks may jump."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import dlexp
from dlexp.storage import journal

QUIET = ("observer=none", "tracking=none")
WALK = ("objective=valley", "optimizer=momentum", "optimizer.lr=0.001", "schedule=cosine")


def resident_mb(pid):
    """Memory a process holds now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="memory is read from /proc"
)


def growth(folder, words, done, first, last):
    """The growth of a command's memory in MB from its `first` result to its `last` and its end."""
    command = [sys.executable, "-m", "dlexp", *words]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    start = at_last = None
    most = 0.0
    while process.poll() is None:
        try:
            now = resident_mb(process.pid)
        except (OSError, IndexError, ValueError):
            break
        if start is None and done() >= first:
            start = now
        most = max(most, now)
        if at_last is None and done() >= last:
            at_last = most
        time.sleep(0.05)
    assert process.wait() == 0
    assert start is not None, "it was over before it was looked at"
    return (at_last or most) - start, most - start


def lines_of(folder, pattern):
    return lambda: sum(path.read_bytes().count(b"\n") for path in folder.glob(pattern))


@needs_proc
@pytest.mark.slow
def test_two_thousand_runs_in_one_sweep_cost_the_command_less_than_20_mb(tmp_path):
    words = ["-m", *WALK, *QUIET, "steps=2", "seed=range(2000)"]
    done = lines_of(tmp_path, "outputs/sweeps/*/ledger.jsonl")
    grown, with_report = growth(tmp_path, words, done, first=50, last=2000)
    (ledger,) = tmp_path.glob("outputs/sweeps/*/ledger.jsonl")
    statuses = [json.loads(line)["status"] for line in ledger.read_text().splitlines()]
    assert statuses == ["FINISHED"] * 2000
    print(
        f"grown by {grown:.1f} MB while training, by {with_report:.1f} MB with the report and"
        " Matplotlib at the end"
    )
    assert grown < 20
    assert with_report < 200


@needs_proc
@pytest.mark.slow
def test_a_million_steps_keep_memory_flat_and_leave_a_journal_that_is_read_in_seconds(tmp_path):
    words = [*WALK, *QUIET, "steps=1000000", "eval_every=100"]
    grown, _ = growth(
        tmp_path, words, lines_of(tmp_path, "outputs/runs/*/journal.jsonl"), first=500, last=10_000
    )
    (folder,) = tmp_path.glob("outputs/runs/*")
    began = time.process_time()
    records = journal.records(folder)
    seconds = time.process_time() - began
    assert len(records) == 10_002
    assert records[-1].step == 1_000_000
    print(f"grown by {grown:.1f} MB; {len(records)} records read in {seconds:.2f} s of CPU time")
    assert grown < 20, "10,000 records are kept, of 500 bytes or so each"
    assert seconds < 10


def test_a_clock_that_jumps_changes_neither_numbers_nor_durations(in_tmp, monkeypatch):
    usual = dlexp.run(*WALK, *QUIET, "steps=50", keep=False)
    real, day = time.time_ns, 86_400 * 10**9
    jumps = iter(range(10**6))
    monkeypatch.setattr(time, "time_ns", lambda: real() + (day if next(jumps) % 2 else -day))
    run = dlexp.run(*WALK, *QUIET, "steps=50")
    events, _ = journal.events(run.folder)
    elapsed = [e.elapsed for e in events]
    assert elapsed == sorted(elapsed)
    assert 0 <= elapsed[-1] < 600
    assert max(e.time_ms for e in events) - min(e.time_ms for e in events) > 80_000_000, (
        "the clock did not jump"
    )
    assert run.records == usual.records
