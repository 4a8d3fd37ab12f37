"""A metric over two axes at once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from dlexp import figures
from dlexp.report import statistics, words
from dlexp.report.compare import SEARCH, Comparison
from dlexp.report.measure import Measure
from dlexp.report.plots.common import Picture, counted, marginal, over, tick
from dlexp.report.table import Axis

SIDE, LEGIBLE = 40, 10  # cells on a side; columns with numbers in their cells


def heat(c: Comparison, path: Path) -> Picture | None:
    """A metric over two axes: the numeric ones if there are two, else the first two."""
    axes = [
        i for i, a in enumerate(c.table.axes) if len(a.levels) <= (SEARCH if a.numeric else SIDE)
    ]
    numbers = [i for i in axes if c.table.axes[i].numeric]
    chosen = sorted((numbers + [i for i in axes if i not in numbers])[:2])
    if len(chosen) < 2:
        return None
    down, across = sorted(chosen, key=lambda i: len(c.table.axes[i].levels))
    rows, columns = c.table.axes[down], c.table.axes[across]
    means = marginal(c.table, c.measure, down, across)
    if 2 * len(means) < len(rows.levels) * len(columns.levels):
        return None  # a search: mostly holes
    grid = np.array(
        [
            [
                float(statistics.iqm(list(means[a, b].values()))) if (a, b) in means else math.nan
                for b in columns.levels
            ]
            for a in rows.levels
        ]
    )
    n = counted(means) + over(c.table, rows, columns)
    title = f"{c.measure.metric} by {rows.key} and {columns.key}"
    notes = [f"interquartile mean, {n}; brighter is better", "descriptive: no significance test"]
    height = min(1.25 + 0.32 * len(rows.levels), 8.0)
    left = 0.75 + 0.05 * max(len(words.cut(tick(rows, t), 20)) for t in rows.levels)
    with figures.drawing(
        path, title, notes, size=(6.6, max(height, 2.4)), left=left, right=0.9
    ) as panel:
        _cells(panel[0, 0], c.measure, rows, columns, grid)
    caption = (
        f"{title}: interquartile mean, {n}. Brighter is better; a white cell with a number is one"
        " whose middle runs diverged, an empty one was not run. No test and no correction in this"
        " figure."
    )
    return Picture("heat", path, title, caption)


def _cells(ax: Any, measure: Measure, rows: Axis, columns: Axis, grid: Any) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm, Normalize

    # one cell of diverged runs would wash out all others
    informative = np.isfinite(grid) & (grid != measure.worst)
    finite = grid[informative]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    wide = low > 0 and high > 10 * low and not measure.metric.endswith("accuracy")
    norm: Any = LogNorm(low, high) if wide else Normalize(low, high if high > low else low + 1)
    colors = colormaps["viridis" if measure.high else "viridis_r"]
    image = ax.imshow(np.where(informative, grid, np.nan), cmap=colors, norm=norm, aspect="auto")
    ax.grid(visible=False)
    longest = max(words.width(words.cut(tick(columns, t), 12)) for t in columns.levels)
    every = math.ceil(len(columns.levels) / min(LEGIBLE, 75 // longest))
    shown = range(0, len(columns.levels), every)
    ax.set_xticks(shown, labels=[words.cut(tick(columns, columns.levels[i]), 12) for i in shown])
    ax.set_yticks(
        range(len(rows.levels)), labels=[words.cut(tick(rows, t), 20) for t in rows.levels]
    )
    ax.set(xlabel=columns.key, ylabel=rows.key)
    bar = ax.figure.colorbar(image, cax=ax.inset_axes([1.02, 0, 0.025, 1]))
    bar.set_label(measure.unit, size=figures.SMALL)
    if len(columns.levels) > LEGIBLE:
        return
    for i, j in np.ndindex(grid.shape):
        x = grid[i, j]
        if not math.isnan(x):
            red, green, blue, _ = colors(norm(x)) if informative[i, j] else (1, 1, 1, 1)
            bright = 0.299 * red + 0.587 * green + 0.114 * blue > 0.5
            ax.text(
                j,
                i,
                words.number(x, measure.metric),
                ha="center",
                va="center",
                size=figures.SMALL,
                color=figures.INK if bright else "white",
            )
