"""Histograms side by side in one row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlexp.figures.style import GREY, NORMAL, SMALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dlexp.core.arrays import Array

WIDE = 0.86  # a histogram's share of its column
LINE = 0.125  # a line of text's share of the height of a row


def histogram_row(
    axes: Axes,
    title: str,
    color: str,
    counts: Sequence[Array],
    texts: Sequence[str],
    ends: tuple[float, float],
    ticks: Iterable[tuple[float, str]],
    line: float = LINE,
) -> None:
    """Draw counts (bins,) of each column between `ends`, scaled to its highest bar, with text.

    Column j stands at j … j + WIDE, its bars reach from 0 to 1; `line` is a text line's share of
    the row's height.
    """
    low, high = ends
    top = 1 / (0.95 - line * max(1 + text.count("\n") for text in texts))
    axes.set_title(title, loc="left", size=NORMAL, weight="bold", pad=3)
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.set(xlim=(0, len(texts) - 1 + WIDE), ylim=(0, top), yticks=[])
    places: dict[float, str] = {}
    heights: list[float] = []
    edges: list[float] = []
    for j, (bars, text) in enumerate(zip(counts, texts, strict=True)):
        heights += [*bars / max(bars.max(), 1), 0]  # the gap to the next column
        edges += [*j + WIDE * np.linspace(0, 1, len(bars) + 1)]
        axes.text(j, top, text, size=SMALL, va="top", linespacing=1.1)
        places |= {j + WIDE * (tick - low) / (high - low): name for tick, name in ticks}
    axes.stairs(heights[:-1], edges, fill=True, color=color)
    axes.hlines(
        [0] * len(texts), range(len(texts)), np.arange(len(texts)) + WIDE, colors=GREY, linewidth=1
    )
    axes.set_xticks(list(places), labels=list(places.values()))
    axes.tick_params(axis="x", length=2, pad=2)


def linear_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """About three round numbers between the ends, and how they are written."""
    from matplotlib.ticker import MaxNLocator

    slack = (high - low) / 50  # a bound such as 1 may just be missed
    ticks = MaxNLocator(3, steps=[1, 2, 5, 10]).tick_values(low, high)
    return [(float(tick), f"{tick:g}") for tick in ticks if low - slack <= tick <= high + slack]


def decade_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Two powers of ten between those of the ends, clear of the neighbouring columns."""
    quarter = (high - low) / 4
    ticks = sorted({float(np.ceil(low + quarter / 2)), float(np.floor(high - quarter / 2))})
    return [(tick, f"1e{tick:.0f}") for tick in ticks]
