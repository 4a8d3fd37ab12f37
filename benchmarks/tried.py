"""What makes dlexp's step fast, one thing at a time: each done otherwise, beside the step as it is.

    python benchmarks/tried.py [W1 W2 W3 W4] [--rounds 40] [--page]

The differences are small, so they are measured closely: in one process that trains one network, a few steps as dlexp
is, a few otherwise, a few as it is again; CPU time, on one core and one thread. Above 1: slower than dlexp is.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from changes import CHANGES, applies, otherwise
from measuring import Spread, table
from page import asked_for, tell
from peers import ONE_THREAD
from workloads import WORKLOADS, Workload

PART = 9  # steps of a comparison are this part of what `step.py` trains at a time


def compared(workload: Workload, rounds: int) -> dict[str, Spread]:
    """The ratio of each that makes a difference to dlexp as it is: its median and quartiles."""
    from peers.with_dlexp import batches, trainer

    from dlexp import provenance

    with provenance.one_blas_thread():
        running = trainer(workload, 0)
        found: dict[str, list[float]] = {name: [] for name, change in CHANGES.items() if applies(change, running)}
        endless = batches(running)
        n = workload.steps // PART
        seconds(running.step, endless, n * PART)
        for _ in range(rounds):
            for name in found:
                change = CHANGES[name]
                before = seconds(running.step, endless, n)
                with otherwise(change, running):
                    changed = seconds(running.step, endless, n)
                after = seconds(running.step, endless, n)
                found[name].append(2 * changed / (before + after))
    quartiles = {name: statistics.quantiles(ratios, n=4) for name, ratios in found.items()}
    return {name: Spread(q[1], q[0], q[2]) for name, q in quartiles.items()}


def alone() -> None:
    """Keep this process on one core, as `worker.py` is, and with one thread."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ.update(ONE_THREAD)


def seconds(step: Callable[[Any], float], batches: Iterator[Any], n: int) -> float:
    """CPU seconds of n steps."""
    began = time.process_time()
    for _ in range(n):
        step(next(batches))
    return time.process_time() - began


def report(found: dict[str, dict[str, Spread]], rounds: int) -> str:
    """A row for each thing done otherwise, a column for each workload."""
    rows = [[name, *(str(found[w].get(name, "the same")) for w in found)] for name in CHANGES]
    head = f"CPU time of a step with one thing done otherwise, divided by dlexp's: median (quartiles), n = {rounds}:"
    return f"{head}\n\n{table(['done otherwise', *found], rows)}"


def main() -> None:
    """Measure, print, and write the page if asked to."""
    parser = asked_for(__doc__ or "", rounds=40)
    parser.add_argument("workloads", nargs="*", metavar="W", help=f"of {', '.join(WORKLOADS)}; all by default")
    asked = parser.parse_args()
    for unknown in set(asked.workloads) - set(WORKLOADS):
        parser.error(f"there is no workload {unknown}; there are {', '.join(WORKLOADS)}")
    alone()
    found = {w: compared(WORKLOADS[w], asked.rounds) for w in asked.workloads or WORKLOADS}
    tell("tried", report(found, asked.rounds), write=asked.page)


if __name__ == "__main__":
    main()
