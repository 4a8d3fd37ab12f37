"""Learning curves: a line and a band per group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlexp import figures
from dlexp.report import measure as measures, statistics, words
from dlexp.report.compare import Comparison
from dlexp.report.measure import Measure
from dlexp.report.plots.common import Picture, legend, legend_height, look, seeds, shape
from dlexp.report.statistics import Floats
from dlexp.report.table import Axis, Table, Tokens

PANELS, LINES, POINTS = 16, 12, 200  # what one figure can hold
BAND = 1_999  # resamples of each point of a band
MARKED = 12  # points up to which each bears a mark
# letters: a longer name beside a small panel loses its first part, which the caption says
LABEL = 24

Drawn = Mapping[Tokens, tuple[Floats, Floats]]


def curves(c: Comparison, path: Path, title: str = "") -> Picture | None:
    """Learning curves of a comparison, a panel per combination of all axes but one."""
    return learning(c.table, c.watched, path, title, lines(c.table), seeds(c.summaries))


def learning(
    table: Table,
    measure: Measure,
    path: Path,
    title: str,
    line: Axis | None,
    n: str,
    name: str = "curves",
) -> Picture | None:
    """Learning curves: a line per level of `line`, a panel per combination of the other axes.

    `n` says how many seeds there are.
    """
    panels, epochs = layout(table, line), measures.per_epoch(table)
    whole = measures.grid(table, measure, epochs)
    measured = {
        g: measures.curves(table, g, measure, epochs, whole) for _, groups in panels for g in groups
    }
    drawn = {g: (x, y) for g, (x, y) in measured.items() if len(x) > 1}
    if not drawn:
        return None
    crowd = len(panels) > PANELS
    if crowd:
        panels = [("", list(drawn))]
    title = title or f"Learning curves, {measure.metric}"
    band = "one line per group, without bands" if crowd else "band: its 95 % bootstrap interval"
    notes = [
        f"line: interquartile mean over seeds; {band}; {n}",
        "descriptive: no significance test",
    ]
    rows, columns = shape(len(panels))
    size = (6.6, 3.9) if rows * columns == 1 else (6.6 if columns < 4 else 7.4, 1.0 + 1.75 * rows)
    named = line if line is not None and len(line.levels) > 1 else None
    with figures.drawing(
        path,
        title,
        notes,
        rows=rows,
        columns=columns,
        size=size,
        right=0.2,
        pad=legend_height(named),
        gaps=(0.32, 0.12),
        sharex=True,
        sharey=True,
    ) as axes:
        heights = _panels(axes, table, line, panels, drawn, crowd)
        flat = any(not statistics.iqm(y).any() for _, y in drawn.values())
        _scale(
            axes,
            measure,
            epochs,
            len(panels),
            heights,
            max(x[-1] for x, _ in drawn.values()),
            flat=flat,
        )
        if named is not None:
            legend(axes[0, 0], named)
    if not crowd:
        how = f"({BAND:,} resamples, each point on its own)"
        band = f"band: its 95 % percentile bootstrap interval {how}"
    caption = (
        f"{measure.metric} while training. Line: interquartile mean over seeds at each point;"
        f" {band}; {n}. A diverged run counts as worst from then on; a run that stopped early keeps"
        " its last value. No test and no correction in this figure."
    )
    return Picture(name, path, title, caption)


def lines(table: Table) -> Axis | None:
    """Which axis the lines of a panel tell apart."""
    axes = table.axes
    fit = [a for a in axes if not a.numeric and len(a.levels) <= LINES] or [
        a for a in axes if len(a.levels) <= LINES
    ]
    return max(fit, key=lambda a: len(a.levels), default=None)


def layout(table: Table, line: Axis | None) -> list[tuple[str, list[Tokens]]]:
    """The panels, each with its name and its groups."""
    where = table.axes.index(line) if line else -1
    panels: dict[Tokens, list[Tokens]] = {}
    for group in table.groups:
        panels.setdefault(tuple(t for i, t in enumerate(group) if i != where), []).append(group)
    rest = [a for a in table.axes if a is not line]
    return [
        (" · ".join(a.name(t) for a, t in zip(rest, key, strict=True)), g)
        for key, g in panels.items()
    ]


def _panels(
    axes: Any,
    table: Table,
    axis: Axis | None,
    panels: Sequence[tuple[str, Sequence[Tokens]]],
    drawn: Drawn,
    crowd: bool,
) -> list[float]:
    """Draw all lines; returns their finite heights."""
    heights: list[float] = []
    for ax in axes.flat[len(panels) :]:
        ax.set_visible(False)
    for ax, (name, groups) in zip(axes.flat, panels, strict=False):
        for group in (g for g in groups if g in drawn):
            how = (
                look(axis, axis.levels.index(group[table.axes.index(axis)]))
                if axis
                else {"color": figures.BLUE}
            )
            heights += curve(
                ax,
                *drawn[group],
                {**how, "alpha": 0.5, "linewidth": 0.8} if crowd else how,
                not crowd,
            )
        if len(panels) > 1:
            ax.set_title(words.cut(name, 28), size=figures.SMALL, loc="left", pad=3)
    return heights


def curve(ax: Any, x: Floats, y: Floats, how: Mapping[str, Any], band: bool) -> list[float]:
    """A line with its band; returns the finite heights of the line."""
    if len(x) > POINTS:
        chosen = np.unique(np.linspace(0, len(x) - 1, POINTS).astype(int))
        x, y = x[chosen], y[chosen]
    middle = statistics.iqm(y)
    shown = np.isfinite(middle)
    marker = how.get("marker", "o") if band and len(x) <= MARKED else ""
    ax.plot(x[shown], middle[shown], **{**how, "marker": marker})
    if band and y.shape[1] > 1:
        ends = np.array([statistics.iqm_interval(row, BAND) for row in y], float).clip(
            -figures.HUGE, figures.HUGE
        )
        ax.fill_between(x, ends[:, 0], ends[:, 1], color=how["color"], alpha=0.18, linewidth=0)
    return [float(v) for v in middle[shown]]


def _scale(
    axes: Any,
    measure: Measure,
    epochs: bool,
    panels: int,
    heights: Sequence[float],
    last: float,
    *,
    flat: bool,
) -> None:
    """Common limits, and names on the outer axes, also above an empty panel.

    `flat` says that a line lies at 0 from end to end: a logarithmic axis would not show it.
    """
    log = False
    if measure.metric.endswith("accuracy"):
        axes[0, 0].set_ylim(0, 1)
    elif flat and min(heights) >= 0:
        top = min(1.1 * max(heights) or 1.0, figures.HUGE)
        axes[0, 0].set_ylim(-0.04 * top, top)
    elif min(heights, default=0) >= 0:
        log = figures.scale_heights(axes[0, 0], heights)
    figures.scale_epochs(axes[0, 0], last)
    rows, columns = axes.shape
    unit = measure.unit if axes.size == 1 or len(measure.unit) <= LABEL else measure.short
    for (i, j), ax in np.ndenumerate(axes):
        if i * columns + j < panels and (i == rows - 1 or (i + 1) * columns + j >= panels):
            ax.set_xlabel("epoch" if epochs else "step")
            ax.tick_params(labelbottom=True)
        if j == 0:
            ax.set_ylabel(f"{unit}{', log scale' if log else ''}")
