"""The regression guard: instructions and memory of a training step, compared with a budget.

    scripts/bench [W1 W2 W3 W4] [--write]

- instructions: counted by valgrind's callgrind over 16 steps, if valgrind is installed; a minute or
  two for each workload. They depend on the version of NumPy, which `benchmarks/budget.json` names,
  and repeat almost exactly.
  Valgrind shows programs a processor without AVX-512.
- peak_bytes: the most memory that a step allocates for its arrays, by tracemalloc.

Exit status 1 if a number is more than 2 % above its budget. `--write` makes today's numbers the
budget.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import shutil
import subprocess
import sys
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from typing import Any

from benchmarks.measuring import HERE, environment, prepared, table
from benchmarks.page import version_of
from benchmarks.workloads import WORKLOADS, Workload

BUDGET = HERE / "budget.json"
BEFORE, STEPS = 4, 16
MORE = 1.02
LESS = 1.1  # a budget that is so many times the count is out of date
# the instructions of a step do not depend on it, and valgrind is slow
FEWER = {"data.n=78571": "data.n=2000"}


def small(workload: Workload) -> Workload:
    """The workload with fewer samples."""
    return replace(workload, data=tuple(FEWER.get(word, word) for word in workload.data))


def peak_bytes(workload: Workload) -> int:
    """The most that any of a few steps allocates."""
    from benchmarks.peers.with_dlexp import trainer
    from dlexp.runs import provenance

    with provenance.one_blas_thread():
        running = trainer(small(workload), 0)
        batches = running.rest_of_epoch()
        for _ in range(3):
            running.step(next(batches))
        tracemalloc.start()
        try:
            results = []
            for _ in range(5):
                batch = next(batches)
                tracemalloc.reset_peak()
                before = tracemalloc.get_traced_memory()[0]
                running.step(batch)
                results.append(tracemalloc.get_traced_memory()[1] - before)
        finally:
            tracemalloc.stop()
    return min(results)


def instructions(workload: Workload) -> int | None:
    """Instructions of a step, or None without valgrind; the preparation is not counted."""
    if not (shutil.which("valgrind") and shutil.which("callgrind_control")):
        return None
    with prepared(small(workload)) as folder:
        out = folder / "callgrind.out"
        tool = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [*tool, sys.executable, "-m", "benchmarks.worker", "dlexp", str(folder)],
                text=True,
                stderr=log,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment(PYTHONHASHSEED="0"),
            )
            try:
                _request(process)
                _request(process, BEFORE)
                _count(process, "on")
                _request(process, STEPS)
                _count(process, "off")
                assert process.stdin is not None
                process.stdin.close()
                process.wait(timeout=120)
            finally:
                process.kill()
        totals = re.findall(r"^(?:totals|summary): (\d+)", out.read_text("utf-8"), re.MULTILINE)
    return max(map(int, totals)) // STEPS


def _request(process: subprocess.Popen[str], steps: int | None = None) -> None:
    """Let the worker train, or get ready, and wait for its answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    if steps is not None:
        print(steps, file=process.stdin, flush=True)
    if not process.stdout.readline():
        raise RuntimeError("the worker ended under valgrind")


def _count(process: subprocess.Popen[str], switch: str) -> None:
    subprocess.run(
        ["callgrind_control", "-i", switch, str(process.pid)],
        check=True,
        capture_output=True,
        timeout=120,
    )


def versions() -> dict[str, str]:
    """What the counts depend on besides dlexp."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "numpy": version_of("numpy"),
    }


def over(results: dict[str, int], budget: dict[str, int], more: float = MORE) -> list[str]:
    """The counts that exceed their budget by more than repetitions would explain."""
    return [what for what, n in results.items() if what in budget and n > more * budget[what]]


def main() -> int:
    """Count, compare, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "workloads", nargs="*", metavar="W", help=f"of {', '.join(WORKLOADS)}; all by default"
    )
    parser.add_argument("--write", action="store_true", help="make the counts the budget")
    args = parser.parse_args()
    for unknown in set(args.workloads) - set(WORKLOADS):
        parser.error(f"there is no workload {unknown}; there are {', '.join(WORKLOADS)}")
    stored: dict[str, Any] = {"versions": {}, "budget": {}}
    with suppress(FileNotFoundError):
        stored = json.loads(BUDGET.read_text("utf-8"))
    if not args.write and stored["versions"] != versions():
        print(
            f"The budget was made with {stored['versions']}, this is {versions()}: differences may"
            " be theirs."
        )
    rows, wrong, spare = [], [], []
    for name in args.workloads or WORKLOADS:
        counts = {
            "instructions": instructions(WORKLOADS[name]),
            "peak_bytes": peak_bytes(WORKLOADS[name]),
        }
        results = {what: n for what, n in counts.items() if n is not None}
        budget = stored["budget"].get(name, {})
        for what, n in results.items():
            allowed = f"{budget[what]:,}" if what in budget else "none"
            change = f"{n / budget[what] - 1:+.1%}" if what in budget else ""
            rows.append([name, what, f"{n:,}", allowed, change])
        wrong += [f"{name} {what}" for what in over(results, budget)]
        spare += [f"{name} {what}" for what in over(budget, results, LESS)]
        if "instructions" not in results:
            rows.append([name, "instructions", "no valgrind", "", ""])
        stored["budget"][name] = {**budget, **results}
    print(table(["work", "of a step", "result", "budget", "change"], rows))
    if args.write:
        BUDGET.write_text(json.dumps({**stored, "versions": versions()}, indent=2) + "\n", "utf-8")
        return 0
    if wrong:
        print(f"over budget: {', '.join(wrong)}")
    if spare:
        print(f"far below the budget, which should be renewed (--write): {', '.join(spare)}")
    return bool(wrong or spare)


if __name__ == "__main__":
    raise SystemExit(main())
