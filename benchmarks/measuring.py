"""The method: peers in separate processes, in turn; CPU time, and ratios within a round."""

from __future__ import annotations

import ctypes
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.peers import ONE_THREAD, PEERS
from benchmarks.workloads import Workload

HERE = Path(__file__).resolve().parent
Times = dict[str, list[float]]  # column → seconds a step (or of the whole), round by round


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, with minimum and maximum."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return Spread(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f}–{self.high:.2f})"


def over(times: Times, column: str, base: str) -> list[float]:
    """A column over the column `base`, round by round: slow rounds cancel out."""
    return [a / b for a, b in zip(times[column], times[base], strict=True)]


def ratios(times: Times, base: str) -> dict[str, Spread]:
    """Every column over the column `base`."""
    return {c: Spread.of(over(times, c, base)) for c in times}


@dataclass(frozen=True)
class Measured:
    """The times of the columns, and the reason of each missing one."""

    times: Times
    absent: Mapping[str, str]

    def cell(self, column: str, cells: Mapping[str, object]) -> str:
        """The text of a table cell: a number, or why there is none."""
        return self.absent.get(column) or str(cells[column])

    def microseconds(self) -> dict[str, str]:
        """Median time of a step."""
        return {c: f"{1e6 * statistics.median(v):,.0f}" for c, v in self.times.items()}


def environment(**more: str) -> dict[str, str]:
    """One thread for all, and cached bytecode: installed peers have it, a checkout lacks it."""
    mine = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**mine, **ONE_THREAD, **more}


def alone() -> None:
    """Keep this process on one core, as `worker.py` is, and with one thread."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ.update(ONE_THREAD)


@contextmanager
def prepared(workload: Workload) -> Iterator[Path]:
    """A folder with the workload and its task."""
    with TemporaryDirectory(prefix="dlexp-bench-") as name:
        folder = Path(name)
        (folder / "workload.json").write_text(json.dumps(asdict(workload)), "utf-8")
        from benchmarks.tasks import task  # dlexp only where it is measured

        task(workload).save(folder / "task.npz")
        yield folder


class Worker:
    """One peer, waiting in a process of its own."""

    def __init__(self, column: str, folder: Path) -> None:
        self.column = column
        self.errors = (folder / f"{column.replace(' ', '-')}.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", column, str(folder)],
            env=environment(),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
        )

    def answer(self) -> str:
        """Its next line. Raises `RuntimeError` with its last output if it has ended."""
        assert self.process.stdout is not None
        if line := self.process.stdout.readline().strip():
            return line
        self.process.wait()
        self.errors.seek(0)
        output = self.errors.read()
        sys.stderr.write(output)
        raise RuntimeError((output.strip().splitlines() or ["it ended without a message"])[-1])

    def train(self, n: int) -> float:
        """CPU seconds a step, over n steps."""
        assert self.process.stdin is not None
        print(n, file=self.process.stdin, flush=True)
        return float(self.answer()) / n

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.errors):
            if pipe is not None:
                pipe.close()


def measure(workload: Workload, columns: Sequence[str], rounds: int) -> Measured:
    """Train all columns in turn: `workload.steps` steps in each round, in a rotating order.

    The start (compilation, first touch of memory) is not counted. A peer that is not installed or
    fails is listed in `absent`.
    """
    absent = {c: why for c in columns if (why := PEERS[c].absent(workload))}
    with prepared(workload) as folder:
        workers: dict[str, Worker] = {}
        try:
            for column in (c for c in columns if c not in absent):
                workers[column] = Worker(column, folder)
                try:
                    workers[column].answer()
                    for _ in range(2):
                        workers[column].train(workload.steps)
                except RuntimeError as e:
                    absent[column] = f"failed: {str(e)[:80]}"
            there = [c for c in workers if c not in absent]
            times: Times = {c: [] for c in there}
            for i in range(rounds if there else 0):
                for column in there[i % len(there) :] + there[: i % len(there)]:
                    times[column].append(workers[column].train(workload.steps))
        finally:
            for worker in workers.values():
                worker.close()
    return Measured(times, absent)


def spent(command: Sequence[str], folder: Path, **more: str) -> tuple[float, float, float]:
    """CPU seconds, wall seconds and peak memory (MB) of a command that must succeed.

    The CPU time includes all its processes, also those that outlive it: they are waited for,
    outside the wall time.
    """
    _adopt()
    with (folder / "command.log").open("w+") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            list(command), cwd=folder, env=environment(**more), stdout=log, stderr=log
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{log.read()}")
    cpu = usage.ru_utime + usage.ru_stime
    with suppress(ChildProcessError):  # raised when there are no more
        while True:
            more_of_it = os.wait4(-1, 0)[2]
            cpu += more_of_it.ru_utime + more_of_it.ru_stime
    return cpu, wall, usage.ru_maxrss / 1024


@cache
def _adopt() -> None:
    """Make orphaned processes children of this one, if the system can (Linux)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    lines.insert(1, ["-" * w for w in widths])
    return "\n".join(
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    )
