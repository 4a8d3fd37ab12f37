"""Over-fitting: how the curves of what was trained on and of what was not part."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlexp import figures
from dlexp.report import measure as measures, statistics, words
from dlexp.report.measure import Measure
from dlexp.report.plots.common import Picture
from dlexp.report.plots.curves import BAND, curve
from dlexp.report.plots.study.scene import CannotDraw, Scene
from dlexp.report.table import Tokens
from dlexp.storage.status import Status

PANELS = 12
BETWEEN = 0.42  # inches between the rows of panels
SPLITS: dict[str, tuple[str, str, Any]] = {
    "train": ("training", figures.BLUE, "-"),
    "val": ("validation", figures.ORANGE, (0, (4, 1.5))),
}
END = figures.RED


def gap(scene: Scene, *, losses: bool = False) -> Picture:
    """A panel per group: training (solid) and validation (dashed) accuracy, and the final test.

    `losses` adds the same of the loss below each panel, on an axis of its own.
    """
    groups = list(scene.table.groups)
    if len(groups) > PANELS:
        raise CannotDraw(
            f"{len(groups)} groups, more than the {PANELS} that a page holds; choose by `where`"
        )
    rows = [_measures(scene, "accuracy"), *([_measures(scene, "loss")] if losses else [])]
    n = scene.counted("train/accuracy")
    title = scene.title or "Training, validation and test" + (
        " accuracy and loss" if losses else " accuracy"
    )
    columns = min(len(groups), 2 if len(groups) == 4 else 3)
    blocks = math.ceil(len(groups) / columns)
    notes = [
        f"line: interquartile mean; band and bar: 95 % bootstrap interval; {n}",
        (
            "gap: of the final values on training and test samples, seed by seed; descriptive:"
            " no significance test"
        ),
    ]
    tall = 2.0 if blocks * len(rows) == 1 else 1.5
    size = (6.6, 1.75 + (tall + BETWEEN) * blocks * len(rows) - BETWEEN)
    with figures.drawing(
        scene.path,
        title,
        notes,
        rows=blocks * len(rows),
        columns=columns,
        size=size,
        right=0.25,
        pad=0.58,
        gaps=(BETWEEN / tall, 0.1),
        sharex=True,
        sharey="row",
    ) as axes:
        last = max(
            [_draw(axes, scene, groups, columns, i, row, len(rows)) for i, row in enumerate(rows)]
        )
        if not last:
            raise CannotDraw("nothing was measured while training, so there are no curves")
        for ax in axes.flat:
            figures.scale_epochs(ax, last)
            ax.set_xlim(-0.02 * last, 1.09 * last)
        _outer(axes, scene, len(groups), len(rows))
        _legend(axes[0, 0])
    caption = (
        f"{title}. Solid: training; dashed: validation; interquartile mean over seeds, band: its 95"
        f" % percentile bootstrap interval ({BAND:,} resamples, each point on its own); diamond:"
        f" test, at the end, and its interval; {n}. Gap: final training value minus test value (for"
        " the loss: test minus training), interquartile mean and interval over seeds. Compare the"
        " training curve: a gap also shrinks when a network learns less. A diverged run counts as"
        " worst from then on. No test and no correction in this figure."
    )
    return Picture(scene.name, scene.path, title, caption)


def _measures(scene: Scene, what: str) -> dict[str, Measure]:
    return {split: scene.measure(f"{split}/{what}") for split in ("train", "val", "test")}


def _draw(
    axes: Any,
    scene: Scene,
    groups: list[Tokens],
    columns: int,
    offset: int,
    row: dict[str, Measure],
    rows: int,
) -> float:
    """One kind of panel for every group; returns the last place of any curve."""
    epochs = measures.per_epoch(scene.table)
    accuracy = row["train"].metric.endswith("accuracy")
    last, heights = 0.0, []
    for i, group in enumerate(groups):
        ax = axes[i // columns * rows + offset, i % columns]
        for split, (_, color, dashes) in SPLITS.items():
            whole = measures.grid(scene.table, row[split], epochs)
            x, y = measures.curves(scene.table, group, row[split], epochs, whole)
            if len(x):
                heights += curve(ax, x, y, {"color": color, "linestyle": dashes}, True)
                last = max(last, float(x[-1]))
        if not offset:
            name = words.cut(scene.label(group), 84 // columns)
            ax.set_title(
                name, size=figures.SMALL, loc="left", pad=4 + 1.35 * figures.SMALL, weight="bold"
            )
        heights += _end(ax, scene, group, row)
    log = False
    for ax in axes[offset::rows].flat:
        if accuracy:
            ax.set_ylim(0, 1.02)  # a line at 1 is seen whole
        else:
            log = figures.scale_heights(ax, heights)
    for ax in axes[offset::rows, 0]:
        ax.set_ylabel(
            "accuracy (share correct)" if accuracy else f"loss (nats){', log scale' if log else ''}"
        )
    return last


def _end(ax: Any, scene: Scene, group: Tokens, row: dict[str, Measure]) -> list[float]:
    """The test value at the right end, and the gap in words; returns the finite heights."""
    runs = scene.table.groups[group]
    test = list(row["test"].values(runs).values())
    what = row["test"].metric.rpartition("/")[2]
    apart = [abs_gap for run in runs.values() if (abs_gap := _gap(run, what)) is not None]
    lost = sum(run.status == Status.DIVERGED for run in runs.values())
    texts = []
    if apart:
        ends = statistics.iqm_interval(apart)
        like = f"gap/{what}"
        texts.append(
            f"gap {words.number(float(statistics.iqm(apart)), like)}"
            + (f" {words.span(ends, like)}" if ends else "")
        )
    if lost:
        texts.append(f"{lost} of {len(runs)} diverged")
    ax.annotate(
        " · ".join(texts),
        (0, 1),
        (0, 4),
        xycoords="axes fraction",
        textcoords="offset points",
        size=figures.SMALL,
        annotation_clip=False,
    )
    middle = float(statistics.iqm(test)) if test else math.nan
    if not math.isfinite(middle):
        return []
    at = ax.get_yaxis_transform()
    if ends := statistics.iqm_interval(test):
        low, high_end = (min(max(e, -figures.HUGE), figures.HUGE) for e in ends)
        ax.plot(
            [0.96, 0.96], [low, high_end], "-", color=END, linewidth=1.5, transform=at, zorder=4
        )
    ax.plot([0.96], [middle], "D", color=END, markersize=4, transform=at, zorder=5, clip_on=False)
    return [middle]


def _gap(run: Any, what: str) -> float | None:
    """By how much a finished run is better on what it was trained on."""
    train, test = run.final.get(f"train/{what}"), run.final.get(f"test/{what}")
    if (
        run.status != Status.FINISHED
        or train is None
        or test is None
        or not np.isfinite([train, test]).all()
    ):
        return None
    return float(train - test if what == "accuracy" else test - train)


def _outer(axes: Any, scene: Scene, panels: int, rows: int) -> None:
    """Empty places are left empty; the lowest panel of each column bears the x-axis."""
    columns = axes.shape[1]
    for (i, j), ax in np.ndenumerate(axes):
        if i // rows * columns + j >= panels:
            ax.set_visible(False)
        elif i == len(axes) - 1 or (
            (i // rows + 1) * columns + j >= panels and i % rows == rows - 1
        ):
            ax.set_xlabel("epoch" if measures.per_epoch(scene.table) else "step")
            ax.tick_params(labelbottom=True)


def _legend(ax: Any) -> None:
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], label=name, color=color, linestyle=dashes)
        for name, color, dashes in SPLITS.values()
    ]
    lines.append(Line2D([], [], label="test, at the end", color=END, marker="D", linestyle=""))
    place = ax.get_position()
    ax.figure.legend(
        handles=lines,
        loc="lower left",
        bbox_to_anchor=(place.x0, place.y1 + 0.36 / ax.figure.get_figheight()),
        ncols=3,
        frameon=False,
        fontsize=figures.SMALL,
        borderaxespad=0,
        handlelength=2.6,
        columnspacing=1.4,
    )
