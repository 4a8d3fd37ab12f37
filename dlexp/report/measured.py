"""The measurements of a run from its journal: curves, final values, train/test gaps."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dlexp.storage.lines import JournalEvent


@dataclass(frozen=True)
class Curve:
    """A metric by step, nan where it was not finite. Compact, since a sweep has thousands."""

    steps: tuple[int, ...]
    values: array[float]


def of(events: Iterable[JournalEvent]) -> dict[str, Any]:
    """Curves, latest values, length and error of a journal."""
    points: dict[str, list[tuple[int, float]]] = {}
    ends: list[int] = []
    steps = 0
    error = ""
    for event in events:
        if event.kind == "finish":
            error = event.error or ""
        if not event.is_measurement:
            continue
        step, epoch = event.step, event.epoch
        steps = max(steps, step)
        if epoch and step:
            ends.append(step // epoch)
        for name, value in event.metrics.items():
            points.setdefault(name, []).append((step, math.nan if value is None else float(value)))
    curves = {
        name: Curve(_shared(tuple(s for s, _ in p)), array("d", (y for _, y in p)))
        for name, p in points.items()
    }
    final = {name: curve.values[-1] for name, curve in curves.items()}
    # the test is of the weights of that step, and so is the rest
    if "early_stopping/best_step" in final:
        best = int(final["early_stopping/best_step"])
        for name, curve in curves.items():
            if best in curve.steps and not name.startswith("test/"):
                final[name] = curve.values[curve.steps.index(best)]
    final |= _gaps(final)
    result: dict[str, Any] = {
        "curves": curves,
        "final": final,
        "steps": steps,
        "epoch_steps": min(ends, default=None),
    }
    return result | ({"error": error} if error else {})


def _gaps(final: Mapping[str, float]) -> dict[str, float]:
    """Training minus test performance, gap/accuracy and gap/loss; less is better."""
    return {
        f"gap/{what}": sign * (final[f"train/{what}"] - final[f"test/{what}"])
        for what, sign in (("accuracy", 1), ("loss", -1))
        if f"train/{what}" in final and f"test/{what}" in final and f"gap/{what}" not in final
    }


@lru_cache(maxsize=1024)
def _shared(steps: tuple[int, ...]) -> tuple[int, ...]:
    """The same object for equal steps: most curves of a sweep have the same."""
    return steps
