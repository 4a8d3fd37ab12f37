"""Does a step cost more late in a training? Compares steps 3,000 and 60,000 with step 100.

    python -m benchmarks.late [W1 W2 W3 W4] [--rounds 9] [--page]

Gradients that vanish leave an optimizer's running averages as denormal numbers, with which
processors are many times slower; the trainer sets them to zero. Two states of one training are
saved, early and late; in every round the trainer goes back to each and trains the same steps from
there. "Step 3,000" is the nearest at the same place in an epoch. The share of the optimizer's
numbers that are denormal then says whether there was anything to flush.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import islice
from typing import Any

from benchmarks import goals
from benchmarks.measuring import Spread, table
from benchmarks.page import asked_for, tell
from benchmarks.workloads import WORKLOADS, Workload

HEAD = ("work", "step", "dlexp", "denormals", "without the flush", "denormals")
EARLY, LATE, LONG = 100, 3000, ("W1", 60_000)
STEPS = 64  # as many steps as the trainer takes between two flushes


def train(trainer: Any, n: int) -> float:
    """CPU seconds of n steps, after one that is not counted."""
    from benchmarks.peers.with_dlexp import batches

    endless = batches(trainer)
    trainer.step(next(endless))
    began = time.process_time()
    for batch in islice(endless, n):
        trainer.step(batch)
    return time.process_time() - began


def late(workload: Workload, step: int, rounds: int, *, flush: bool) -> tuple[list[float], float]:
    """The time of late steps over that of early ones, round by round; and the late denormals.

    Both begin at the same place in an epoch, so that equally many permutations are drawn: `step` is
    moved there.
    """
    from benchmarks.peers.with_dlexp import trainer as assembled
    from dlexp.runs import provenance

    with provenance.one_blas_thread():
        trainer = assembled(workload, 0)
        if not flush:
            trainer.flush_denormals = lambda: None  # type: ignore[method-assign]
        states = []
        epoch = trainer.problem.steps_per_epoch
        for middle in (EARLY, EARLY + round((step - EARLY) / epoch) * epoch):
            train(trainer, middle - STEPS // 2 - 1 - trainer.t)
            states.append(trainer.state_dict())
        share = denormals(trainer.state.values())
        results = []
        for _ in range(rounds):
            times = []
            for state in states:
                trainer.load_state_dict(state)
                times.append(train(trainer, STEPS))
            results.append(times[1] / times[0])
    return results, share


def denormals(slots: Iterable[Any]) -> float:
    """The share of an optimizer's numbers that are denormal."""
    import numpy as np

    numbers = np.abs(np.concatenate(list(slots)))
    return float(((numbers > 0) & (numbers < np.finfo(numbers.dtype).tiny)).mean())


def main() -> None:
    """Measure, print, and write the page if requested."""
    parser = asked_for(__doc__ or "", rounds=9)
    parser.add_argument(
        "workloads", nargs="*", metavar="W", help=f"of {', '.join(WORKLOADS)}; all by default"
    )
    args = parser.parse_args()
    rows, kept = [], {}
    for name, step in [
        *((name, LATE) for name in args.workloads or WORKLOADS),
        *([] if args.workloads else [LONG]),
    ]:
        results = [late(WORKLOADS[name], step, args.rounds, flush=flush) for flush in (True, False)]
        if step == LATE:
            kept[f"step {LATE:,} ÷ step {EARLY}, {name}"] = results[0][0]
        cells = [
            cell for ratios, share in results for cell in (str(Spread.of(ratios)), f"{share:.2%}")
        ]
        rows.append([f"{name} {WORKLOADS[name].title}", f"{step:,}", *cells])
        print(rows[-1], flush=True)
    title = (
        f"CPU time of a late step divided by that of step {EARLY}: median (smallest–largest), n ="
        f" {args.rounds}:"
    )
    tell("late", f"{title}\n\n{table(HEAD, rows)}", write=args.page)
    goals.tell(kept, write=args.page)


if __name__ == "__main__":
    main()
