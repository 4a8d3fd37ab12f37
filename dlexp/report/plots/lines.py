"""The effect of one axis, a line per level of another: sensitivity, interaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlexp import figures
from dlexp.report import statistics, words
from dlexp.report.compare import SEARCH, Comparison
from dlexp.report.measure import Measure
from dlexp.report.plots.common import (
    Means,
    Picture,
    counted,
    legend,
    legend_height,
    look,
    marginal,
    over,
    plain,
    tick,
)
from dlexp.report.table import Axis, Table

LINES, TICKS = 12, 12  # lines of a panel; levels with a tick each


@dataclass(frozen=True)
class Plot:
    """`means` by (level, level of other); `stars`: the chosen level for each level of other."""

    axis: Axis
    other: Axis | None
    means: Means
    measure: Measure
    stars: Mapping[str | None, str | None]

    @property
    def places(self) -> list[float]:
        levels = self.axis.levels
        return (
            [self.axis.number(t) for t in levels]
            if self.axis.numeric
            else [float(i) for i in range(len(levels))]
        )

    @property
    def logarithmic(self) -> bool:
        return (
            self.axis.numeric and min(self.places) > 0 and max(self.places) >= 10 * min(self.places)
        )

    def middle(self, level: str | None, of: str | None) -> float:
        return float(statistics.iqm(list(self.means[level, of].values())))

    @property
    def lost(self) -> list[tuple[str | None, str | None]]:
        """Where the middle runs diverged."""
        return [k for k in self.means if self.middle(*k) == self.measure.worst]


def sensitivity(
    c: Comparison,
    x: int,
    path: Path,
    measure: Measure,
    stars: Mapping[str | None, str | None] | None = None,
) -> Picture | None:
    """A metric against a numeric axis, a line per level of another; `stars` marks chosen values."""
    axis, line = c.table.axes[x], lines(c.table, x)
    other = None if line is None else c.table.axes[line]
    plot = Plot(axis, other, marginal(c.table, measure, x, line), measure, stars or {})
    if len({level for level, _ in plot.means}) < 2:
        return None
    return _drawn(plot, c.table, path, "sensitivity", f"{measure.metric} against {axis.key}")


def interaction(c: Comparison, path: Path) -> Picture | None:
    """Two choices: lines that are not parallel mean that the effect of one depends on the other."""
    choices = [i for i, axis in enumerate(c.table.axes) if not axis.numeric]
    if len(choices) < 2:
        return None
    x, line = sorted(choices[:2], key=lambda i: -len(c.table.axes[i].levels))
    axis, other = c.table.axes[x], c.table.axes[line]
    if len(other.levels) > LINES or len(axis.levels) > 2 * LINES:
        return None
    plot = Plot(axis, other, marginal(c.table, c.measure, x, line), c.measure, {})
    return _drawn(
        plot,
        c.table,
        path,
        "interaction",
        f"{c.measure.metric}: {axis.key} and {other.key} together",
    )


def lines(table: Table, x: int) -> int | None:
    """The axis that tells the lines apart: the first choice, else the next number."""
    fit = [i for i, a in enumerate(table.axes) if i != x and len(a.levels) <= LINES]
    return next((i for i in fit if not table.axes[i].numeric), fit[0] if fit else None)


def _drawn(plot: Plot, table: Table, path: Path, name: str, title: str) -> Picture:
    cross = "; cross: the middle runs diverged" * bool(plot.lost)
    n = counted(plot.means) + over(table, plot.axis, plot.other)
    notes = [
        f"mark: interquartile mean; line: 95 % bootstrap interval{cross}; {n}",
        "descriptive: no significance test",
    ]
    with figures.drawing(
        path, title, notes, pad=legend_height(plot.other), size=(6.6, 4.2)
    ) as axes:
        ax = axes[0, 0]
        heights: list[float] = []
        levels = plot.other.levels if plot.other else (None,)
        for i, level in enumerate(levels):
            heights += draw_line(ax, plot, level, i, i - (len(levels) - 1) / 2)
        scale_x(ax, plot)
        scale_y(ax, plot.measure, heights)
        if plot.other:
            legend(ax, plot.other)
    gone = " A cross at the edge: the middle runs diverged." if plot.lost else ""
    star = " A star marks the value chosen." if plot.stars else ""
    caption = (
        f"{title}. Mark: interquartile mean; line: 95 % percentile bootstrap interval"
        f" ({statistics.RESAMPLES:,} resamples); {n}.{gone}{star} No test and no correction in this"
        " figure."
    )
    return Picture(name, path, title, caption)


def draw_line(ax: Any, plot: Plot, of: str | None, i: int, shift: float) -> list[float]:
    """Draws marks with intervals, without the worst possible values; returns their heights."""
    how = (
        look(plot.other, i)
        if plot.other
        else {"color": figures.BLUE, "linestyle": "-", "marker": "o"}
    )
    nudge = 0.0 if plot.axis.numeric else 0.08 * shift * min(1, 4 / len(plot.axis.levels))
    at = {
        t: p + nudge
        for p, t in zip(plot.places, plot.axis.levels, strict=True)
        if (t, of) in plot.means
    }
    good = [t for t in at if (t, of) not in plot.lost and np.isfinite(plot.middle(t, of))]
    y = [plot.middle(t, of) for t in good]
    line = how["linestyle"] if len(plot.axis.levels) <= SEARCH else ""
    ax.plot([at[t] for t in good], y, **{**how, "linestyle": line}, zorder=4)
    for t in good:
        if ends := statistics.iqm_interval(list(plot.means[t, of].values())):
            low, high = (min(max(e, -figures.HUGE), figures.HUGE) for e in ends)
            ax.plot(
                [at[t]] * 2, [low, high], "-", color=how["color"], linewidth=1, alpha=0.8, zorder=3
            )
    if (star := plot.stars.get(of)) in good and star is not None:
        ax.plot(
            [at[star]],
            [plot.middle(star, of)],
            "*",
            color=how["color"],
            markersize=13,
            markeredgecolor="white",
            zorder=6,
        )
    _crosses(
        ax, [at[t] for t in at if (t, of) in plot.lost], how["color"], shift, plot.measure.high
    )
    return y


def _crosses(ax: Any, x: list[float], color: Any, shift: float, high: bool) -> None:
    """Crosses at the edge for the worst values, beside those of other lines."""
    from matplotlib.transforms import ScaledTranslation

    beside = ScaledTranslation(6 * shift / 72, 0, ax.figure.dpi_scale_trans)
    ax.plot(
        x,
        [0.0 if high else 1.0] * len(x),
        "x",
        color=color,
        markersize=5,
        markeredgewidth=1.5,
        clip_on=False,
        transform=ax.get_xaxis_transform() + beside,
        zorder=6,
    )


def scale_x(ax: Any, plot: Plot, width: int = 84) -> None:
    """The x-axis: a tick for each level, if they are not too many; of `width` letters in all."""
    if plot.logarithmic:
        ax.set_xscale("log")
    if len(plot.places) <= TICKS or not plot.axis.numeric:
        letters = max(6, width // len(plot.places))
        ax.set_xticks(
            plot.places, labels=[words.cut(tick(plot.axis, t), letters) for t in plot.axis.levels]
        )
        ax.set_xticks([], minor=True)
    elif plot.logarithmic:
        plain(ax)
    ax.set_xlabel(f"{plot.axis.key}{', log scale' if plot.logarithmic else ''}")


def scale_y(ax: Any, measure: Measure, heights: list[float]) -> None:
    """The y-axis: the used range of an accuracy; a loss is logarithmic over more than a decade."""
    log = False
    # what may be negative has its zero in sight
    if measure.metric.startswith("gap/") or min(heights, default=0) < 0:
        ax.axhline(0, color=figures.INK, linewidth=0.8, zorder=1)
    elif measure.metric.endswith("accuracy"):
        low, high = ax.get_ylim()
        ax.set_ylim(max(low, -0.02), min(high, 1.01))
    elif heights:
        log = figures.scale_heights(ax, heights)
    ax.set_ylabel(f"{measure.unit}{', log scale' if log else ''}")
