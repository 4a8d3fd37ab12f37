"""SIGKILL of a worker, of the command, of both, at random moments: repeated, the sweep is complete,
each run once.

Runs that were cut short go on from their checkpoints, to the bits of runs that were not.
"""

import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from dlexp.storage import checkpoint, journal
from dlexp.storage.find import MIRROR_FILE
from dlexp.storage.status import Status
from dlexp.tracking import LOG

WORDS = (
    "optimizer=sgd,adam",
    "seed=range(4)",
    "epochs=100",
    "model.hidden=[20]",
    "data.n_train=500",
    "sweep=killed",
    "regularizer=dropout",
    "normalization=batch_norm",
    "checkpoint.epochs=2",
)
N = 8
VICTIMS = ("worker", "command", "both")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes through /proc"),
]


class Command:
    """The sweep's command in a process of its own."""

    def __init__(self, folder):
        self.began = time.monotonic()
        command = [sys.executable, "-m", "dlexp", "-m", *WORDS, "hydra.launcher.n_jobs=2"]
        with (folder / "said").open("a") as said:
            self.process = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)

    def workers(self):
        """The process numbers of its workers: grandchildren, behind the fork server."""
        family = {self.process.pid: 0}
        for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda p: int(p.name)):
            try:
                parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                name = (process / "cmdline").read_text()
            except (OSError, IndexError):
                continue
            if parent in family and "dlexp.tracking" not in name:
                family[int(process.name)] = family[parent] + 1
        return [pid for pid, depth in family.items() if depth == 2]

    def end(self):
        """Wait for it; its exit status."""
        return self.process.wait(300)


def kill(command, victim, chance):
    """Send SIGKILL, in either order if to both; return whether there was a process."""
    workers = command.workers() if victim != "command" else []
    if victim != "command" and not workers:
        return False
    targets = [command.process.pid] if victim != "worker" else []
    targets += [chance.choice(workers)] if workers else []
    chance.shuffle(targets)
    for pid in targets:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return True


def ledger(folder):
    path = folder / "outputs/sweeps/killed/ledger.jsonl"
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


def written(folder, entries):
    """The files of runs with a result: times and digests, except the sender's own two files."""
    runs = [
        folder / "outputs/sweeps/killed" / e["folder"]
        for e in entries
        if Status(e["status"]).is_result
    ]
    files = [
        p
        for run in runs
        for p in run.rglob("*")
        if p.is_file() and p.name not in (LOG, MIRROR_FILE)
    ]
    return {
        str(p): (p.stat().st_mtime_ns, hashlib.sha256(p.read_bytes()).hexdigest()) for p in files
    }


def in_mlflow(folder):
    """The runs of the store, as (kind, key, status)."""
    sql = """select k.value, coalesce(i.value, ''), r.status from runs r
             left join tags k on k.run_uuid = r.run_uuid and k.key = 'dlexp.kind'
             left join tags i on i.run_uuid = r.run_uuid and i.key = 'dlexp.run_id'
             where r.lifecycle_stage = 'active'"""
    with sqlite3.connect(folder / "outputs/mlflow.db") as db:
        return db.execute(sql).fetchall()


def weights(folder):
    """The digest of each run's numbers at its end, by the run's name."""
    runs = sorted((folder / "outputs/sweeps/killed/runs").iterdir())
    return {run.name: journal.events(run)[0][-1].weights for run in runs}


def saved(folder):
    """The runs without an end that have a checkpoint, and the step of each."""
    found = {}
    for run in (folder / "outputs/sweeps/killed/runs").glob("*"):
        while journal.is_alive(run):  # its worker has not noticed yet that its parent is dead
            time.sleep(0.05)
    for last in (folder / "outputs/sweeps/killed/runs").glob("*/checkpoints/last.npz"):
        run = last.parents[1]
        if journal.events(run)[0][-1].kind != "finish":
            found[run] = checkpoint.load(last)["trainer"]["t"]
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The time of the undisturbed command in seconds, and the weights of its runs."""
    folder = tmp_path_factory.mktemp("undisturbed")
    command = Command(folder)
    assert command.end() == 0, (folder / "said").read_text()
    assert len(ledger(folder)) == N
    return time.monotonic() - command.began, weights(folder)


@pytest.mark.parametrize("repetition", range(20), ids=lambda i: f"{VICTIMS[i % 3]}-{i}")
def test_a_sweep_that_was_killed_is_completed_with_each_run_once(repetition, in_tmp, undisturbed):
    duration, wanted = undisturbed
    chance = random.Random(repetition)
    victim = VICTIMS[repetition % 3]
    command = Command(in_tmp)
    moment = chance.uniform(0.05, 1.0) * duration
    while command.process.poll() is None:
        late = time.monotonic() - command.began >= moment
        if late and kill(command, victim, chance):
            break
        time.sleep(0.01)
    command.end()
    finished = [e for e in ledger(in_tmp) if Status(e["status"]).is_result]
    before, left = written(in_tmp, finished), saved(in_tmp)

    again = Command(in_tmp)
    assert again.end() == 0, (in_tmp / "said").read_text()
    assert "Traceback" not in (in_tmp / "said").read_text()
    entries = ledger(in_tmp)
    assert (
        Counter(e["status"] for e in entries)["FINISHED"] == len({e["key"] for e in entries}) == N
    )
    assert [e for e in entries if e in finished] == finished
    assert before.items() <= written(in_tmp, entries).items()
    assert weights(in_tmp) == wanted
    for run, step in left.items():
        assert step in [e.step for e in journal.events(run)[0] if e.kind == "resume"], (
            f"{run.name} began anew"
        )
    assert sorted(Path(in_tmp / "outputs/sweeps/killed/runs").iterdir()) == sorted(
        in_tmp / "outputs/sweeps/killed" / e["folder"] for e in entries if e["status"] == "FINISHED"
    )
    runs = in_mlflow(in_tmp)
    assert Counter(kind for kind, *_ in runs) == {"run": N, "sweep": 1}, runs
    assert {key.rpartition(".")[2] for kind, key, _ in runs if kind == "run"} == {
        e["key"] for e in entries
    }
    assert {status for *_, status in runs} == {"FINISHED"}
