"""A surface as the observer `path` leaves it in a run folder: heights and gradients on a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlexp import figures
from dlexp.core.arrays import Array

ARROWS = 21  # along the longer side
SHAPES = {
    "window": (2, 2),
    "minimum": (3,),
    "x": (None,),
    "y": (None,),
    "f": (None, None),
    "gradient_x": (None,),
    "gradient_y": (None,),
    "gradient": (2, None, None),
}


@dataclass(frozen=True)
class Terrain:
    """`window` ((x₀, x₁), (y₀, y₁)), `minimum` (x, y, f), f (len(y), len(x)); gradients alike."""

    window: Array
    minimum: Array
    x: Array
    y: Array
    f: Array
    gradient_x: Array
    gradient_y: Array
    gradient: Array

    def around(self, paths: Sequence[Array]) -> Array:
        """The window, widened to hold the paths and a margin as far as the grid goes."""
        sides = []
        for i, (low, high) in enumerate(self.window):
            grid, margin = (self.x, self.y)[i], 0.05 * (high - low)
            seen = np.concatenate([path[np.isfinite(path[:, i]), i] for path in paths])
            first, last = (seen.min(), seen.max()) if seen.size else (low, high)
            sides.append(
                (max(min(low, first - margin), grid[0]), min(max(high, last + margin), grid[-1]))
            )
        return np.array(sides, float)

    def field(self, window: Array, every: int = 1) -> tuple[Array, Array, Array, Array]:
        """Points x, y in a window and the gradient (u, v) there, each (rows, columns)."""
        x, y = self.gradient_x, self.gradient_y
        columns, rows = (
            np.flatnonzero((c > low) & (c < high))
            for c, (low, high) in zip((x, y), window, strict=True)
        )
        columns, rows = (i[(len(i) - 1) % every // 2 :: every] for i in (columns, rows))
        u, v = self.gradient[:, rows[:, None], columns].astype(float)
        return *np.meshgrid(x[columns], y[rows]), u, v

    def nearest(self, place: tuple[float, float]) -> tuple[float, float, float, float]:
        """The gradient grid's point nearest to a place in shares of the window: x, y, u, v."""
        at = [
            low + share * (high - low)
            for share, (low, high) in zip(place, self.window, strict=True)
        ]
        j, i = (
            int(np.abs(c - want).argmin())
            for c, want in zip((self.gradient_x, self.gradient_y), at, strict=True)
        )
        u, v = (float(c) for c in self.gradient[:, i, j])
        return float(self.gradient_x[j]), float(self.gradient_y[i]), u, v


def read(arrays: dict[str, Array] | str) -> Terrain | str:
    """The surface; or why there is none."""
    if isinstance(arrays, str):
        return arrays
    for name, shape in SHAPES.items():
        array = arrays.get(name)
        if array is None or array.dtype.kind != "f" or array.ndim != len(shape):
            return f"its arrays/surface.npz has no {name} of {len(shape)} dimensions"
    terrain = Terrain(**{name: arrays[name] for name in SHAPES})
    finely, coarsely = (
        (len(terrain.y), len(terrain.x)),
        (2, len(terrain.gradient_y), len(terrain.gradient_x)),
    )
    if (
        terrain.f.shape != finely
        or terrain.gradient.shape != coarsely
        or min(*finely, *coarsely) < 2
    ):
        return "its arrays/surface.npz has arrays that do not fit each other"
    return terrain


def bands(ax: Any, terrain: Terrain, window: Array) -> Any:
    """Draws bands of equal height; returns the contour set and levels, None where f is flat."""
    inside = [
        slice(max(int(np.searchsorted(c, low)) - 1, 0), int(np.searchsorted(c, high)) + 1)
        for c, (low, high) in zip((terrain.x, terrain.y), window, strict=True)
    ]
    with np.errstate(all="ignore"):
        above = (terrain.f[inside[1], inside[0]] - terrain.minimum[2]).astype(float)
    levels = figures.contour_levels(above)
    if not levels:
        return None
    return figures.contours(ax, terrain.x[inside[0]], terrain.y[inside[1]], above, levels), levels


def scale(
    ax: Any, terrain: Terrain, drawn: tuple[Any, Sequence[float]], rows: int = 1, between: float = 0
) -> None:
    """The colour bar of the bands, beside a panel or a column of panels `between` inches apart."""
    shown, levels = drawn
    place = ax.get_position()
    wide, high = (
        d * side
        for d, side in zip(ax.figure.get_size_inches(), (place.width, place.height), strict=True)
    )
    below = (rows - 1) * (1 + between / high)
    bar = ax.figure.colorbar(
        shown, cax=ax.inset_axes([1 + 0.09 / wide, -below, 0.1 / wide, 1 + below]), extendfrac=0.03
    )
    some = levels[:: -(-len(levels) // (8 if rows * high < 3 else 14))]
    bar.set_ticks(some, labels=[f"{level + terrain.minimum[2]:g}" for level in some])
    bar.set_label("f(x, y)")


def arrows(ax: Any, terrain: Terrain, window: Array, most: int = ARROWS) -> None:
    """The field of negative gradients, about `most` arrows along the longer side."""
    steps = [
        np.ptp(side) / (c[1] - c[0])
        for side, c in zip(window, (terrain.gradient_x, terrain.gradient_y), strict=True)
    ]
    every = max(1, round(float(max(steps)) / most))
    x, y, u, v = terrain.field(window, every)
    if x.size and np.isfinite(np.hypot(u, v)).any():
        with np.errstate(all="ignore"):
            figures.gradient_field(ax, x, y, u, v, width=0.0025 if most < ARROWS else 0.002)
