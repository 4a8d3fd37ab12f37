"""Learning curves: a line and a band per group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dlexp import figures
from dlexp.report import measure as measures, statistics, words
from dlexp.report.compare import Comparison
from dlexp.report.plots.common import Picture, legend, look, room, seeds, shape
from dlexp.report.statistics import Floats
from dlexp.report.table import Axis, Tokens

PANELS, LINES, POINTS = 16, 12, 200  # what one figure can hold
BAND = 1_999  # resamples of each point of a band


def curves(c: Comparison, path: Path, title: str = "") -> Picture | None:
    """Learning curves: a line and a band per group, a panel per combination of all axes but one."""
    axis, panels = layout(c)
    whole = measures.grid(c.table, c.watched, c.epochs)
    drawn = {
        g: measures.curves(c.table, g, c.watched, c.epochs, whole) for _, groups in panels[:PANELS] for g in groups
    }
    drawn = {g: (x, y) for g, (x, y) in drawn.items() if len(x) > 1}
    if not drawn:
        return None
    title = title or f"Learning curves, {c.watched.metric}"
    cut = f"; {PANELS} of {len(panels)} panels" if len(panels) > PANELS else ""
    marks = f"line: interquartile mean over seeds; band: its 95 % bootstrap interval; {seeds(c.summaries)}{cut}"
    rows, columns = shape(min(len(panels), PANELS))
    size = (6.6, 3.9) if rows * columns == 1 else (6.6 if columns < 4 else 8.4, 1.0 + 1.75 * rows)
    named = axis is not None and len(axis.levels) > 1
    with figures.drawing(
        path, title, [marks, "no test in this figure"], rows=rows, columns=columns, size=size, right=0.2,
        pad=room(axis if named else None), gaps=(0.32, 0.12), sharex=True, sharey=True,
    ) as axes:  # fmt: skip
        flat = list(axes.flat)
        for ax in flat[len(panels) :]:
            ax.set_visible(False)
        heights: list[float] = []
        for ax, (name, groups) in zip(flat, panels, strict=False):
            for group in (g for g in groups if g in drawn):
                heights += _curve(ax, c, axis, group, *drawn[group])
            if len(panels) > 1:
                ax.set_title(words.cut(name, 28), size=figures.SMALL, loc="left", pad=3)
        log = False
        if c.watched.metric.endswith("accuracy"):
            flat[0].set_ylim(0, 1)
        else:
            log = figures.scale_heights(flat[0], heights)
        figures.scale_epochs(flat[0], max(x[-1] for x, _ in drawn.values()))
        unit = c.watched.unit if rows * columns == 1 else c.watched.metric
        _name(axes, min(len(panels), PANELS), "epoch" if c.epochs else "step", f"{unit}{', log scale' if log else ''}")
        if named and axis is not None:
            legend(flat[0], axis)
    caption = (
        f"{c.watched.metric} while training. Line: interquartile mean over seeds at each point; band: its 95 % "
        f"percentile bootstrap interval ({BAND:,} resamples, each point on its own); {seeds(c.summaries)}{cut}. After "
        "a run diverged it counts as worst; after it stopped early it keeps its last value. No test and no correction "
        "in this figure."
    )
    return Picture("curves", path, title, caption)


def layout(c: Comparison) -> tuple[Axis | None, list[tuple[str, list[Tokens]]]]:
    """Which axis the lines of a panel tell apart, and the groups of each panel."""
    axes = list(c.table.axes)
    fit = [a for a in axes if not a.numeric and len(a.levels) <= LINES] or [a for a in axes if len(a.levels) <= LINES]
    line = max(fit, key=lambda a: len(a.levels), default=None)
    where = axes.index(line) if line else -1
    panels: dict[Tokens, list[Tokens]] = {}
    for group in c.table.groups:
        panels.setdefault(tuple(t for i, t in enumerate(group) if i != where), []).append(group)
    rest = [a for a in axes if a is not line]
    return line, [(" · ".join(a.name(t) for a, t in zip(rest, key, strict=True)), g) for key, g in panels.items()]


def _name(axes: Any, panels: int, x: str, y: str) -> None:
    """Name the outer axes; the lowest panel of a column may stand above an empty place."""
    rows, columns = axes.shape
    for (i, j), ax in np.ndenumerate(axes):
        if i * columns + j < panels and (i == rows - 1 or (i + 1) * columns + j >= panels):
            ax.set_xlabel(x)
            ax.tick_params(labelbottom=True)
        if j == 0:
            ax.set_ylabel(y)


def _curve(ax: Any, c: Comparison, axis: Axis | None, group: Tokens, x: Floats, y: Floats) -> list[float]:
    """A line with its band; returns the finite heights of the line."""
    if len(x) > POINTS:
        chosen = np.unique(np.linspace(0, len(x) - 1, POINTS).astype(int))
        x, y = x[chosen], y[chosen]
    how = look(axis, axis.levels.index(group[c.table.axes.index(axis)])) if axis else {"color": figures.BLUE}
    middle = statistics.iqm(y)
    shown = np.isfinite(middle)
    ax.plot(x[shown], middle[shown], **(how | {"marker": "" if len(x) > 12 else how.get("marker", "o")}), clip_on=True)
    if y.shape[1] > 1:
        ends = np.array([statistics.iqm_interval(row, BAND) for row in y], float).clip(-figures.HUGE, figures.HUGE)
        ax.fill_between(x, ends[:, 0], ends[:, 1], color=how["color"], alpha=0.18, linewidth=0)
    return [float(v) for v in middle[shown]]
