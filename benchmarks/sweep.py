"""80 default runs, with one worker and with two: wall time, CPU time and where it goes, memory.

    python -m benchmarks.sweep [--rounds 3] [--page]

Each in turn, in fresh outputs folders, without MLflow and then with it. "Work" is the time from the
start of the first job to the end of the last, start-up aside. CPU time is split into

- training: the workers' time, less dlexp's part in it;
- Hydra: its composing of every job, in the command's process;
- dlexp: what else a job costs, in the command (validation, ledger) and in its worker (journal, run
  folder), where it is the difference between a run in a folder and the same run without one,
  measured in pairs;
- comparison: the report at the end; MLflow: the sender's process; start-up: imports, and Hydra.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measuring import ratios, table
from benchmarks.page import asked_for, tell

JOBS = ["optimizer=sgd,momentum,adagrad,adam", "init=xavier,he", "seed=range(10)"]
COLUMNS = {"1 worker": (1, "none"), "2 workers": (2, "none"), "2 workers, MLflow": (2, "mlflow")}


def inside(output: str, words: list[str]) -> int:
    """The command itself, with clocks at its parts; the file `path` gets the times."""
    from dlexp.cli import main, summary
    from dlexp.config.loader import Loader
    from dlexp.sweeps import validate
    from dlexp.sweeps.session import Session

    spent: Counter[str] = Counter()

    def clock(owner: object, name: str, part: str) -> None:
        original = getattr(owner, name)

        def timed(*args: object, **kwargs: object) -> object:
            began = time.process_time()
            try:
                return original(*args, **kwargs)
            finally:
                spent[part] += time.process_time() - began

        setattr(owner, name, timed)

    clock(Loader, "load_job", "hydra")
    clock(validate, "jobs", "validation and hydra")
    clock(Session, "run", "run")
    clock(summary, "comparison", "comparison")
    status = main(words)
    # the sender: workers are not this process's own children
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent["mlflow"] = children.ru_utime + children.ru_stime
    spent["command"] = time.process_time()
    Path(output).write_text(json.dumps(spent))
    return status


def overhead() -> float:
    """CPU seconds that a job costs its worker besides training; the median of 32 pairs."""
    from dlexp import config
    from dlexp.runs import lifecycle, provenance
    from dlexp.runs.run import Run
    from dlexp.sweeps.job import without_default_observers

    results = []
    with provenance.one_blas_thread(), TemporaryDirectory(prefix="dlexp-bench-") as name:
        for seed in range(32):
            setup = without_default_observers(
                config.compose_run("epochs=5", f"seed={seed}", "tracking=none")
            )
            clocks = [time.process_time()]
            run = Run(setup.experiment, setup.experiment.trainer())
            run.train()
            clocks.append(time.process_time())
            place = lifecycle.Place(
                Path(name) / str(seed), str(seed), {"dlexp.sweep": "bench"}, standalone=False
            )
            lifecycle.perform(setup, place=place)
            clocks.append(time.process_time())
            results.append(clocks[2] - 2 * clocks[1] + clocks[0])
    return statistics.median(results)


def sweep(workers: int, tracking: str, per_job: float) -> dict[str, float]:
    """One sweep in a fresh folder, and what it cost."""
    with TemporaryDirectory(prefix="dlexp-bench-") as name:
        output = str(Path(name) / "times.json")
        words = ["-m", *JOBS, f"tracking={tracking}", f"hydra.launcher.n_jobs={workers}"]
        command = [sys.executable, "-m", "benchmarks.sweep", "--inside", output, *words]
        began = time.perf_counter()
        done = subprocess.run(
            command,
            env=os.environ | {"DLEXP_OUTPUTS": name},
            cwd=name,
            capture_output=True,
            text=True,
            check=False,
        )
        wall = time.perf_counter() - began
        if done.returncode:
            raise SystemExit(done.stderr)
        (ledger,) = Path(name).glob("sweeps/*/ledger.jsonl")
        entries = [json.loads(line) for line in ledger.read_text().splitlines()]
        spent = json.loads(Path(output).read_text())
    n = len(entries)
    work = max(e["time_ms"] for e in entries) / 1000 - min(
        e["time_ms"] / 1000 - e["seconds"] for e in entries
    )
    in_workers = sum(e["cpu_seconds"] for e in entries)
    ours = n * per_job
    ours_before = spent["validation and hydra"] - spent["hydra"]
    return {
        "runs": n,
        "wall, s": wall,
        "work, s": work,
        "start-up and end, s": wall - work,
        "runs per minute of work": 60 * n / work,
        "CPU training, s": in_workers - ours,
        "CPU Hydra, s": spent["hydra"],
        "CPU dlexp in the command, s": ours_before + spent["run"],
        "CPU dlexp in the workers, s": ours,
        "CPU comparison, s": spent["comparison"],
        "CPU MLflow, s": spent["mlflow"],
        "CPU start-up, s": (
            spent["command"] - spent["validation and hydra"] - spent["run"] - spent["comparison"]
        ),
        "Hydra per job, ms": 1000 * spent["hydra"] / n,
        "dlexp per job, ms": 1000 * (ours_before + spent["run"] + ours) / n,
        "peak memory of a worker, MB": max(e["peak_mb"] for e in entries),
        "… in its first ten jobs, MB": max(e["peak_mb"] for e in entries[:10]),
    }


def report(results: dict[str, list[dict[str, float]]]) -> str:
    """One worker, two workers, two workers with MLflow; ratios of the work, round by round."""
    rows = []
    for what in results["1 worker"][0]:
        rows.append(
            [
                what,
                *(
                    f"{statistics.median(run[what] for run in runs):,.1f}"
                    for runs in results.values()
                ),
            ]
        )
    work = {name: [run["work, s"] for run in runs] for name, runs in results.items()}
    relative = ratios(work, "1 worker")
    rows.append(["work ÷ work of 1 worker, by rounds", *(str(relative[name]) for name in results)])
    head = f"Medians, n = {len(results['1 worker'])} (last row: median, smallest–largest):"
    return f"{head}\n\n{table(['', *results], rows)}"


def main() -> None:
    """Measure, print, and write the page if requested."""
    args = asked_for(__doc__ or "", rounds=3).parse_args()
    per_job = overhead()
    results: dict[str, list[dict[str, float]]] = {name: [] for name in COLUMNS}
    for _ in range(args.rounds):
        for name, how in COLUMNS.items():
            results[name].append(sweep(*how, per_job))
    tell("sweep", report(results), write=args.page)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        raise SystemExit(inside(sys.argv[2], sys.argv[3:]))
    main()
