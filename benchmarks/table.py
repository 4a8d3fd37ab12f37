"""A large table: time and memory to read it with dlexp, compared with pandas.read_csv.

    python -m benchmarks.table [--rounds 5] [--samples 1000000] [--page]

The file has 50 columns, the last the label. Each reading is a process of its own, in turn; what is
imported is not counted. "read" is dlexp's reading of the columns, "data set" also the splits,
standardized, as they are trained on.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.measuring import HERE, Spread, environment, over, table
from benchmarks.page import asked_for, tell

COLUMNS = 50
WAYS = ("pandas", "read", "data set")
MEASURES = ("CPU s", "wall s", "peak MB")


def write(path: Path, samples: int) -> None:
    """A table of drawn numbers with four decimals and three classes."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        file.write(",".join([*(f"c{i}" for i in range(COLUMNS - 1)), "label"]) + "\n")
        for start in range(0, samples, 10_000):
            n = min(10_000, samples - start)
            rows, labels = (
                rng.standard_normal((n, COLUMNS - 1)).round(4).tolist(),
                rng.integers(0, 3, n).tolist(),
            )
            file.writelines(
                f"{','.join(map(repr, x))},{label}\n" for x, label in zip(rows, labels, strict=True)
            )


def read(way: str, path: str) -> None:
    """One reading; prints CPU seconds, wall seconds, and the process's peak memory in MB."""
    import resource

    import pandas as pd

    from dlexp.core import registry
    from dlexp.data.tables import reading
    from dlexp.plugins import discovery

    discovery.discover()
    data = registry.find("data", "table")(path=path)
    cpu, wall = time.process_time(), time.perf_counter()
    if way == "pandas":
        pd.read_csv(path)
    elif way == "read":
        reading.read(Path(path), None, encoding=None, delimiter=None, decimal=None, header=None)
    else:
        data.dataset(np.random.default_rng(0))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(cpu, wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def measured(way: str, path: Path) -> list[float]:
    """The measurements of one process."""
    command = [sys.executable, "-m", "benchmarks.table", "--read", way, str(path)]
    done = subprocess.run(
        command, env=environment(), cwd=HERE, check=True, stdout=subprocess.PIPE, text=True
    )
    return [float(word) for word in done.stdout.split()]


def report(results: dict[str, list[list[float]]], samples: int) -> str:
    """Each measure, and its ratio to that of pandas in the same round."""
    rows = []
    for i, measure in enumerate(MEASURES):
        values = {way: [run[i] for run in runs] for way, runs in results.items()}
        rows.append([measure, *(str(Spread.of(v)) for v in values.values())])
        rows.append(
            [
                f"{measure} ÷ pandas",
                *(str(Spread.of(over(values, way, "pandas"))) for way in values),
            ]
        )
    n = len(results["pandas"])
    head = f"{samples:,} samples of {COLUMNS} columns: median (smallest–largest), n = {n}:"
    return f"{head}\n\n{table(['', *results], rows)}"


def main() -> None:
    """Measure, print, and write the page if requested."""
    parser = asked_for(__doc__ or "", rounds=5)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--read", nargs=2, metavar=("WAY", "FILE"), help="for the processes")
    args = parser.parse_args()
    if args.read:
        read(*args.read)
        return
    with TemporaryDirectory(prefix="dlexp-bench-") as folder:
        path = Path(folder) / "table.csv"
        write(path, args.samples)
        results: dict[str, list[list[float]]] = {way: [] for way in WAYS}
        for _ in range(args.rounds):
            for way in WAYS:
                results[way].append(measured(way, path))
    tell("table", report(results, args.samples), write=args.page)


if __name__ == "__main__":
    main()
