"""CPU time of a fresh process that trains 500 steps of W1, from Python and through Hydra.

    python -m benchmarks.startup [--rounds 9] [--page]

The process (`phases.py`) tells its CPU time whenever a part ends. "Python" is what passes before
its first line.
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks.measuring import HERE, Spread, alone, environment, table
from benchmarks.page import asked_for, tell
from benchmarks.phases import STEPS

PARTS = (
    "Python",
    "import numpy",
    "import dlexp",
    "import of Hydra and dlexp.config",
    "the benchmark's own modules",
    "configuration composed",
    "data, plugins and network",
    f"{STEPS} steps",
)
NEEDED = ("Python", "import numpy", f"{STEPS} steps")
WAYS = {"no Hydra": "plain", "with Hydra": "hydra"}


def measured(how: str) -> list[float]:
    """CPU seconds of the parts of one fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.phases", how],
        env=environment(),
        cwd=HERE,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return [float(word) for word in done.stdout.split()]


def report(results: dict[str, list[list[float]]]) -> str:
    """A row for each part, and one for all."""
    rows = []
    for i, part in enumerate(PARTS):
        rows.append([part, *(milli([run[i] for run in runs]) for runs in results.values())])
    needed = [PARTS.index(part) for part in NEEDED]
    rows.append(
        [
            "what any program in NumPy needs: Python, NumPy, the steps",
            *(milli([sum(run[i] for i in needed) for run in runs]) for runs in results.values()),
        ]
    )
    rows.append(["all", *(milli([sum(run) for run in runs]) for runs in results.values())])
    n = len(next(iter(results.values())))
    return (
        "Milliseconds of CPU time by part: median (smallest–largest), n ="
        f" {n}:\n\n{table(['', *results], rows)}"
    )


def milli(seconds: list[float]) -> str:
    """The spread in milliseconds."""
    spread = Spread.of([1000 * s for s in seconds])
    return f"{spread.median:.0f} ({spread.low:.0f}–{spread.high:.0f})"


def main() -> None:
    """Measure, print, and write the page if requested."""
    args = asked_for(__doc__ or "", rounds=9).parse_args()
    alone()
    results: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    for how in WAYS.values():
        measured(how)  # writes bytecode
    for _ in range(args.rounds):
        for way, how in WAYS.items():
            results[way].append(measured(how))
    tell("startup", report(results), write=args.page)


if __name__ == "__main__":
    main()
