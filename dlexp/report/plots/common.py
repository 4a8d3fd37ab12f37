"""What the figures of a report share: texts, looks of an axis's levels, a legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlexp import figures
from dlexp.report import paired, words
from dlexp.report.compare import Comparison, Summary
from dlexp.report.measure import Measure
from dlexp.report.table import Axis, Table

Means = dict[tuple[str | None, str | None], dict[int, float]]

COLORS = (
    figures.BLUE,
    figures.RED,
    figures.GREEN,
    figures.ORANGE,
    figures.PURPLE,
    figures.SKY,
    figures.BLACK,
)
DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))
MARKS = ("o", "s", "^", "D", "v", "P", "X")
LETTER = 0.065  # inches, of the small print, on average in a wide name


@dataclass(frozen=True)
class Picture:
    """A figure on the disk, with its words."""

    name: str
    path: Path
    title: str
    caption: str


def tests(c: Comparison) -> str:
    """The test and its correction, for a caption."""
    if c.seedless:
        return "no test: the seed changes nothing"
    if not c.pairs:
        return "no test: nothing is compared"
    low, high = c.n
    how = "exact paired sign-flip test"
    if high > paired.EXACT:
        how = f"paired sign-flip test ({paired.FLIPS:,} flips)"
    n = f"{low}" if low == high else f"{low}–{high}"
    return (
        f"{how} on n = {n} seed{'s' * (high != 1)}, Holm over"
        f" {words.many(len(c.pairs), 'planned pair')}"
    )


def seeds(summaries: Sequence[Summary]) -> str:
    """How many seeds a group has: `n = 10 seeds`."""
    counts = sorted({s.n for s in summaries}) or [0]
    n = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"n = {n} seed{'s' * (counts[-1] != 1)} per group"


def look(axis: Axis, i: int) -> dict[str, Any]:
    """Colour, dash and mark of a level: ordered by lightness for numbers, distinct for names."""
    if axis.numeric:
        return {
            "color": figures.by_depth(max(len(axis.levels), 2))[i],
            "linestyle": "-",
            "marker": MARKS[i % len(MARKS)],
        }
    n = len(COLORS)
    return {
        "color": COLORS[i % n],
        "linestyle": DASHES[i // n % len(DASHES)],
        "marker": MARKS[i % len(MARKS)],
    }


def shape(n: int) -> tuple[int, int]:
    """Rows and columns for n panels."""
    columns = n if n <= 3 else 2 if n == 4 else 3 if n <= 9 else 4
    return math.ceil(n / columns), columns


def legend_height(axis: Axis | None) -> float:
    """Inches below the title that the legend of an axis needs."""
    return 0.14 if axis is None else 0.28 + 0.14 * math.ceil(len(axis.levels) / 6)


def named(axis: Axis) -> list[str]:
    """The levels as a legend names them: all with their key where one needs it."""
    names = [axis.name(t) for t in axis.levels]
    key = f"{words.plain(axis.key.rsplit('.', 1)[-1])}="
    if all(name.startswith(key) for name in names) or not any(
        name.startswith(key) for name in names
    ):
        return names
    return [
        name if name.startswith(key) or t is None else key + name
        for name, t in zip(names, axis.levels, strict=True)
    ]


def legend(ax: Any, axis: Axis) -> None:
    """The levels of an axis above the panels, in the looks they are drawn in."""
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], label=words.cut(name, 24), markersize=3.5, **look(axis, i))
        for i, name in enumerate(named(axis))
    ]
    place = ax.get_position()
    ax.figure.legend(
        handles=lines,
        loc="lower left",
        bbox_to_anchor=(place.x0, place.y1 + 0.13 / ax.figure.get_figheight()),
        ncols=min(len(lines), 6),
        frameon=False,
        fontsize=figures.SMALL,
        borderaxespad=0,
        handlelength=2.2,
        columnspacing=1.4,
    )


def marginal(table: Table, measure: Measure, a: int, b: int | None) -> Means:
    """A value per seed for every two levels of two axes: the mean over the other axes."""
    cells: dict[tuple[str | None, str | None], dict[int, list[float]]] = {}
    for group, runs in table.groups.items():
        cell = cells.setdefault((group[a], None if b is None else group[b]), {})
        for seed, value in measure.values(runs).items():
            cell.setdefault(seed, []).append(value)
    return {
        k: {s: float(np.mean(v)) for s, v in sorted(cell.items())}
        for k, cell in cells.items()
        if cell
    }


def counted(means: Means) -> str:
    """How many seeds the cells have: `n = 9 to 10 seeds`."""
    n = sorted({len(cell) for cell in means.values()}) or [0]
    shown = f"{n[0]}" if n[0] == n[-1] else f"{n[0]} to {n[-1]}"
    return f"n = {shown} seed{'s' * (n[-1] != 1)}"


def over(table: Table, *shown: Axis | None) -> str:
    """What the axes that are not shown are done with."""
    averaged = [axis.key for axis in table.axes if axis not in shown]
    return f", averaged over {words.listed(averaged)} within each seed" if averaged else ""


def plain(ax: Any) -> None:
    """Write the numbers of a logarithmic x-axis as 0.01; the default writes mathematics."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def tick(axis: Axis, level: str | None) -> str:
    """A level at an axis that bears its key."""
    # hidden=[100,100] at an axis called model.hidden
    plainly = axis.numeric or (level or "").startswith("[")
    return words.value(level) if plainly else axis.name(level)
