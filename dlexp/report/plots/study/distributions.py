"""What layers say, and what they hear back: a row of histograms for each setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlexp import figures
from dlexp.core.arrays import Array
from dlexp.report import words
from dlexp.report.plots.common import Picture
from dlexp.report.plots.study.scene import CannotDraw, Scene

ROWS, BINS = 12, 40
FIELDS = {
    "activations": ("edges", "counts", "std", "std_across_samples", "zero", "saturated", "finite"),
    "gradients": (
        "gradient_edges",
        "gradient_counts",
        "gradient_std",
        "gradient_zero",
        "gradient_finite",
    ),
}
NOTED = 0.005  # smaller shares are not written


@dataclass(frozen=True)
class _Row:
    """One setting: histograms of its first seed; facts per layer, averaged over its seeds."""

    label: str
    layers: tuple[str, ...]
    edges: Array
    counts: Array
    facts: dict[str, Array]
    n: int


def distributions(scene: Scene, *, of: str = "activations", moment: str = "untrained") -> Picture:
    """Histograms of the hidden layers' activations or their gradients, a row per setting."""
    rows, reasons = _read(scene, of, moment)
    if not rows:
        ask = "add observer: [histograms] to the study"
        raise CannotDraw(
            f"no run has the histograms of its {of}: {words.listed(reasons, 3)} ({ask})"
        )
    left_out = len(rows) - ROWS
    rows = rows[:ROWS]
    what = "Activations y" if of == "activations" else "Gradients |∂L/∂y|"
    title = scene.title or f"{what} of the hidden layers, {moment}"
    n = sorted({row.n for row in rows})
    seeds = f"{n[0]}" if n[0] == n[-1] else f"{n[0]} to {n[-1]}"
    plural = "s" * (n[-1] != 1)
    bars = "bars: the first seed, each panel up to its own highest"
    bars += "; logarithmic axis" * (of == "gradients")
    notes = [
        f"{bars}; numbers: mean over n = {seeds} seed{plural}",
        "descriptive: no significance test",
    ]
    lacking = [f"Not shown: {words.listed(reasons, 4)}."] if reasons else []
    if left_out > 0:
        lacking.append(f"Not shown: {left_out} more settings.")
    notes += [words.listed(lacking)] if lacking else []
    lines = 4 if of == "activations" else 3
    each = 0.34 + 0.118 * lines + 0.42
    columns = max(len(row.layers) for row in rows)
    size = (max(6.6, 1.28 * columns + 0.4), 0.95 + each * len(rows))
    with figures.drawing(
        scene.path,
        title,
        notes,
        rows=len(rows),
        size=size,
        left=0.2,
        right=0.1,
        pad=0.3,
        gaps=(0.34 / (each - 0.34), 0),
    ) as axes:
        decades = _decades(rows) if of == "gradients" else None
        for ax, row in zip(axes[:, 0], rows, strict=True):
            _draw(ax, row, columns, decades, 0.118 / (each - 0.34))
    scale = "Sizes on one logarithmic axis for all panels; exact zeros are counted, not drawn. "
    if of != "gradients":
        scale = (
            "Exact zeros of an unbounded activation are counted, not drawn. Across samples: the"
            " standard deviation of a unit over the samples, averaged over the units; near 0 the"
            " output of the layer hardly depends on the input. Saturated: the slope is below 1 % of"
            " its largest. "
        )
    caption = " ".join(
        [
            (
                f"{title}. Bars: the values of all samples and units of the first seed, each panel"
                " scaled to its highest bar; std: their standard deviation; every number is the"
                f" mean over n = {seeds} seed{plural}. {scale}No test and no correction in this"
                " figure."
            ),
            *lacking,
        ]
    )
    return Picture(scene.name, scene.path, title, caption)


def _read(scene: Scene, of: str, moment: str) -> tuple[list[_Row], list[str]]:
    """The settings with these histograms, and why others have none."""
    rows, reasons = [], []
    for group, runs in scene.table.groups.items():
        histograms, why = [], ""
        for _, run in sorted(runs.items()):
            arrays = scene.arrays(run, "histograms")
            if isinstance(arrays, str):
                why = why or arrays
            elif not _whole(arrays, of, moment):
                why = why or f"its arrays/histograms.npz has no {of}, {moment}"
            else:
                histograms.append(arrays)
        label = scene.label(group)
        if histograms:
            rows.append(_row(label, histograms, of, moment))
        else:
            reasons.append(f"{label}: {why}")
    return rows, reasons


def _whole(arrays: dict[str, Array], of: str, moment: str) -> bool:
    """Whether all fields are there with matching shapes; other versions may write others."""
    fields = [arrays.get(f"{moment}_{name}") for name in FIELDS[of]]
    layers = arrays.get("layers")
    if (
        layers is None
        or layers.ndim != 1
        or any(f is None or f.dtype.kind not in "fiu" for f in fields)
    ):
        return False
    edges, counts, *facts = (f for f in fields if f is not None)
    return counts.shape == (len(layers), len(edges) - 1) and all(
        f.shape == layers.shape for f in facts
    )


def _row(label: str, histograms: Sequence[dict[str, Array]], of: str, moment: str) -> _Row:
    edges, counts, *names = FIELDS[of]
    first = histograms[0]
    alike = [arrays for arrays in histograms if len(arrays["layers"]) == len(first["layers"])]
    facts = {
        name.removeprefix("gradient_"): np.mean(
            [arrays[f"{moment}_{name}"] for arrays in alike], axis=0
        )
        for name in names
    }
    layers = tuple(map(str, first["layers"]))
    return _Row(
        label, layers, first[f"{moment}_{edges}"], first[f"{moment}_{counts}"], facts, len(alike)
    )


def _draw(ax: Any, row: _Row, columns: int, decades: tuple[int, int] | None, line: float) -> None:
    texts = [_text(row, i) for i in range(len(row.layers))]
    texts += [""] * (columns - len(texts))
    if decades is None:
        low, high = float(row.edges[0]), float(row.edges[-1])
        counts, color, ticks = row.counts, figures.BLUE, figures.linear_ticks(low, high)
    else:
        low, high = decades
        inside = (row.edges[:-1] >= low - 1e-9) & (row.edges[1:] <= high + 1e-9)
        counts, color, ticks = (
            row.counts[:, inside],
            figures.ORANGE,
            figures.decade_ticks(low, high),
        )
    step = max(1, counts.shape[1] // BINS)
    kept = counts.shape[1] // step * step
    bars = counts[:, :kept].reshape(len(counts), -1, step).sum(axis=2)
    bars = np.vstack([bars, np.zeros((columns - len(bars), bars.shape[1]))])
    high = low + (high - low) * kept / counts.shape[1]
    figures.histogram_row(
        ax, words.cut(row.label, 90), color, list(bars), texts, (low, high), ticks, line
    )


def _text(row: _Row, i: int) -> str:
    facts = {name: float(values[i]) for name, values in row.facts.items()}
    lines = [words.cut(row.layers[i], 18)]
    if facts["finite"] < 1:
        return "\n".join([*lines, f"{1 - facts['finite']:.0%} not finite"])
    lines.append(f"std {_short(facts['std'])}")
    if "std_across_samples" in facts:
        lines.append(f"across samples {_short(facts['std_across_samples'])}")
    flat = facts.get("saturated", 0.0)
    if flat >= NOTED and abs(flat - facts["zero"]) > NOTED:  # ReLU is saturated where it is zero
        lines.append(f"{flat:.0%} saturated")
    elif facts["zero"] >= NOTED:
        lines.append(f"{facts['zero']:.0%} zero")
    return "\n".join(lines)


def _short(x: float) -> str:
    """Two significant digits."""
    return f"{x:#.2g}".rstrip(".") if x else "0"


def _decades(rows: Sequence[_Row]) -> tuple[int, int]:
    """Powers of ten that hold 99.9 % of every panel's gradients; at least ten decades if equal."""
    low, high = [], []
    for row in rows:
        for counts in row.counts:
            if counts.sum():
                share = np.cumsum(counts) / counts.sum()
                low.append(row.edges[:-1][np.argmax(share > 0.001)])
                high.append(row.edges[1:][np.argmax(share >= 0.999)])
    if not low:
        return -10, 0
    a, b = int(np.floor(min(low) + 1e-9)), int(np.ceil(max(high) - 1e-9))
    return (a, b) if b - a >= 2 else (a - 1, b + 1)
