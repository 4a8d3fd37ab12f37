"""Cautions: what a reader must know to judge a verdict. They are shown beside it everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dlexp.report.claims.guards import Guarded, bounds
from dlexp.report.claims.messages import Sentence, say
from dlexp.report.claims.sides import described
from dlexp.report.claims.spec import Claim
from dlexp.report.statistics import Floats

ALIKE = 1e-6  # relative tolerance of equal differences, as of float32 values


def alike(of: Floats, against: Floats) -> bool:
    """Whether every seed gives the same difference, so that seeds are no independent replicates.

    >>> of = np.array([3.0, 4.0])
    >>> alike(of, np.array([1.0, 2.0])), alike(of, np.array([1.0, 2.1]))
    (True, False)
    """
    d = of - against
    size = max(np.abs(of).max(), np.abs(against).max())
    return len(d) > 1 and bool(np.ptp(d) <= ALIKE * size)


def of_guard(guarded: Sequence[Guarded], claim: Claim) -> Iterator[Sentence]:
    """How many runs lie outside a guard that holds for their mean."""
    for g in guarded:
        if g.holds and g.outside and claim.guard is not None:
            side = described(claim.of if g.side == "of" else claim.against)
            metric, bound = claim.guard.metric.text, bounds(claim)
            yield say("outside", n=g.outside, total=g.runs, side=side, metric=metric, bound=bound)


def of_changes(changes: Any, part: str | None, *, quick: bool) -> Iterator[Sentence]:
    """How training differed from the study's file; `changes`: part → list of texts."""
    texts = changes.get(part) if isinstance(changes, Mapping) else None
    texts = [text for text in texts if isinstance(text, Mapping)] if isinstance(texts, list) else []
    if texts:
        listed = {
            language: comma.join(str(text.get(language)) for text in texts)
            for language, comma in (("en", ", "), ("zh", "，"))
        }
        yield say("preview" if quick else "changed", changes=listed)
    elif quick:
        yield say("preview_same")
