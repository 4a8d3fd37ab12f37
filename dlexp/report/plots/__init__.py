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
    return [p for p in _drawn_tuned(t, folder) if p]


def _drawn_tuned(t: Tuned, folder: Path) -> Iterator[Picture | None]:
    for name, c in (("tuned", t.tuned), ("default", t.default)):
        if c:
            yield dots(c, folder / f"{name}.png", f"{c.measure.metric} at {name} settings")
            title = f"Planned comparisons at {name} settings"
            yield forest(c, folder / f"{name}-comparisons.png", title)
    grid = compare(t.grid, t.by)
    for i, axis in enumerate(t.grid.axes):
        if axis in t.hyper and axis.numeric:
            path = folder / f"sensitivity-{slug(axis.key)}.png"
            yield sensitivity(grid, i, path, t.by, _stars(t, grid, i))
    title = f"Learning curves at tuned settings, {t.tuned.watched.metric}"
    yield curves(t.tuned, folder / "curves.png", title)


def _stars(t: Tuned, grid: Comparison, x: int) -> dict[str | None, str | None]:
    """The chosen value of a numeric axis for each line, where a line is one method."""
    methods = [i for i, axis in enumerate(t.grid.axes) if axis not in t.hyper]
    if len(methods) > 1 or lines(grid.table, x) != (methods[0] if methods else None):
        return {}
    at = t.hyper.index(t.grid.axes[x])
    return {(c.method[0] if methods else None): c.chosen[at] for c in t.choices}
