"""One house style for every figure, and the few things more than one figure needs.

Matplotlib is imported when something is drawn, never before, and only its object interface is used:
no pyplot, no state that outlives a figure. The same run gives the same bytes.
"""

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlexp.figures.captions import number
from dlexp.storage.atomic import staged

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito (2008), distinct for every kind of colour vision: https://jfly.uni-koeln.de/color/
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW, BLACK = "#56B4E9", "#CC79A7", "#F0E442", "#000000"
INK, GREY, LIGHT = "#222222", "#666666", "#DDDDDD"

SMALL, NORMAL, LARGE = 7.0, 8.0, 10.0  # points; the smallest is 14 pixels high
STYLE: dict[Any, Any] = {
    "figure.dpi": 144,
    "savefig.dpi": 144,
    "font.size": NORMAL,
    "text.color": INK,
    "text.parse_math": False,  # a file name may hold a dollar sign
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.labelsize": NORMAL,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LIGHT,
    "grid.linewidth": 0.5,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "lines.linewidth": 1.5,
    "lines.markersize": 4,
}
# no axis reaches further, nor nearer to zero than 1/HUGE: matplotlib's arithmetic would overflow
HUGE = 1e300
LINE = 1.35  # of the font's size, from one line of text to the next


@contextmanager
def drawing(
    path: Path,
    title: str,
    notes: Sequence[str] = (),
    *,
    rows: int = 1,
    columns: int = 1,
    size: tuple[float, float] = (6.6, 4.4),
    left: float = 0.66,
    right: float = 0.25,
    pad: float = 0.12,
    gaps: tuple[float, float] = (0.3, 0.3),
    alarm: bool = False,
    **subplots: Any,
) -> Iterator[Any]:
    """An array (rows, columns) of axes under a title, saved atomically to `path` afterwards.

    `size`, the margins `left` and `right` and the space `pad` below the title are in inches, `gaps`
    (vertical, horizontal) in sizes of the average panel; `notes` are lines in small print below the
    title; an `alarm` title is in a warning colour.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # HUGE, squared
    with matplotlib.rc_context(), warnings.catch_warnings(), np.errstate(all="ignore"):
        # a name in a script that the font lacks
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        figure = Figure(figsize=size)
        FigureCanvasAgg(figure)
        axes = figure.subplots(rows, columns, squeeze=False, **subplots)
        top = _headline(figure, title, notes, RED if alarm else INK)
        width, height = size
        figure.subplots_adjust(
            left=left / width,
            right=1 - right / width,
            bottom=0.45 / height,
            top=top - pad / height,
            hspace=gaps[0],
            wspace=gaps[1],
        )
        yield axes
        figure.align_ylabels()
        if path.suffix != ".gif":  # an animation has already been saved
            save(figure, path)


def _headline(figure: Figure, title: str, notes: Sequence[str], color: str) -> float:
    """Write title and notes from the upper left corner; returns the height of their end."""
    width, height = figure.get_size_inches()
    y = height - 0.08
    for text, size, weight, ink in [
        (title, LARGE, "bold", color),
        *((n, SMALL, "normal", GREY) for n in notes),
    ]:
        letters = int((width - 0.2) * 72 / (size * (0.6 if weight == "bold" else 0.54)))
        for line in textwrap.wrap(text, letters, max_lines=2, placeholder=" …"):
            figure.text(
                0.1 / width, y / height, line, size=size, weight=weight, color=ink, va="top"
            )
            y -= size * LINE / 72
    return float(y / height)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG atomically, without date or version, so that equal figures are equal files."""
    buffer = io.BytesIO()
    figure.savefig(
        buffer, format="png", metadata={"Software": None}, pil_kwargs={"compress_level": 3}
    )
    replace(path, buffer.getvalue())


def replace(path: Path, content: bytes) -> None:
    """Write a file, old or new, never half."""
    with staged(path) as file:
        file.write(content)


def by_depth(n: int) -> list[Any]:
    """n colours from dark (first layer) to light (last layer, but still legible)."""
    from matplotlib import colormaps

    return [colormaps["viridis"](x) for x in np.linspace(0, 0.85, n)]


def label_ends(axes: Axes, ends: Iterable[tuple[float, float, str, Any]]) -> None:
    """Write each line's name beside its last point (x, y), moved apart to avoid overlaps.

    Call it last: names stay where they are when the limits of the axes change.
    """
    # the transforms below do not know of new data before somebody asks
    axes.get_xlim(), axes.get_ylim()
    points = sorted(ends, key=lambda end: end[1])
    if not points:
        return
    points_per_pixel = 72 / axes.figure.dpi
    at = [axes.transData.transform((x, y)) * points_per_pixel for x, y, *_ in points]
    edge, top = axes.transAxes.transform((1, 1)) * points_per_pixel
    places = _apart([float(y) for _, y in at], SMALL * 1.25, float(top))
    for (x, y, text, color), (x_at, y_at), place in zip(points, at, places, strict=True):
        axes.annotate(
            text,
            (x, y),
            (edge - x_at + 5, place - y_at),
            textcoords="offset points",
            color=color,
            size=SMALL,
            va="center",
            annotation_clip=False,
        )


def _apart(heights: Sequence[float], gap: float, top: float) -> list[float]:
    """Ascending heights moved to be `gap` apart around the same middle, not beyond the top.

    >>> _apart([0.0, 10.0, 14.0], 10, 100), _apart([95.0, 99.0], 10, 100)
    ([-2.0, 8.0, 18.0], [90.0, 100.0])
    """
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + gap) if placed else height)
    drift = max((sum(placed) - sum(heights)) / len(placed), placed[-1] - top)
    return [height - drift for height in placed]


def scale_epochs(axes: Axes, last: float) -> None:
    """An x-axis from 0 to the last epoch, with ticks at whole epochs if there are any."""
    axes.set_xlim((0, last) if last else (-1, 1))
    if last <= 1:
        ticks = sorted({0, last})
        axes.set_xticks(ticks, labels=[number(tick) for tick in ticks])
    else:
        axes.locator_params(axis="x", integer=True)


def scale_heights(axes: Axes, values: Iterable[float]) -> bool:
    """A logarithmic y-axis for positive values over a decade, else one from 0; returns which."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    positive = [v for v in values if v > 0 and np.isfinite(v)]
    if not positive or max(positive) <= 10 * min(positive):
        axes.set_ylim(0, min(1.1 * max(positive, default=1), HUGE))
        return False
    axes.set_yscale("log", nonpositive="mask")
    margin = (max(positive) / min(positive)) ** 0.05 if max(positive) < HUGE * min(positive) else 10
    axes.set_ylim(max(min(positive) / margin, 1 / HUGE), min(max(positive) * margin, HUGE))
    # the default writes 10⁰ as mathematics, 0.1 as 1e-01
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(plain)
    if max(positive) < 100 * min(positive):
        axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        axes.yaxis.set_minor_formatter(plain)
        axes.tick_params(axis="y", which="minor", labelsize=SMALL, labelcolor=INK)
    return True
