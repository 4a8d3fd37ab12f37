"""The goals of dlexp's speed, the measured values, and whether they are met: one table of the page.

Each command writes the rows that it measures; the others stay, each with the command and the code
that measured it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Spread, table
from benchmarks.page import PAGE, block, put, stamp

HEAD = ("", "goal", "result: median (smallest–largest)", "met", "measured")


@dataclass(frozen=True)
class Goal:
    """A limit: `at most`, or `at least` with `at_least`."""

    limit: float
    at_least: bool = False

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"

    def met(self, value: float) -> bool:
        """Whether this value is within the limit."""
        return value >= self.limit if self.at_least else value <= self.limit


def least(limit: float) -> Goal:
    """At least so much."""
    return Goal(limit, at_least=True)


LOOPS = ("plain loop as written", "plain loop, one thread", "plain loop, two processes")
GOALS = {
    "a step ÷ GEMM, W1": Goal(1.8),
    "a step ÷ GEMM, W2": Goal(1.6),
    "a step ÷ GEMM, W3": Goal(2.3),
    "a step ÷ GEMM, W4": Goal(1.45),
    **{
        f"500 steps in a fresh process, {peer} ÷ dlexp, {how}": least(limit)
        for how in ("no Hydra", "with Hydra")
        for peer, limit in {"JAX": 6, "PyTorch": 9, "scikit-learn": 4.5}.items()
    },
    **{
        f"mixed sweep of 32 runs, {peer} ÷ dlexp, {how}": least(limit)
        for how in ("no Hydra", "with Hydra")
        for peer, limit in {"JAX": 1.35, "PyTorch": 2.5}.items()
    },
    "step 3,000 ÷ step 100, W1": Goal(1.03),
    "step 3,000 ÷ step 100, W2": Goal(1.03),
    "step 3,000 ÷ step 100, W3": Goal(1.03),
    "step 3,000 ÷ step 100, W4": Goal(1.03),
    "from start to the first step, CPU s": Goal(1.0),
    "journal and progress, % of training": Goal(5),
    "main job ÷ bare MLflow script, wall time": Goal(1.2),
    "`python -m dlexp --help`, wall s": Goal(1.0),
    "an error, wall s": Goal(1.0),
    **{f"sweep of 80 runs, {loop} ÷ dlexp, wall time": least(3) for loop in LOOPS},
}


def row(name: str, values: Sequence[float], measured: str) -> list[str]:
    """The row of a goal, which is met if the printed median is; says how many rounds meet it."""
    goal, spread = GOALS[name], Spread.of([round(value, 3) for value in values])
    met = (
        f"{'yes' if goal.met(round(spread.median, 3)) else 'no'}, {sum(map(goal.met, values))} of"
        f" {len(values)}"
    )
    return [
        name,
        str(goal),
        f"{spread.median:.3f} ({spread.low:.3f}–{spread.high:.3f})",
        met,
        measured,
    ]


def tell(results: Mapping[str, Sequence[float]], *, write: bool, page: Path = PAGE) -> None:
    """Print these rows; write them into the page if requested. Raises `KeyError` for no goal."""
    measured = re.sub(
        r"\*| --page|python -m benchmarks\.|, [^,]*(, a virtual machine)?; load.*", "", stamp()
    )
    rows = {name: row(name, values, measured) for name, values in results.items()}
    if not rows:
        return
    print(table(HEAD, list(rows.values())), flush=True)
    if write:
        kept = {
            cells[0]: cells
            for cells in map(cells_of, block("goals", page).splitlines())
            if cells[0] in GOALS
        }
        put(
            "goals",
            table(HEAD, [(kept | rows)[name] for name in GOALS if name in kept | rows]),
            page,
        )


def cells_of(line: str) -> list[str]:
    """The cells of a line of a Markdown table."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
