"""What makes dlexp's step fast, one thing at a time: each done otherwise, beside the step as it is.

    python benchmarks/tried.py [W1 W2 W4] [--rounds 25] [--page]

Measured as `step.py` measures: processes in turn, CPU time, ratios within a round; but pair by pair, since the
differences are small. Above 1: slower than dlexp is.
"""

from __future__ import annotations

from dataclasses import replace

from measuring import Spread, measure, ratios, table
from page import asked_for, tell
from peers import TRIED
from workloads import WORKLOADS, Workload

DEFAULT = ("W1", "W2", "W4")


def report(found: dict[str, dict[str, Spread]]) -> str:
    """A row for each thing done otherwise, a column for each workload."""
    rows = [[name, *(str(found[w][name]) for w in found)] for name in TRIED]
    head = "CPU time of a step with one thing done otherwise, divided by dlexp's: median (smallest–largest):"
    return f"{head}\n\n{table(['done otherwise', *found], rows)}"


def compared(workload: Workload, rounds: int) -> dict[str, Spread]:
    """The ratio of each to dlexp as it is."""
    found = {}
    for name in TRIED:
        pair = measure(workload, ["dlexp", name], rounds)
        if pair.absent:
            raise SystemExit(f"{workload.name}, {name}: {pair.absent}")
        found[name] = ratios(pair.times, "dlexp")[name]
        print(f"{workload.name} {name}: {found[name]}", flush=True)
    return found


def main() -> None:
    """Measure, print, and write the page if asked to."""
    parser = asked_for(__doc__ or "", rounds=25)
    parser.add_argument("workloads", nargs="*", metavar="W", help=f"of {', '.join(WORKLOADS)}; {DEFAULT} by default")
    asked = parser.parse_args()
    for unknown in set(asked.workloads) - set(WORKLOADS):
        parser.error(f"there is no workload {unknown}; there are {', '.join(WORKLOADS)}")
    short = {w: replace(WORKLOADS[w], steps=WORKLOADS[w].steps // 4) for w in asked.workloads or DEFAULT}
    found = {w: compared(workload, asked.rounds) for w, workload in short.items()}
    tell("tried", report(found), write=asked.page)


if __name__ == "__main__":
    main()
