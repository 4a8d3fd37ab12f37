"""A script: train a run to its end, then the same again and again with kills at random moments;
print what each left.

    python killing.py <seed> <kills> <override> ...

One process imports dlexp and forks the others, so that a kill costs no import. Each attempt is
killed after a random time and resumed, and killed again, until it ends; its results must be the
uninterrupted run's.
"""

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from dlexp.config import compose_run
from dlexp.runs import lifecycle
from dlexp.storage import journal
from dlexp.storage.lines import MEASURED

KILLED = -signal.SIGKILL


def left_by(folder):
    """What a run leaves, by name: SHA-256 of its files, its measurements, how it ended."""
    kept = [
        p
        for p in folder.rglob("*")
        if p.suffix in (".png", ".npz") and "checkpoints" not in p.parts
    ]
    found = {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept}
    events, _ = journal.events(folder)
    found["measured"] = [[e.kind, e.step, e.metrics] for e in events if e.kind in MEASURED]
    found["end"] = [events[-1].kind, events[-1].status, events[-1].weights]
    found["leftovers"] = [p.name for p in folder.rglob("*.part")]
    return found


def forked(what, seconds=None):
    """Do it in a process of its own, killed after so many seconds; its exit code."""
    child = os.fork()
    if not child:
        try:
            with contextlib.redirect_stdout(sys.stderr):
                what()
            os._exit(0)
        finally:
            os._exit(1)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def survive(folder, train, times):
    """Train, be killed after each of these times, go on, until the run has ended; how many kills
    there were.
    """
    kills = 0
    for seconds in [*times, None]:
        begun = (folder / journal.EVENTS).exists() and (folder / "config.yaml").exists()
        events = journal.events(folder)[0] if begun else []
        if events and events[-1].kind == "finish":
            break
        # killed before it was all written: nothing was measured yet
        if not begun and folder.exists():
            shutil.rmtree(folder)
        code = forked(
            (lambda: lifecycle.resume(folder)) if begun else (lambda: train(folder.name)), seconds
        )
        assert code in (0, KILLED), f"{folder.name} failed"
        kills += code == KILLED
    return kills


def main(seed, kills, *overrides):
    rng = random.Random(int(seed))
    setup = compose_run(*overrides, "tracking=none", "checkpoint.epochs=1")

    def folder(name):
        return Path("outputs/runs").absolute() / name

    def train(name):
        lifecycle.perform(setup, place=lifecycle.Place(folder(name), name))

    assert forked(lambda: train("warm")) == 0
    began = time.monotonic()
    assert forked(lambda: train("whole")) == 0
    took = time.monotonic() - began
    whole = left_by(folder("whole"))
    resumed, differing = [], []
    for i in range(int(kills)):
        resumed.append(
            survive(folder(f"killed-{i}"), train, [rng.uniform(0, took) for _ in range(5)])
        )
        left = left_by(folder(f"killed-{i}"))
        differing += [
            f"killed-{i}: {what}" for what in {**whole, **left} if whole.get(what) != left.get(what)
        ]
    print(
        json.dumps(
            {
                "resumed": resumed,
                "differing": differing,
                "whole": sorted(whole),
                "end": whole["end"][:2],
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
