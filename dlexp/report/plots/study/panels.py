"""Learning curves of one metric, with chosen lines and panels."""

from __future__ import annotations

from dlexp.report import words
from dlexp.report.plots.common import Picture
from dlexp.report.plots.curves import LINES, PANELS, learning
from dlexp.report.plots.study.scene import CannotDraw, Scene


def panels(
    scene: Scene, *, metric: str, lines: str, panels: str | None = None, better: str | None = None
) -> Picture:
    """A line per level of `lines`, a panel per level of `panels` (default: all that varies)."""
    measure, line = scene.measure(metric, better), scene.axis(lines)
    rest = [axis for axis in scene.table.axes if axis is not line]
    if panels is not None and (more := [a.key for a in rest if a is not scene.axis(panels)]):
        raise CannotDraw(
            f"{words.listed(more)} varies as well, and is neither a line nor a panel; choose by"
            " `where`"
        )
    if len(line.levels) > LINES:
        raise CannotDraw(
            f"{line.key} has {len(line.levels)} levels, more than the {LINES} lines that can be"
            " told apart"
        )
    cells = {g[: (i := scene.table.axes.index(line))] + g[i + 1 :] for g in scene.table.groups}
    if len(cells) > PANELS:
        raise CannotDraw(
            f"{len(cells)} panels, more than the {PANELS} that a page holds; choose by `where`"
        )
    title = scene.title or " ".join(
        [f"{metric} while training", *(["by", words.listed([a.key for a in rest])] if rest else [])]
    )
    made = learning(
        scene.table, measure, scene.path, title, line, scene.counted(metric), scene.name
    )
    if made is None:
        raise CannotDraw(f"{metric} was measured once only, so there is no curve")
    return made
