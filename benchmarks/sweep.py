"""80 default runs, with one worker and with two: wall time, CPU time and where it goes, memory.

    python benchmarks/sweep.py [repetitions]

Both in turn, in fresh outputs folders, without MLflow and then with it. "Work" is the time from the start of the first
job to the end of the last, start-up aside. CPU time is split into training (the workers' own), the command's process
(composing and validating all jobs with Hydra, the ledger), and MLflow (the rest: the sender and what it imports).
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

JOBS = ["optimizer=sgd,momentum,adagrad,adam", "init=xavier,he", "seed=range(10)"]


def sweep(workers: int, tracking: str) -> dict[str, float]:
    """One sweep in a fresh folder, and what it cost."""
    with TemporaryDirectory(prefix="dlexp-bench-") as name:
        command = [
            sys.executable,
            "-m",
            "dlexp",
            "-m",
            *JOBS,
            f"tracking={tracking}",
            f"hydra.launcher.n_jobs={workers}",
        ]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            command, env=os.environ | {"DLEXP_OUTPUTS": name}, cwd=name, capture_output=True, text=True, check=False
        )
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise SystemExit(done.stderr)
        (ledger,) = Path(name).glob("sweeps/*/ledger.jsonl")
        entries = [json.loads(line) for line in ledger.read_text().splitlines()]
    starts = [e["time_ms"] / 1000 - e["seconds"] for e in entries]
    work = max(e["time_ms"] for e in entries) / 1000 - min(starts)
    return {
        "runs": len(entries),
        "wall, s": wall,
        "work, s": work,
        "start-up and end, s": wall - work,
        "runs per minute": 60 * len(entries) / work,
        "CPU in all, s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "CPU training, s": sum(e["cpu_seconds"] for e in entries),
        "peak memory of a worker, MB": max(e["peak_mb"] for e in entries),
    }


def main(repetitions: int) -> None:
    """Print a table: one worker, two workers, two workers with MLflow; and the ratio of the work."""
    columns = {"1 worker": (1, "none"), "2 workers": (2, "none"), "2 workers, MLflow": (2, "mlflow")}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in columns}
    for _ in range(repetitions):
        for name, how in columns.items():
            found[name].append(sweep(*how))
    print(f"{'':30}" + "".join(f"{name:>20}" for name in columns) + f"   (medians, n={repetitions})")
    for what in found["1 worker"][0]:
        row = [statistics.median(run[what] for run in found[name]) for name in columns]
        print(f"{what:30}" + "".join(f"{value:20.2f}" for value in row))
    ratios = [b["work, s"] / a["work, s"] for a, b in zip(found["1 worker"], found["2 workers"], strict=True)]
    print(f"work of 2 workers / of 1: median {statistics.median(ratios):.3f}, {min(ratios):.3f} … {max(ratios):.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
