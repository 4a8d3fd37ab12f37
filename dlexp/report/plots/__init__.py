"""The figures of a report. Each caption explains its marks, n, the test and the correction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dlexp.report.compare import Comparison, compare
from dlexp.report.plots.common import Picture, tests
from dlexp.report.plots.curves import curves
from dlexp.report.plots.groups import dots, forest
from dlexp.report.plots.heat import heat
from dlexp.report.plots.lines import interaction, lines, sensitivity
from dlexp.report.tuned import Tuned
from dlexp.report.words import slug

__all__ = [
    "Picture",
    "curves",
    "dots",
    "draw",
    "draw_tuned",
    "forest",
    "heat",
    "interaction",
    "sensitivity",
    "tests",
]


def draw(c: Comparison, folder: Path) -> list[Picture]:
    """Every figure that this comparison has something to show in."""
    folder.mkdir(parents=True, exist_ok=True)
    return [p for p in _drawn(c, folder) if p]


def _drawn(c: Comparison, folder: Path) -> Iterator[Picture | None]:
    yield dots(c, folder / "dots.png")
    yield forest(c, folder / "comparisons.png")
    yield curves(c, folder / "curves.png")
    for i, axis in enumerate(c.table.axes):
        if axis.numeric:
            yield sensitivity(c, i, folder / f"sensitivity-{slug(axis.key)}.png", c.watched)
    yield interaction(c, folder / "interaction.png")
    yield heat(c, folder / "heat.png")


def draw_tuned(t: Tuned, folder: Path) -> list[Picture]:
    """The same at tuned settings, and where those lie among the values tried."""
    folder.mkdir(parents=True, exist_ok=True)
    figures = [dots(t.tuned, folder / "tuned.png", f"{t.tuned.measure.metric} at tuned settings")]
    figures.append(
        forest(t.tuned, folder / "tuned-comparisons.png", "Planned comparisons at tuned settings")
    )
    if t.default:
        figures.append(
            dots(
                t.default, folder / "default.png", f"{t.default.measure.metric} at default settings"
            )
        )
        figures.append(
            forest(
                t.default,
                folder / "default-comparisons.png",
                "Planned comparisons at default settings",
            )
        )
    grid = compare(t.grid, t.by)
    for i, axis in enumerate(t.grid.axes):
        if axis in t.hyper and axis.numeric:
            figures.append(
                sensitivity(
                    grid, i, folder / f"sensitivity-{slug(axis.key)}.png", t.by, _stars(t, grid, i)
                )
            )
    figures.append(
        curves(
            t.tuned,
            folder / "curves.png",
            f"Learning curves at tuned settings, {t.tuned.watched.metric}",
        )
    )
    return [p for p in figures if p]


def _stars(t: Tuned, grid: Comparison, x: int) -> dict[str | None, str | None]:
    """The chosen value of a numeric axis for each line, where a line is one method."""
    methods = [i for i, axis in enumerate(t.grid.axes) if axis not in t.hyper]
    if len(methods) > 1 or lines(grid.table, x) != (methods[0] if methods else None):
        return {}
    at = t.hyper.index(t.grid.axes[x])
    return {(c.method[0] if methods else None): c.chosen[at] for c in t.choices}
