"""How the time of a step grows with units, depth, batch size and data size.

    python -m benchmarks.growth [units depth batch data] [--rounds 5] [--only GEMM dlexp] [--page]

One number of W1's shape is changed at a time: 64 features, five hidden layers of 100 units, batch
100, Adam; the data are drawn. The exponent is that of the power law through two neighbouring rows,
time ∝ size^exponent: 1 doubles the time when the size doubles, 0 leaves it as it is.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise

from benchmarks.measuring import Measured, measure, table
from benchmarks.page import asked_for, tell
from benchmarks.peers import PEERS
from benchmarks.workloads import Workload

COLUMNS = ("GEMM", "dlexp", "JAX scan", "PyTorch fused")
SECONDS = 0.1  # of dlexp's training per measurement, about
SIZES = {
    "units": (25, 50, 100, 200, 400, 800),
    "depth": (1, 2, 5, 10, 20),
    "batch": (25, 50, 100, 200, 400, 800),
    "data": (1_400, 7_000, 14_000, 35_000, 70_000),
}
MEANT = {
    "units": "units of each of five hidden layers",
    "depth": "hidden layers of 100 units",
    "batch": "samples a batch",
    "data": "training samples",
}


def workload(what: str, size: int) -> Workload:
    """W1's shape with one number changed; 70 % of `data.n` are training samples."""
    number = {"units": 100, "depth": 5, "batch": 100, "data": 1_400} | {what: size}
    sizes = (64, *[number["units"]] * number["depth"], 10)
    products = sum(a * b for a, b in pairwise(sizes))
    guess = 3e-5 * len(sizes) + products * (6 * number["batch"] / 4e10 + 4e-9)  # seconds a step
    steps = min(max(int(SECONDS / guess), 20), 1000)
    samples = f"data.n={round(number['data'] / 0.7)}"
    return Workload(
        f"{what} {size}",
        MEANT[what],
        sizes,
        number["batch"],
        steps,
        steps,
        ("data=gaussian", "data.features=64", "data.classes=10", samples),
    )


def exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """The exponent of the power law through two points.

    >>> exponent((100, 200), (3.0, 12.0))
    2.0
    """
    return math.log(times[1] / times[0]) / math.log(sizes[1] / sizes[0])


def report(what: str, results: dict[int, Measured], columns: Sequence[str]) -> str:
    """A row for each size: microseconds, and the exponent from the row before."""
    rows = []
    for i, (size, m) in enumerate(results.items()):
        sizes, cells = list(results), m.microseconds()
        law = "–"
        if i and "dlexp" in m.times:
            before, now = (
                statistics.median(results[s].times["dlexp"]) for s in sizes[i - 1 : i + 1]
            )
            law = f"{exponent((sizes[i - 1], size), (before, now)):.2f}"
        rows.append([f"{size:,}", *(m.cell(c, cells) for c in columns), law])
    return (
        "Microseconds of CPU time a"
        f" step:\n\n{table([MEANT[what], *columns, 'exponent of dlexp'], rows)}"
    )


def main() -> None:
    """Measure, print, and write the page if requested."""
    parser = asked_for(__doc__ or "", rounds=5)
    parser.add_argument(
        "what", nargs="*", metavar="SIZE", help=f"of {', '.join(SIZES)}; all by default"
    )
    parser.add_argument(
        "--only", nargs="+", choices=PEERS, metavar="PEER", help=f"of {', '.join(PEERS)}"
    )
    args = parser.parse_args()
    for unknown in set(args.what) - set(SIZES):
        parser.error(f"there is no size {unknown}; there are {', '.join(SIZES)}")
    columns = args.only or list(COLUMNS)
    for what in args.what or SIZES:
        results = {
            size: measure(workload(what, size), columns, args.rounds) for size in SIZES[what]
        }
        tell(f"growth {what}", report(what, results, columns), write=args.page)


if __name__ == "__main__":
    main()
