"""80 default runs: dlexp's sweep on two workers, compared with a loop of PyTorch and MLflow.

    python -m benchmarks.sweep_peer [--seeds 10] [--rounds 3] [--page]

4 optimizers × 2 initial values × 10 seeds, from the command's start to its end, everything in
MLflow, in fresh folders. dlexp's time includes what a sweep does beside: its ledger, a folder for
each run, the comparison with its intervals and figures. The plain loop (`plain_loop.py`) is
measured as people write it, one process with as many threads as there are processors; with one
thread; and, harder to write, as two processes of one thread that share the seeds.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import goals
from benchmarks.measuring import Measured, Spread, Times, over, ratios, spent, table
from benchmarks.page import asked_for, tell
from benchmarks.peers import PEERS

Cost = dict[str, float]


def dlexp(folder: Path, seeds: int) -> Cost:
    """`python -m dlexp -m …` with two workers."""
    words = [
        "optimizer=sgd,momentum,adagrad,adam",
        "init=xavier,he",
        f"seed=range({seeds})",
        "hydra.launcher.n_jobs=2",
    ]
    cpu, wall, _ = spent(
        [sys.executable, "-m", "dlexp", "-m", *words], folder, DLEXP_OUTPUTS=str(folder / "outputs")
    )
    (ledger,) = (folder / "outputs").glob("sweeps/*/ledger.jsonl")
    entries = [json.loads(line) for line in ledger.read_text("utf-8").splitlines()]
    if len(entries) != 8 * seeds:
        raise SystemExit(f"dlexp ran {len(entries)} runs, not {8 * seeds}")
    return {"wall": wall, "cpu": cpu, "memory": max(e["peak_mb"] for e in entries)}


def plain(folder: Path, seeds: int, threads: int) -> Cost:
    """The plain loop in one process."""
    cpu, wall, memory = spent(_loop(folder, threads, 0, seeds), folder, **_threads(threads))
    return {"wall": wall, "cpu": cpu, "memory": memory}


def shared(folder: Path, seeds: int) -> Cost:
    """The plain loop in two processes, each with half of the seeds and a store of its own."""
    import subprocess

    halves = [(folder / "a", 0, seeds // 2), (folder / "b", seeds // 2, seeds)]
    for half, _, _ in halves:
        half.mkdir()
    before, began = os.times(), time.perf_counter()
    running = [
        subprocess.Popen(
            _loop(half, 1, a, b),
            env={**os.environ, **_threads(1)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for half, a, b in halves
    ]
    usages = [os.wait4(p.pid, 0) for p in running]
    wall, after = time.perf_counter() - began, os.times()
    for p, (_, status, _) in zip(running, usages, strict=True):
        p.returncode = os.waitstatus_to_exitcode(status)
        if p.returncode:
            raise SystemExit("one half of the plain loop failed")
    cpu = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    return {"wall": wall, "cpu": cpu, "memory": max(u[2].ru_maxrss for u in usages) / 1024}


def _loop(folder: Path, threads: int, first: int, end: int) -> list[str]:
    return [
        sys.executable,
        "-m",
        "benchmarks.plain_loop",
        str(folder),
        str(threads),
        f"{first}:{end}",
    ]


def _threads(n: int) -> dict[str, str]:
    return {name: str(n) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}


def main() -> None:
    """Measure, print, and write the page if requested."""
    parser = asked_for(__doc__ or "", rounds=3)
    parser.add_argument(
        "--seeds", type=int, default=10, help="runs are eight times as many (default: %(default)s)"
    )
    args = parser.parse_args()
    cores = os.cpu_count() or 1
    ways: dict[str, Callable[[Path, int], Cost]] = {
        "dlexp, 2 workers": dlexp,
        f"plain loop, {cores} threads": partial(plain, threads=cores),
        "plain loop, 1 thread": partial(plain, threads=1),
        "plain loop, 2 processes": shared,
    }
    missing = PEERS["PyTorch fused"].absent()
    results: dict[str, list[Cost]] = {
        way: [] for way in ways if way.startswith("dlexp") or not missing
    }
    for _ in range(args.rounds):
        for way in results:
            with TemporaryDirectory(prefix="dlexp-bench-") as name:
                results[way].append(ways[way](Path(name), args.seeds))
                print(way, results[way][-1], flush=True)
    tell(
        "sweep_peer",
        report(results, {way: missing for way in ways if way not in results}, 8 * args.seeds),
        write=args.page,
    )
    if args.seeds == 10:
        goals.tell(kept(results, list(ways)), write=args.page)


def kept(results: dict[str, list[Cost]], ways: list[str]) -> dict[str, list[float]]:
    """The goals' values: the loop's wall time over dlexp's, for each measured way of looping."""
    walls = {way: [c["wall"] for c in costs] for way, costs in results.items()}
    loops = {loop: way for loop, way in zip(goals.LOOPS, ways[1:], strict=True) if way in walls}
    return {
        f"sweep of 80 runs, {loop} ÷ dlexp, wall time": over(walls, way, ways[0])
        for loop, way in loops.items()
    }


def report(results: dict[str, list[Cost]], absent: dict[str, str], runs: int) -> str:
    """A row for each way: runs a minute, wall and CPU seconds, memory, wall time over dlexp's."""
    walls: Times = {way: [c["wall"] for c in costs] for way, costs in results.items()}
    relative = ratios(walls, next(iter(walls)))
    measured = Measured(walls, absent)
    rows = []
    for way in [*results, *absent]:
        costs = results.get(way, [])
        minute = {w: f"{60 * runs / Spread.of(v).median:.0f}" for w, v in walls.items()}
        columns = [
            str(Spread.of([c[what] for c in costs])) if costs else "" for what in ("wall", "cpu")
        ]
        memory = f"{max(c['memory'] for c in costs):.0f}" if costs else ""
        rows.append([way, measured.cell(way, minute), *columns, memory, str(relative.get(way, ""))])
    head = [
        "",
        "runs a minute",
        "wall, s",
        "CPU, s",
        "peak memory of a process that trains, MB",
        "wall time ÷ dlexp",
    ]
    return (
        f"{runs} default runs, everything in MLflow: median"
        f" (smallest–largest):\n\n{table(head, rows)}"
    )


if __name__ == "__main__":
    main()
