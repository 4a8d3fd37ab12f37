"""Where the gradients of a surface point, and where its minimum is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlexp import figures
from dlexp.core.arrays import Array
from dlexp.report.plots.common import Picture
from dlexp.report.plots.study.paths import equal, in_window, mark, read_walks
from dlexp.report.plots.study.scene import CannotDraw, Scene
from dlexp.report.plots.study.terrain import Terrain, arrows, bands, scale

# where angles are marked, in the window
SHOWN = ((0.15, 0.7), (0.32, 0.22), (0.6, 0.85), (0.86, 0.34), (0.42, 0.62))


def gradient_field(scene: Scene) -> Picture:
    """Negative gradients, and at a few points their angle to the direction of the minimum."""
    _, terrain = read_walks(scene)
    window = terrain.window
    size, aspect = _single(window)
    x, y, u, v = terrain.field(window)
    with np.errstate(all="ignore"):
        turned = _angles(terrain, x, y, u, v)
    turned = turned[np.isfinite(turned)]
    if not turned.size:
        raise CannotDraw("the surface has no gradient in its window")
    title = scene.title or f"The gradient of {scene.surface} does not point at the minimum"
    if not scene.title and float(np.median(turned)) < 5:
        title = f"The gradient of {scene.surface}"
    facts = (
        f"median {np.median(turned):.0f}°, largest {turned.max():.0f}° over the {turned.size:,}"
        " points of the grid"
    )
    notes = [
        "arrows: −∇f; blue: −∇f at a few points; dashed: the direction of the minimum",
        f"angle between the two: {facts}",
    ]
    with figures.drawing(scene.path, title, notes, size=size, right=0.95, pad=0.14) as axes:
        ax = axes[0, 0]
        in_window(ax, window, aspect)
        levels = bands(ax, terrain, window)
        arrows(ax, terrain, window)
        if levels:
            scale(ax, terrain, levels)
        for point in SHOWN:
            _angle(ax, terrain, point)
        mark(ax, terrain.minimum[:2], "minimum")
        ax.set(xlabel="x", ylabel="y")
    caption = (
        f"{title}. Grey: −∇f on a grid, longer where it is larger, levelling off; blue: its"
        " direction at a few points; dashed: the direction from there to the minimum (star). Angle"
        f" between the two: {facts}; 0° would point at it. Bands: equal heights f(x, y). No test:"
        " nothing here is random."
    )
    return Picture(scene.name, scene.path, title, caption)


def _single(window: Array) -> tuple[tuple[float, float], str]:
    """Size of a one-panel figure in inches, with equal units on both axes if possible."""
    wide, high = np.ptp(window, axis=1)
    if not equal(window):
        return (6.6, 4.6), "auto"
    fit = min(5.0 / wide, 4.0 / high)
    return (6.6, fit * high + 1.27), "equal"


def _angles(terrain: Terrain, x: Array, y: Array, u: Array, v: Array) -> Array:
    """Degrees between −(u, v) and the direction from (x, y) to the minimum; nan where undefined."""
    to_x, to_y = terrain.minimum[0] - x, terrain.minimum[1] - y
    size = np.hypot(u, v) * np.hypot(to_x, to_y)
    cosine = -(u * to_x + v * to_y) / np.where(size > 0, size, np.nan)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _angle(ax: Any, terrain: Terrain, place: tuple[float, float]) -> None:
    """Draws −∇f at a point, the direction to the minimum, and the angle between them."""
    x, y, u, v = terrain.nearest(place)
    wide = float(np.ptp(terrain.window[0]))
    with np.errstate(all="ignore"):
        turned = float(_angles(terrain, *(np.array([c]) for c in (x, y, u, v)))[0])
    size, far = math.hypot(u, v), math.hypot(terrain.minimum[0] - x, terrain.minimum[1] - y)
    if not math.isfinite(turned) or far < 0.05 * wide:
        return
    ax.plot(
        [x, terrain.minimum[0]],
        [y, terrain.minimum[1]],
        "--",
        color=figures.INK,
        linewidth=0.8,
        zorder=2,
    )
    tip = (x - u / size * 0.09 * wide, y - v / size * 0.09 * wide)
    ax.annotate(
        "",
        tip,
        (x, y),
        zorder=5,
        arrowprops={
            "arrowstyle": "-|>",
            "color": figures.BLUE,
            "linewidth": 1.8,
            "shrinkA": 0,
            "shrinkB": 0,
            "mutation_scale": 10,
        },
    )
    ax.plot([x], [y], "o", color=figures.BLUE, markersize=3.5, zorder=5)
    left = x > terrain.minimum[0]
    ax.annotate(
        f"{turned:.0f}°",
        (x, y),
        (6 if left else -6, 0),
        textcoords="offset points",
        size=figures.NORMAL,
        ha="left" if left else "right",
        va="center",
        color=figures.BLUE,
        weight="bold",
        zorder=6,
        bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8},
    )
