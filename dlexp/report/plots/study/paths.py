"""Ways down a surface, side by side: standing and moving; and where its gradients point."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlexp import figures
from dlexp.core.arrays import Array
from dlexp.report import words
from dlexp.report.plots.common import Picture, shape
from dlexp.report.plots.study.scene import CannotDraw, Scene
from dlexp.report.plots.study.terrain import Terrain, arrows, bands, read, scale
from dlexp.storage.status import Status

PANELS, FRAMES, DOTS = 9, 120, 200  # at most: of a figure, of an animation, of a path
LENGTH = 12.0  # seconds of an animation at most, unless `seconds` is given
ASIDE, BELOW = 0.3, 0.36  # inches between panels
NO_TEST = "No test: a path on a surface is not random."


@dataclass(frozen=True)
class Walk:
    """One path: positions (steps + 1, 2), nan where it was not finite, and how it ended."""

    label: str
    at: Array
    ended: str


def paths(scene: Scene) -> Picture:
    """A panel per group: contours, gradients, and the path of its first seed, all in one window."""
    walks, terrain = _few(scene)
    title = scene.title or f"Paths on {scene.surface}"
    window = terrain.around([walk.at for walk in walks])
    with figures.drawing(scene.path, title, _notes(walks), **_page(window, len(walks))) as axes:
        _panels(axes, walks, terrain, window)
        for ax, walk in zip(axes.flat, walks, strict=False):
            _path(ax, walk.at)
            ax.set_title(_name(walk, walks), loc="left", size=figures.SMALL, pad=3)
            length = (
                "" if len({len(w.at) for w in walks}) == 1 else words.many(len(walk.at) - 1, "step")
            )
            _corner(ax, ", ".join(filter(None, [length, walk.ended])))
    return Picture(scene.name, scene.path, title, f"{title}. {_caption(terrain)}")


def paths_animation(scene: Scene, *, seconds: float | None = None, hold: float = 3.0) -> Picture:
    """The same as a GIF: `seconds` per frame, the last frame held for `hold` seconds."""
    walks, terrain = _few(scene)
    title = scene.title or f"Paths on {scene.surface}"
    window = terrain.around([walk.at for walk in walks])
    last = max(len(walk.at) for walk in walks) - 1
    every = math.ceil((last + 1) / FRAMES)
    steps = [*range(0, last, every), last]
    with figures.drawing(scene.path, title, _notes(walks), **_page(window, len(walks))) as axes:
        _panels(axes, walks, terrain, window)
        moving = []
        for ax, walk in zip(axes.flat, walks, strict=False):
            ax.set_title(_name(walk, walks), loc="left", size=figures.SMALL, pad=3)
            moving.append((walk, _path(ax, walk.at), _corner(ax, "step 0")))

        def frames() -> Iterator[int]:
            for step in steps:
                for walk, (line, end, _), corner in moving:
                    so_far = walk.at[: step + 1]
                    line.set_data(*so_far.T)
                    end.set_data(*so_far[-1:].T)
                    over = f"  {walk.ended}" if walk.ended and step >= len(walk.at) else ""
                    corner.set_text(f"step {min(step, len(walk.at) - 1)}{over}")
                yield step

        artists = [artist for _, lines, corner in moving for artist in (*lines, corner)]
        figures.animate(
            axes[0, 0].figure,
            scene.path,
            artists,
            frames(),
            seconds or min(0.25, LENGTH / len(steps)),
            hold,
        )
    pace = f"One frame {'per step' if every == 1 else f'for {every} steps'}, the last one held. "
    return Picture(scene.name, scene.path, title, f"{title}. {pace}{_caption(terrain)}")


def _few(scene: Scene) -> tuple[list[Walk], Terrain]:
    """The same, of no more groups than a page holds."""
    if (n := len(scene.table.groups)) > PANELS:
        raise CannotDraw(f"{n} groups, more than the {PANELS} that a page holds; choose by `where`")
    return read_walks(scene)


def read_walks(scene: Scene) -> tuple[list[Walk], Terrain]:
    """The path of each group's first seed that has one, and the surface. Raises `CannotDraw`."""
    walks, terrain, why = [], None, []
    for group, runs in scene.table.groups.items():
        for _, run in sorted(runs.items()):
            if run.observed and {"path/x", "path/y"} <= set(run.curves):
                x, y = (np.array(run.curves[f"path/{c}"].values) for c in "xy")
                ended = "diverged" * (run.status == Status.DIVERGED)
                walks.append(
                    Walk(scene.label(group, "optimizer.lr"), np.stack([x, y], axis=1), ended)
                )
                surface = read(scene.arrays(run, "surface"))
                terrain = terrain or (surface if isinstance(surface, Terrain) else None)
                why += [surface] if isinstance(surface, str) else []
                break
        else:
            why.append("it has no path/x and path/y, as runs on a surface have")
    if not walks or terrain is None:
        reason = words.listed(list(dict.fromkeys(why)), 3) if why else "there are no runs"
        raise CannotDraw(
            f"no run has a path and its surface: {reason} (add observer: [path] to the study)"
        )
    return walks, terrain


def _page(window: Array, n: int) -> dict[str, Any]:
    """Rows, columns and a size that suits the window's shape."""
    rows, columns = shape(n)
    wide, high = np.ptp(window, axis=1)
    each = (6.6 - 0.5 - 0.85 - ASIDE * (columns - 1)) / columns
    tall = each * (high / wide if equal(window) else 0.7)
    height = 1.3 + rows * tall + BELOW * (rows - 1)
    return {
        "rows": rows,
        "columns": columns,
        "size": (6.6, height),
        "left": 0.5,
        "right": 0.85,
        "pad": 0.42,
        "gaps": (BELOW / tall, ASIDE / each),
        "sharex": True,
        "sharey": True,
    }


def equal(window: Array) -> bool:
    """Whether the window is not too long for equal units on both axes."""
    wide, high = np.ptp(window, axis=1)
    return bool(0.4 < wide / high < 2.6)


def in_window(ax: Any, window: Array, aspect: str) -> None:
    """A panel that shows this window and nothing of a grid."""
    ax.grid(visible=False)
    ax.set(xlim=window[0], ylim=window[1], aspect=aspect)


def _panels(axes: Any, walks: Sequence[Walk], terrain: Terrain, window: Array) -> None:
    """The static parts: the surface in every panel, its scale beside them, the legend above."""
    levels = None
    columns = axes.shape[1]
    for i, ax in enumerate(axes.flat):
        if i >= len(walks):
            ax.set_visible(False)
            continue
        in_window(ax, window, "equal" if equal(window) else "auto")
        levels = bands(ax, terrain, window)
        arrows(ax, terrain, window, 15)
        ax.locator_params(nbins=5)
        mark(ax, terrain.minimum[:2], "minimum")
        if i % columns == 0:
            ax.set_ylabel("y")
        if i + columns >= len(walks):
            ax.set_xlabel("x")
            ax.tick_params(labelbottom=True)
    if levels:
        full = axes.size == len(walks)
        scale(axes[0, -1], terrain, levels, len(axes) if full else 1, BELOW)
    _legend(axes[0, 0])


LOOKS: dict[str, dict[str, Any]] = {
    "start": {"marker": "o", "markerfacecolor": "white", "color": figures.RED, "markersize": 6},
    "end": {"marker": "s", "color": figures.RED, "markersize": 5},
    "minimum": {"marker": "*", "color": figures.BLACK, "markersize": 8},
}


def mark(ax: Any, at: Array, name: str) -> Any:
    """The start, the end or the minimum."""
    (mark,) = ax.plot([at[0]], [at[1]], linestyle="", zorder=4, **LOOKS[name])
    return mark


def _path(ax: Any, at: Array) -> tuple[Any, Any, Any]:
    """The line, with a dot at each step if there are few, and the marks of its end and start."""
    dots = {"marker": "o", "markersize": 2.5} if len(at) <= DOTS else {}
    (line,) = ax.plot(*at.T, "-", color=figures.RED, linewidth=1.2, zorder=3, **dots)
    seen = at[np.isfinite(at).all(axis=1)]
    return line, mark(ax, seen[-1] if len(seen) else at[-1], "end"), mark(ax, at[0], "start")


def _corner(ax: Any, text: str) -> Any:
    """A few words in a panel."""
    return ax.text(
        0.98,
        0.03,
        text,
        transform=ax.transAxes,
        ha="right",
        size=figures.SMALL,
        zorder=6,
        bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1},
    )


def _legend(ax: Any) -> None:
    from matplotlib.lines import Line2D

    marks = [Line2D([], [], linestyle="", label=name, **look) for name, look in LOOKS.items()]
    place = ax.get_position()
    ax.figure.legend(
        handles=marks,
        loc="lower left",
        bbox_to_anchor=(place.x0, place.y1 + 0.2 / ax.figure.get_figheight()),
        ncols=3,
        frameon=False,
        fontsize=figures.SMALL,
        borderaxespad=0,
        handletextpad=0.1,
        columnspacing=1.2,
    )


def _name(walk: Walk, walks: Sequence[Walk]) -> str:
    """A path's name, as long as a panel is wide."""
    return words.cut(walk.label, 80 // shape(len(walks))[1])


def _notes(walks: Sequence[Walk]) -> list[str]:
    counts = sorted({len(walk.at) - 1 for walk in walks})
    steps = f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
    x, y = (f"{c:g}".replace("-", "−") for c in walks[0].at[0])
    dot = ", a dot each" if counts[-1] < DOTS else ""
    start = f"{steps} steps from ({x}, {y}){dot}"
    return [f"{start}; arrows: −∇f; one seed of each; descriptive: no significance test"]


def _caption(terrain: Terrain) -> str:
    x, y, _ = terrain.minimum
    return (
        f"Red: the path, its start (ring) and end (square); star: the minimum ({x:g}, {y:g}); grey"
        " arrows: −∇f, longer where it is larger, levelling off; bands: equal heights f(x, y), the"
        f" same in all panels. The first seed of each group. {NO_TEST}"
    )
