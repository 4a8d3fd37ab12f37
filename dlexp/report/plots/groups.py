"""One row per group, one row per planned pair: dots and intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlexp import figures
from dlexp.report import statistics, words
from dlexp.report.compare import BETTER, EQUIVALENT, Comparison, Pair, Summary
from dlexp.report.plots.common import LETTER, Picture, plain, seeds, tests
from dlexp.report.statistics import Range
from dlexp.storage.status import Status

ROWS = 40
DIGIT = 0.056  # inches, of the small print, on average in a number


def dots(c: Comparison, path: Path, title: str = "") -> Picture | None:
    """Interquartile mean and interval of each group, over its seeds; the best first."""
    known = [s for s in c.summaries if s.n]
    if not known:
        return None
    rows = sorted(known, key=lambda s: -c.measure.sign * s.iqm)[:ROWS]
    title = title or f"{c.measure.metric} of each group"
    cut = f"; the best {ROWS} of {len(known)} groups" if len(known) > ROWS else ""
    marks = (
        "dot: interquartile mean; line: 95 % bootstrap interval; small: single seeds;"
        f" {seeds(rows)}{cut}"
    )
    labels = [words.cut(s.label, 44) for s in rows]
    numbers = [
        f"{words.number(s.iqm, c.measure.metric)} {words.span(s.iqm_range, c.measure.metric)}"
        + (f"  {s.diverged} of {s.n} diverged" if s.diverged else "")
        for s in rows
    ]
    limits, log = _limits(c, rows)
    lost = any(not limits[0] <= s.iqm <= limits[1] for s in rows)
    marks += "; arrow: outside the picture" * lost
    with figures.drawing(path, title, [marks, tests(c)], **_sides(labels, numbers)) as axes:
        ax = axes[0, 0]
        if log:
            ax.set_xscale("log")
            plain(ax)
        ax.set(
            xlim=limits,
            ylim=(len(rows) - 0.4, -0.6),
            xlabel=f"{c.measure.unit}{', log scale' if log else ''}",
        )
        ax.set_yticks(range(len(rows)), labels=labels)
        ax.grid(visible=False, axis="y")
        for i, (s, text) in enumerate(zip(rows, numbers, strict=True)):
            _row(ax, i, list(s.values.values()), s.iqm, s.iqm_range, figures.BLUE)
            ax.annotate(
                text,
                (1, i),
                (5, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                size=figures.SMALL,
                va="center",
                annotation_clip=False,
            )
    arrow = "; arrow: outside the picture" * lost
    caption = (
        f"{c.measure.metric} of each group, best first. Dot: interquartile mean over seeds; line:"
        f" 95 % percentile bootstrap interval ({statistics.RESAMPLES:,} resamples); small dots:"
        f" single seeds{arrow}; {seeds(rows)}{cut}. Groups share their seeds, so overlapping lines"
        f" do not mean equal: the planned comparisons decide ({tests(c)})."
    )
    return Picture("dots", path, title, caption)


def _sides(labels: Sequence[str], numbers: Sequence[str]) -> dict[str, Any]:
    """Margins for the texts on both sides, and a size with space between them, in inches."""
    left = 0.25 + LETTER * max(map(words.width, labels))
    right = 0.3 + DIGIT * max(map(words.width, numbers))
    return {
        "left": left,
        "right": right,
        "size": (max(6.6, left + right + 2.4), 1.15 + 0.24 * len(labels)),
    }


def _row(
    ax: Any, y: float, values: Sequence[float], middle: float, ends: Range | None, color: str
) -> None:
    """One line of a dot plot; what lies outside the picture is an arrow at its edge."""
    inside = [v for v in values if math.isfinite(v)]
    ax.plot(
        inside, np.full(len(inside), y + 0.22), "o", color=figures.GREY, alpha=0.45, markersize=2
    )
    if ends:
        low, high = (min(max(e, -figures.HUGE), figures.HUGE) for e in ends)
        ax.plot([low, high], [y, y], "-", color=color, linewidth=2, solid_capstyle="butt")
    edges = sorted(ax.get_xlim())
    if edges[0] <= middle <= edges[1]:
        ax.plot([middle], [y], "o", color=color, markersize=5, zorder=4)
    elif not math.isnan(middle):
        right = bool(middle > edges[1])
        ax.plot(
            [edges[right]],
            [y],
            ">" if right else "<",
            color=figures.RED,
            markersize=6,
            clip_on=False,
            zorder=4,
        )


def _limits(c: Comparison, rows: Sequence[Summary]) -> tuple[Range, bool]:
    """An axis for the seeds that finished; logarithmic for positive values over a decade."""
    finished = [
        v
        for s in rows
        for seed, v in s.values.items()
        if math.isfinite(v) and c.table.groups[s.group][seed].status == Status.FINISHED
    ]
    low, high = min(finished, default=0.0), max(finished, default=1.0)
    if low > 0 and high > 10 * low and not c.measure.metric.endswith("accuracy"):
        return (max(low / 1.3, 1 / figures.HUGE), min(high * 1.3, figures.HUGE)), True
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.05
    return (low - margin, high + margin), False


def forest(c: Comparison, path: Path, title: str = "") -> Picture | None:
    """The planned pairs: by how much the better is better, with the interval of the paired test."""
    rows = c.pairs[:ROWS]
    if not rows:
        return None
    title = title or f"Planned comparisons, {c.measure.metric}"
    cut = f"; the first {ROWS} of {len(c.pairs)}" if len(c.pairs) > ROWS else ""
    labels = [words.cut(f"{p.better} over {p.worse}", 46) for p in rows]
    texts = [
        f"{words.number(p.gain, c.measure.metric)} {_ends(p, c)}  {verdict_text(p)}" for p in rows
    ]
    finite = [x for p in rows for x in (p.gain, *p.gain_range) if math.isfinite(x)] + [0.0]
    margin = 0.06 * (max(finite) - min(finite)) or 0.05
    notes = [
        "dot: mean of the seeds' differences; line: 95 % interval, the inverted test" + cut,
        tests(c),
    ]
    with figures.drawing(path, title, notes, **_sides(labels, texts)) as axes:
        ax = axes[0, 0]
        ax.set(
            xlim=(min(finite) - margin, max(finite) + margin),
            ylim=(len(rows) - 0.4, -0.6),
            xlabel=f"better by, in {c.measure.metric}",
        )
        ax.set_yticks(range(len(rows)), labels=labels)
        ax.grid(visible=False, axis="y")
        ax.locator_params(axis="x", nbins=5)
        ax.axvline(0, color=figures.INK, linewidth=0.8)
        if c.margin is not None:
            ax.axvspan(-c.margin, c.margin, color=figures.GREEN, alpha=0.12, linewidth=0)
        for i, (p, text) in enumerate(zip(rows, texts, strict=True)):
            color = {BETTER: figures.BLUE, EQUIVALENT: figures.GREEN}.get(p.verdict, figures.GREY)
            _row(
                ax,
                i,
                [],
                p.gain,
                p.gain_range if p.p is not None and math.isfinite(sum(p.gain_range)) else None,
                color,
            )
            ax.annotate(
                text,
                (1, i),
                (5, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                size=figures.SMALL,
                va="center",
                annotation_clip=False,
            )
    caption = (
        "Planned comparisons, each averaged over the other axes within a seed: the mean over seeds"
        f" of how much better the first is in {c.measure.metric}, with the 95 % interval of the"
        " shifts that the sign-flip test does not reject (each interval on its own, the p-values"
        f" corrected{cut}). Blue: decided; grey: not. {words.capital(tests(c))}."
    )
    return Picture("comparisons", path, title, caption)


def _ends(p: Pair, c: Comparison) -> str:
    return words.span(
        p.gain_range if p.p is not None and math.isfinite(sum(p.gain_range)) else None,
        c.measure.metric,
    )


def verdict_text(p: Pair) -> str:
    """The verdict of a pair with its p."""
    shown = f"p {words.probability(p.p_holm)}" if p.p_holm is not None else ""
    return f"{shown} {p.verdict}".strip()
