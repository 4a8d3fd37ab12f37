"""The whole command: where the main job's wall time goes, and how fast it starts and answers.

    python -m benchmarks.command [--rounds 5] [--page]

`python -m dlexp optimizer=adam init=he regularizer=dropout` in a fresh process and a store that
exists already, with clocks at its parts; each part is counted without the parts inside it. MLflow's
process works beside it: only what the command waits for it at the end is its wall time.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import goals
from benchmarks.main_job import JOB
from benchmarks.measuring import Spread, environment, table
from benchmarks.page import asked_for, tell

START, CONFIGURATION, DATA, FOLDER = (
    "start-up",
    "configuration",
    "data and network",
    "start of folder, journal, sender",
)
STEPS, EVALUATION = "training steps", "evaluation of each epoch"
JOURNAL, BETWEEN, PROGRESS = "journal", "interruptions and checkpoints", "observer progress"
SAVED, WAITING, END = "network saved", "waiting for MLflow", "summary, exit"
PARTS = (
    START,
    CONFIGURATION,
    DATA,
    FOLDER,
    STEPS,
    EVALUATION,
    JOURNAL,
    BETWEEN,
    PROGRESS,
    "observer curves",
    "observer histograms",
    "observer path",
    SAVED,
    WAITING,
    END,
)


class Clocks:
    """Wall time by part: a part that begins inside another one stops the clock of that."""

    def __init__(self, began: float) -> None:
        self.spent: Counter[str] = Counter()
        self._stack = [START]
        self._since = began

    def switch(self) -> None:
        """Add the time since the last switch to the running part."""
        now = time.time()
        self.spent[self._stack[-1]] += now - self._since
        self._since = now

    def clock(self, owner: Any, name: str, part: str) -> None:
        """Time the calls of `owner.name` as `part`; `{}` in it is the name of the observer."""
        original = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            named = part.format(args[0].observer.name) if "{}" in part else part
            self.switch()
            self._stack.append(named)
            try:
                return original(*args, **kwargs)
            finally:
                self.switch()
                self._stack.pop()

        setattr(owner, name, timed)


def inside(output: str, began: float, words: list[str]) -> int:
    """The command itself, with clocks at its parts; the file `path` gets the times."""
    from dlexp.cli import main

    clocks, first = Clocks(began), []
    hang(clocks, first)
    status = main(words)
    clocks.switch()
    Path(output).write_text(
        json.dumps({"parts": clocks.spent, "cpu": first[0], "ended": time.time()}), "utf-8"
    )
    return status


def hang(clocks: Clocks, first: list[float]) -> None:
    """Add clocks to the parts; note the CPU time at the first step."""
    from dlexp.cli import summary, train
    from dlexp.core.trainer import Trainer
    from dlexp.runs import lifecycle
    from dlexp.runs.checkpointing import Checkpointer
    from dlexp.runs.observer_runner import ObserverRunner
    from dlexp.storage import network_file
    from dlexp.storage.journal import Journal
    from dlexp.tracking import Sender

    step = Trainer.step

    def noted(trainer: Trainer, batch: Any) -> float:
        if not first:
            first.append(time.process_time())
        return step(trainer, batch)

    Trainer.step = noted  # type: ignore[method-assign]
    clocks.clock(train, "main", CONFIGURATION)
    clocks.clock(lifecycle, "perform", FOLDER)
    clocks.clock(lifecycle, "assembled", DATA)
    clocks.clock(lifecycle.Run, "train", STEPS)
    clocks.clock(Trainer, "evaluate", EVALUATION)
    clocks.clock(Trainer, "conclude", EVALUATION)
    clocks.clock(Journal, "record", JOURNAL)
    clocks.clock(Checkpointer, "__call__", BETWEEN)
    clocks.clock(ObserverRunner, "tell", "observer {}")
    clocks.clock(network_file, "save_network", SAVED)
    clocks.clock(Sender, "wait", WAITING)
    clocks.clock(summary, "of_runs", END)


def profiled(folder: Path) -> dict[str, float]:
    """Seconds of wall time by part and in total; CPU seconds until the first step."""
    output = folder / "times.json"
    began = time.time()
    command = [
        sys.executable,
        "-m",
        "benchmarks.command",
        "--inside",
        str(output),
        str(began),
        *JOB,
    ]
    _succeed(command, folder)
    ended = time.time()
    results = json.loads(output.read_text("utf-8"))
    parts = {part: results["parts"].get(part, 0.0) for part in PARTS}
    parts[END] += ended - results["ended"]
    return {**parts, "all": ended - began, "cpu": results["cpu"]}


def answered(folder: Path, words: list[str], status: int) -> float:
    """Wall seconds until the command has answered."""
    began = time.perf_counter()
    _succeed([sys.executable, "-m", "dlexp", *words], folder, status)
    return time.perf_counter() - began


def _succeed(command: list[str], folder: Path, status: int = 0) -> None:
    env = environment(DLEXP_OUTPUTS=str(folder / "outputs"))
    done = subprocess.run(command, cwd=folder, env=env, check=False, capture_output=True, text=True)
    if done.returncode != status:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")


def report(runs: list[dict[str, float]], answers: dict[str, list[float]]) -> str:
    """Two tables: the parts of the main job; its start, its overhead, and how fast it answers."""
    whole = statistics.median(r["all"] for r in runs)
    rows = []
    for part in (*PARTS, "all"):
        spread = Spread.of([r[part] for r in runs])
        rows.append([part, str(spread), f"{spread.median / whole:.1%}"])
    watched = Spread.of(watching(runs))
    more = [
        ["from start to the first training step, CPU s", str(Spread.of([r["cpu"] for r in runs]))],
        [
            "journal, progress, interruptions and checkpoints: % of training and evaluation",
            str(watched),
        ],
        *([f"`{words}`, wall s", str(Spread.of(v))] for words, v in answers.items()),
    ]
    head = f"The main job, wall time by part: median (smallest–largest), n = {len(runs)}:"
    return f"{head}\n\n{table(['part', 's', 'share'], rows)}\n\n{table(['', ''], more)}"


def watching(runs: list[dict[str, float]]) -> list[float]:
    """Journal, progress, interruptions and checkpoints, in percent of training and evaluation."""
    return [
        100 * (r[JOURNAL] + r[BETWEEN] + r[PROGRESS]) / (r[STEPS] + r[EVALUATION]) for r in runs
    ]


def main() -> None:
    """Measure, print, and write the page if requested."""
    args = asked_for(__doc__ or "", rounds=5).parse_args()
    answers: dict[str, list[float]] = {
        "python -m dlexp --help": [],
        "python -m dlexp optimizer=adm": [],
    }
    runs = []
    with TemporaryDirectory(prefix="dlexp-bench-") as name:
        folder = Path(name)
        profiled(folder)  # creates the store
        for _ in range(args.rounds):
            runs.append(profiled(folder))
            for words, times in answers.items():
                times.append(answered(folder, words.split()[3:], 2 if "=" in words else 0))
    tell("command", report(runs, answers), write=args.page)
    goals.tell(kept(runs, *answers.values()), write=args.page)


def kept(
    runs: list[dict[str, float]], helped: list[float], refused: list[float]
) -> dict[str, list[float]]:
    """The goals' values."""
    return {
        "from start to the first step, CPU s": [r["cpu"] for r in runs],
        "journal and progress, % of training": watching(runs),
        "`python -m dlexp --help`, wall s": helped,
        "an error, wall s": refused,
    }


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        raise SystemExit(inside(sys.argv[2], float(sys.argv[3]), sys.argv[4:]))
    os.environ.pop("DLEXP_PLUGINS", None)
    main()
