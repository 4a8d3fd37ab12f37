"""A line of a journal: one JSON object of limited length."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from dlexp.storage.status import Status

MEASURED = ("record", "note")
LONGEST = 2**20  # bytes of a line: some 30,000 numbers with their names


class BadLine(ValueError):
    """A line that no run wrote; the message says why."""


class TooLong(BadLine):
    """A line with more than a run measures at once."""


@dataclass(slots=True)
class JournalEvent:
    """A line of a journal. `kind` is start, record, note, resume or finish.

    A metric is None if it was not finite; `status`, `error` and `weights` belong to `finish`,
    `changes` to `resume`. `recorded` is the whole line, with keys that this version does not know.
    """

    kind: str
    time_ms: int
    elapsed: float
    epoch: int = 0
    step: int = 0
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    status: Status | None = None
    error: str | None = None
    weights: str | None = None
    changes: Sequence[str] = ()
    recorded: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_measurement(self) -> bool:
        """Whether it is an evaluation, or an observer's own measurements."""
        return self.kind in MEASURED


def line_of(event: Mapping[str, Any]) -> str:
    """The line of an event. Raises `TooLong`, and `ValueError` for a number that is not finite."""
    line = json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n"
    if len(line) <= LONGEST // 4:
        return line
    if (size := len(line.encode("utf-8", "surrogateescape"))) > LONGEST:
        wrong = f"{len(event.get('metrics', ())):,} numbers at once, {size:,} bytes of the journal"
        raise TooLong(f"{wrong}: a line of it holds at most {LONGEST:,}")
    return line


def event_of(line: bytes) -> JournalEvent:
    """The event of a line. Raises `BadLine` for a line that no run wrote."""
    if len(line) > LONGEST:
        raise TooLong(f"has {len(line):,} bytes, and a run writes at most {LONGEST:,}")
    try:
        return _event(json.loads(line.decode("utf-8", "surrogateescape")))
    except BadLine:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
        raise BadLine(f"is damaged: {line[:30]!r}") from None


def _event(recorded: Mapping[str, Any]) -> JournalEvent:
    kind, time_ms, elapsed = recorded["event"], recorded["time_ms"], recorded["elapsed"]
    numbers = [time_ms, elapsed]
    if kind in MEASURED:
        epoch, step, metrics = recorded["epoch"], recorded["step"], recorded["metrics"]
        numbers += [epoch, step, *(v for v in metrics.values() if v is not None)]
        event = JournalEvent(
            kind, int(time_ms), elapsed, int(epoch), int(step), metrics, recorded=recorded
        )
    else:
        event = JournalEvent(str(kind), int(time_ms), elapsed, recorded=recorded)
    if not all(map(math.isfinite, numbers)):
        raise ValueError("a number is not finite")
    if kind == "resume":
        event.step = int(recorded.get("step", 0))
        event.changes = _texts(recorded.get("changes", []))
    if kind == "finish":
        event.status = _end(recorded["status"])
        event.error, event.weights = _text(recorded.get("error")), _text(recorded.get("weights"))
    return event


def _end(text: str) -> Status:
    """The final status of a run."""
    with suppress(ValueError):
        if (status := Status(text)).is_end:
            return status
    raise BadLine(f"ends the run as {text[:30]!r}, which is no final status")


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _texts(values: object) -> list[str]:
    if not isinstance(values, list):
        raise TypeError("it is no list")
    return [str(value) for value in values]
