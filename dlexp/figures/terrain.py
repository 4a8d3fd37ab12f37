"""A surface f(x, y) on a grid: bands of equal height, and arrows of negative gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlexp.figures.style import BLUE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dlexp.core.arrays import Array

LEVELS = 14  # bands at most


def contours(axes: Axes, x: Array, y: Array, above: Array, levels: Sequence[float]) -> Any:
    """Draws bands of heights above the minimum, (len(y), len(x)); returns the contour set."""
    from matplotlib.colors import LinearSegmentedColormap

    colors = LinearSegmentedColormap.from_list("pale", ["#8FBCDD", "#FFFFFF"])(
        np.linspace(0, 1, len(levels) + 1)
    )
    bands = axes.contourf(x, y, above, levels, colors=colors, extend="both")
    axes.contour(x, y, above, levels, colors=BLUE, linewidths=0.4, alpha=0.5)
    return bands


def contour_levels(above: Array) -> list[float]:
    """About ten round heights with a nearly constant ratio; none for a flat surface."""
    finite = above[np.isfinite(above) & (above > 0)]
    if not finite.size:
        return []
    low, high = (float(q) for q in np.quantile(finite, [0.005, 0.99]))
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        levels = [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]
        if len(levels) <= LEVELS:
            break
    return levels or ([low, high] if low < high else [])


def gradient_field(axes: Axes, x: Array, y: Array, u: Array, v: Array, **look: Any) -> None:
    """Arrows along (−u, −v), the negative gradients at (x, y); longer for larger ones, bounded."""
    size = np.hypot(u, v)
    size[~(size > 0)] = np.nan  # no arrow where there is no direction
    length = (0.4 + 0.6 * size / (size + np.nanmedian(size))) / size / (1.5 * max(x.shape))
    how: dict[str, Any] = {"width": 0.002, "color": "#999999", **look}
    axes.quiver(
        x,
        y,
        -u * length,
        -v * length,
        angles="xy",
        scale_units="width",
        scale=1,
        headwidth=4,
        headlength=5,
        headaxislength=4.5,
        pivot="mid",
        zorder=1.5,
        **how,
    )
