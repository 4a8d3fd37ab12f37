"""What makes dlexp's step fast, one thing at a time: each done otherwise, beside the step as it is.

    python benchmarks/tried.py [W1 W2 W3 W4] [--rounds 40] [--page]

The differences are small, so they are measured closely: in one process that trains one network, a
few steps as dlexp is, a few otherwise, a few as it is again; CPU time, on one core and one thread.
Above 1: slower than dlexp is.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from changes import BLOCKS, CHANGES
from measuring import Spread, alone, table
from page import asked_for, tell
from workloads import WORKLOADS, Workload

from dlexp.core import layers, params, trainer as trainers
from dlexp.core.registry import find
from dlexp.core.trainer import Trainer

ELSEWHERE = "numbers begin between two lines of the cache"
PART = 9  # steps of a comparison are this part of what `step.py` trains at a time


def compared(workload: Workload, rounds: int) -> dict[str, Spread]:
    """The ratio of each that makes a difference to dlexp as it is: its median and quartiles."""
    from peers.with_dlexp import trainer

    from dlexp.runs import provenance

    with provenance.one_blas_thread():
        running = trainer(workload, 0)
        with between_lines():
            elsewhere = trainer(workload, 0)
        both, n = (running, elsewhere), workload.steps // PART
        for trained in both:
            steps(trained)(2 * running.problem.steps_per_epoch)
        found: dict[str, list[float]] = {name: [] for name in CHANGES if applies(name, running)}
        found[ELSEWHERE] = []
        gc.disable()
        begun = [trained.state_dict() for trained in both]
        for i in range(rounds):
            for trained, state in zip(both, begun, strict=True):
                # a network that learned everything multiplies other numbers
                trained.load_state_dict(state)
            # at an epoch's beginning: no batch is left out
            train, train_elsewhere = map(steps, both)
            # so that what happens every so many steps does not always happen to the same row
            train(i)
            gc.collect()
            for name in found:
                before = train(n)
                with otherwise(CHANGES.get(name, lambda: None), running):
                    changed = train(n) if name in CHANGES else train_elsewhere(n)
                found[name].append(relative(before, changed, train(n)))
        gc.enable()
    quartiles = {name: statistics.quantiles(ratios, n=4) for name, ratios in found.items()}
    return {name: Spread(q[1], q[0], q[2]) for name, q in quartiles.items()}


def relative(before: float, changed: float, after: float) -> float:
    """How many times as long it took, beside what stands around it."""
    return 2 * changed / (before + after)


def steps(running: Trainer) -> Callable[[int], float]:
    """A function that trains n steps, and says the CPU seconds."""
    from peers.with_dlexp import batches

    endless = batches(running)

    def train(n: int) -> float:
        began = time.process_time()
        for _ in range(n):
            running.step(next(endless))
        return time.process_time() - began

    return train


@contextmanager
def between_lines() -> Iterator[None]:
    """Trainers that are made inside have parameters, gradients and slots that begin 16 bytes after
    a cache line.
    """
    kept = params.aligned_zeros

    def moved(n: int, dtype: Any) -> Any:
        more = 16 // np.dtype(dtype).itemsize
        return kept(n + more, dtype)[more:]

    params.aligned_zeros = trainers.aligned_zeros = moved
    try:
        yield
    finally:
        params.aligned_zeros = trainers.aligned_zeros = kept


@contextmanager
def otherwise(change: Callable[[], None], running: Trainer) -> Iterator[None]:
    """Inside, a trainer trains with this change."""
    places = [
        (find("activation", "relu"), "forward"),
        (find("optimizer", "adam"), "update"),
        (find("normalization", "batch_norm"), "forward"),
        (layers.Dense, "forward"),
        (layers, "batch_sum"),
        (params, "BLOCK"),
    ]
    kept = [getattr(owner, what) for owner, what in places]
    try:
        change()
        _cut(running)
        yield
    finally:
        for (owner, what), value in zip(places, kept, strict=True):
            setattr(owner, what, value)
        _cut(running)


def applies(name: str, running: Trainer) -> bool:
    """Whether this trainer does anything otherwise then: it may have no such layer, or be in one
    block anyhow.
    """

    def cuts() -> list[int]:
        return [len(piece[0]) for piece in running._pieces]

    if name.startswith("batch norm"):
        return any(layer.name == "batch_norm" for layer in running.problem.network.layers)  # type: ignore[attr-defined]
    before = cuts()
    with otherwise(CHANGES[name], running):
        return name not in BLOCKS or cuts() != before


def _cut(running: Trainer) -> None:
    """Into blocks, anew."""
    running._pieces = list(
        trainers.pieces(running.optimizer, running.problem.params, running.state)
    )


def report(found: dict[str, dict[str, Spread]], rounds: int) -> str:
    """A row for each thing done otherwise, a column for each workload."""
    rows = [
        [name, *(str(found[w].get(name, "the same")) for w in found)]
        for name in (*CHANGES, ELSEWHERE)
    ]
    head = (
        "CPU time of a step with one thing done otherwise, divided by dlexp's: median (quartiles),"
        f" n = {rounds}:"
    )
    return f"{head}\n\n{table(['done otherwise', *found], rows)}"


def main() -> None:
    """Measure, print, and write the page if asked to."""
    parser = asked_for(__doc__ or "", rounds=40)
    parser.add_argument(
        "workloads", nargs="*", metavar="W", help=f"of {', '.join(WORKLOADS)}; all by default"
    )
    asked = parser.parse_args()
    for unknown in set(asked.workloads) - set(WORKLOADS):
        parser.error(f"there is no workload {unknown}; there are {', '.join(WORKLOADS)}")
    alone()
    found = {w: compared(WORKLOADS[w], asked.rounds) for w in asked.workloads or WORKLOADS}
    tell("tried", report(found, asked.rounds), write=asked.page)


if __name__ == "__main__":
    main()
