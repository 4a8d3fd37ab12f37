"""Short runs in a fresh process with imports and compilation, and a mixed sweep of 32 runs.

    python -m benchmarks.fresh [run] [sweep] [--rounds 5] [--page]

`run` is 500 steps of W1. `sweep` is 4 optimizers × 2 initial values × 4 seeds × 500 steps of W1,
one after the other in one process; what JAX compiles for an optimizer serves all its runs. Peers
are given the data as arrays; dlexp loads them by itself and composes its configuration with Hydra,
or ("no Hydra") is given its plugins as objects. Nothing is evaluated or kept. For comparison,
dlexp's whole command, which evaluates every epoch and keeps journal and folder.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import goals
from benchmarks.measuring import Measured, Spread, Times, over, prepared, ratios, spent, table
from benchmarks.page import asked_for, tell
from benchmarks.peers import PEERS
from benchmarks.workloads import WORKLOADS

STEPS = 500
WHOLE = "the whole command"
COLUMNS = {
    "run": (
        "dlexp",
        "dlexp, no Hydra",
        "NumPy by hand",
        "JAX scan",
        "JAX step",
        "PyTorch fused",
        "PyTorch foreach",
        "scikit-learn",
    ),
    "sweep": (
        "dlexp",
        "dlexp, no Hydra",
        "JAX scan",
        "JAX step",
        "PyTorch fused",
        "PyTorch foreach",
    ),
}
COMMANDS = {
    "run": ("-m", "dlexp", f"steps={STEPS}", "tracking=none", "observer=none"),
    "sweep": (
        "-m",
        "dlexp",
        "-m",
        "optimizer=sgd,momentum,adagrad,adam",
        "init=xavier,he",
        "seed=range(4)",
        f"steps={STEPS}",
        "tracking=none",
        "hydra.launcher.n_jobs=1",
    ),
}
TITLES = {
    "run": (
        f"{STEPS} steps of W1 in a fresh process: CPU seconds, and divided by dlexp's of the same"
        " round"
    ),
    "sweep": (
        f"32 runs of {STEPS} steps of W1: CPU seconds, and divided by dlexp's of the same round"
    ),
}


def command(what: str, column: str, folder: Path) -> list[str]:
    """The command that is timed."""
    if column == WHOLE:
        return [sys.executable, *COMMANDS[what]]
    how = ("mixed", str(STEPS)) if what == "sweep" else (str(STEPS),)
    return [sys.executable, "-m", "benchmarks.worker", column, str(folder), *how]


def timed(what: str, rounds: int) -> tuple[Measured, Times]:
    """CPU seconds and wall seconds by column, in turn."""
    workload = replace(WORKLOADS["W1"], block=STEPS)
    absent = {c: why for c in COLUMNS[what] if (why := PEERS[c].absent())}
    there = [*(c for c in COLUMNS[what] if c not in absent), WHOLE]
    cpu: Times = {c: [] for c in there}
    wall: Times = {c: [] for c in there}
    with prepared(workload) as folder:
        for i in range(rounds):
            for column in there[i % len(there) :] + there[: i % len(there)]:
                # new outputs each time: an existing sweep would not be run again
                outputs = folder / f"outputs-{len(cpu[column])}"
                seconds = spent(command(what, column, folder), folder, DLEXP_OUTPUTS=str(outputs))
                cpu[column].append(seconds[0])
                wall[column].append(seconds[1])
    return Measured(cpu, absent), wall


def report(what: str, results: Measured, wall: Times, columns: Sequence[str]) -> str:
    """A row for each column."""
    relative = [ratios(results.times, base) for base in ("dlexp, no Hydra", "dlexp")]
    rows = []
    for c in columns:
        seconds = [
            str(Spread.of(times[c])) if c in times else "" for times in (results.times, wall)
        ]
        rows.append(
            [
                c,
                results.absent.get(c) or seconds[0],
                seconds[1],
                *(str(r.get(c, "")) for r in relative),
            ]
        )
    head = ["", "CPU, s", "wall, s", "÷ dlexp, no Hydra", "÷ dlexp"]
    return f"{TITLES[what]}:\n\n{table(head, rows)}"


def kept(what: str, times: Times) -> dict[str, list[float]]:
    """The goals' values: relative to dlexp without Hydra, like the peers, and with Hydra."""
    named = "500 steps in a fresh process" if what == "run" else "mixed sweep of 32 runs"
    results = {}
    for base, how in {"dlexp, no Hydra": "no Hydra", "dlexp": "with Hydra"}.items():
        for peer, column in {
            "JAX": "JAX scan",
            "PyTorch": "PyTorch fused",
            "scikit-learn": "scikit-learn",
        }.items():
            if column in times:
                results[f"{named}, {peer} ÷ dlexp, {how}"] = over(times, column, base)
    return results


def main() -> None:
    """Measure, print, and write the page if requested."""
    parser = asked_for(__doc__ or "", rounds=5)
    parser.add_argument("what", nargs="*", metavar="run|sweep", help="both by default")
    args = parser.parse_args()
    for unknown in set(args.what) - set(COLUMNS):
        parser.error(f"there is no {unknown}; there are {', '.join(COLUMNS)}")
    for what in args.what or COLUMNS:
        results, wall = timed(what, args.rounds)
        tell(f"fresh {what}", report(what, results, wall, [*COLUMNS[what], WHOLE]), write=args.page)
        goals.tell(kept(what, results.times), write=args.page)


if __name__ == "__main__":
    main()
