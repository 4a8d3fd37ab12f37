"""CPU time of one training step: dlexp, its peers, and the matrix products alone.

    python -m benchmarks.step [W1 W2 W3 W4] [--rounds 9] [--only GEMM dlexp] [--page]

All peers wait in processes of their own and train in turn, on one core and one thread; ratios are
taken within a round. The peers are the extra `benchmarks` (pip install "dlexp[benchmarks]"); the
column of one that is missing says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks import goals
from benchmarks.measuring import Measured, Times, measure, over, ratios, table
from benchmarks.page import asked_for, tell
from benchmarks.peers import PEERS
from benchmarks.workloads import WORKLOADS

MOST = 0.75  # of the rounds


def report(results: dict[str, Measured], columns: Sequence[str]) -> str:
    """Three tables: microseconds, ratios to the matrix products, ratios to dlexp."""
    parts = []
    head = ["work", *columns]

    def add(title: str, cells: dict[str, dict[str, object]]) -> None:
        rows = [
            [f"{w} {WORKLOADS[w].title}", *(results[w].cell(c, cells[w]) for c in columns)]
            for w in results
        ]
        parts.append(f"{title}\n\n{table(head, rows)}")

    add(
        "Microseconds of CPU time a step, median:",
        {w: dict(m.microseconds()) for w, m in results.items()},
    )
    for base in ("GEMM", "dlexp"):
        if all(base in m.times for m in results.values()):
            add(
                f"The same, divided by {base} of the same round: median (smallest–largest):",
                {w: dict(ratios(m.times, base)) for w, m in results.items()},
            )
    return "\n\n".join(parts)


def ahead(results: dict[str, Measured], columns: Sequence[str]) -> str:
    """Which peers are faster than dlexp."""
    rows = [[c, *(m.absent.get(c) or word(m.times, c) for m in results.values())] for c in columns]
    head = "Beside dlexp, on one step: ahead or behind where three quarters of the rounds say so:"
    return f"{head}\n\n{table(['', *results], rows)}"


def word(times: Times, column: str) -> str:
    """Ahead or behind, or no difference."""
    ratios_ = over(times, column, "dlexp")
    faster, slower = (
        sum(map(wins, ratios_)) / len(ratios_) for wins in ((1.0).__gt__, (1.0).__lt__)
    )
    return "ahead" if faster >= MOST else "behind" if slower >= MOST else "no difference"


def kept(results: dict[str, Measured]) -> dict[str, list[float]]:
    """The goals' values."""
    both = {w: m.times for w, m in results.items() if {"dlexp", "GEMM"} <= m.times.keys()}
    return {f"a step ÷ GEMM, {w}": over(times, "dlexp", "GEMM") for w, times in both.items()}


def main() -> None:
    """Measure, print, and write the page if requested."""
    parser = asked_for(__doc__ or "", rounds=9)
    parser.add_argument(
        "workloads", nargs="*", metavar="W", help=f"of {', '.join(WORKLOADS)}; all by default"
    )
    parser.add_argument(
        "--only", nargs="+", choices=PEERS, metavar="PEER", help=f"of {', '.join(PEERS)}"
    )
    args = parser.parse_args()
    for unknown in set(args.workloads) - set(WORKLOADS):
        parser.error(f"there is no workload {unknown}; there are {', '.join(WORKLOADS)}")
    if args.page and (args.workloads or args.only):
        parser.error("the page's table is of all workloads and all peers")
    columns = args.only or [
        name for name in PEERS if name not in ("dlexp, no Hydra", "JAX products")
    ]
    results = {}
    for name in args.workloads or WORKLOADS:
        results[name] = measure(WORKLOADS[name], columns, args.rounds)
        if args.page or len(args.workloads) != 1:
            print(
                f"{name}: {results[name].microseconds()} {dict(results[name].absent) or ''}",
                flush=True,
            )
    tell("step", report(results, columns), write=args.page)
    peers = [c for c in columns if c not in ("GEMM", "dlexp")]
    if peers and args.rounds > 1 and all("dlexp" in m.times for m in results.values()):
        tell("ahead", ahead(results, peers), write=args.page)
    goals.tell(kept(results), write=args.page)


if __name__ == "__main__":
    main()
