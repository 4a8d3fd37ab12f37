"""Metrics against an ordered axis, such as the number of parameters or samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dlexp import figures
from dlexp.report import statistics, words
from dlexp.report.compare import SEARCH
from dlexp.report.plots.common import Picture, counted, legend, legend_height, marginal, over
from dlexp.report.plots.lines import LINES, Plot, draw_line, scale_x, scale_y
from dlexp.report.plots.study.scene import CannotDraw, Scene
from dlexp.report.table import Axis


def dots(
    scene: Scene,
    *,
    metric: str | Sequence[str],
    axis: str,
    lines: str | None = None,
    better: str | None = None,
) -> Picture:
    """A panel per metric: IQM and interval at each level of `axis`, a line per level of `lines`.

    `better` (high, low) places diverged runs of a metric that is neither accuracy nor loss.
    """
    names = [metric] if isinstance(metric, str) else list(metric)
    x, other = scene.axis(axis), scene.axis(lines) if lines else None
    if not x.numeric and len(x.levels) > SEARCH:
        raise CannotDraw(f"{x.key} has {len(x.levels)} levels, more than the {SEARCH} that fit")
    if other is x:
        raise CannotDraw(f"{axis} and {lines} vary together")
    if other and len(other.levels) > LINES:
        raise CannotDraw(
            f"{other.key} has {len(other.levels)} levels, more than the {LINES} lines that can be"
            " told apart"
        )
    places = [scene.table.axes.index(a) if a else None for a in (x, other)]
    plots = [_plot(scene, name, better, x, other, *places) for name in names]
    title = scene.title or f"{words.listed(names)} against {x.key}"
    n = " / ".join(dict.fromkeys(counted(p.means) for p in plots)) + over(scene.table, x, other)
    cross = "; cross: the middle runs diverged" * any(p.lost for p in plots)
    notes = [
        f"mark: interquartile mean; line: 95 % bootstrap interval{cross}; {n}",
        "descriptive: no significance test",
    ]
    columns = min(len(plots), 2)
    rows = -(-len(plots) // columns)
    size = (6.6, 4.0 if len(plots) == 1 else 1.1 + 2.4 * rows)
    with figures.drawing(
        scene.path,
        title,
        notes,
        rows=rows,
        columns=columns,
        size=size,
        pad=legend_height(other),
        gaps=(0.35, 0.28),
    ) as axes:
        for ax, plot in zip(axes.flat, plots, strict=False):
            _panel(ax, plot, columns)
        for ax in axes.flat[len(plots) :]:
            ax.remove()
        if other:
            legend(axes[0, 0], other)
    gone = " A cross at the edge: the middle runs diverged." if cross else ""
    caption = (
        f"{title}. Mark: interquartile mean; line: 95 % percentile bootstrap interval"
        f" ({statistics.RESAMPLES:,} resamples); {n}.{gone} No test and no correction in this"
        " figure."
    )
    return Picture(scene.name, scene.path, title, caption)


def _plot(
    scene: Scene, metric: str, better: str | None, axis: Axis, other: Axis | None, x: Any, by: Any
) -> Plot:
    measure = scene.measure(metric, better)
    means = marginal(scene.table, measure, x, by)
    if not means:
        raise CannotDraw(f"no run has a final value of {metric}")
    return Plot(axis, other, means, measure, {})


def _panel(ax: Any, plot: Plot, columns: int) -> None:
    heights: list[float] = []
    levels = plot.other.levels if plot.other else (None,)
    for i, level in enumerate(levels):
        heights += draw_line(ax, plot, level, i, i - (len(levels) - 1) / 2)
    scale_x(ax, plot, 84 // columns)
    scale_y(ax, plot.measure, heights)
