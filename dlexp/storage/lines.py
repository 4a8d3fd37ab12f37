"""A line of a journal: one JSON object, of limited length, since a damaged file may claim to hold
anything.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

MEASURED = ("record", "note")
LONGEST = 2**20  # bytes of a line: some 30,000 numbers with their names


class TooLong(ValueError):
    """A line that holds more than any run measures at once."""


def line_of(event: Mapping[str, Any]) -> str:
    """The line that says so. Raises `TooLong`, and `ValueError` for a number that is not finite."""
    line = json.dumps(event, ensure_ascii=False, allow_nan=False) + "\n"
    if (
        len(line) > LONGEST // 4
        and (size := len(line.encode("utf-8", "surrogateescape"))) > LONGEST
    ):
        wrong = f"{len(event.get('metrics', ())):,} numbers at once, {size:,} bytes of the journal"
        raise TooLong(f"{wrong}: a line of it holds at most {LONGEST:,}")
    return line


def event_of(line: bytes) -> dict[str, Any]:
    """What a line says. Raises `TooLong`, or one of many errors for what no run ever wrote."""
    if len(line) > LONGEST:
        raise TooLong(f"has {len(line):,} bytes, and a run writes at most {LONGEST:,}")
    told: dict[str, Any] = json.loads(line.decode("utf-8", "surrogateescape"))
    event, numbers = told["event"], [told["time_ms"], told["elapsed"]]
    if event in MEASURED:
        numbers += [
            told["epoch"],
            told["step"],
            *(v for v in told["metrics"].values() if v is not None),
        ]
    if event == "finish" and not isinstance(told["status"], str):
        raise ValueError("it does not say how the run ended")
    if not isinstance(told.get("changes", []), list):
        raise ValueError("it does not list what had changed")
    if not all(map(math.isfinite, numbers)):
        raise ValueError("a number in it is not finite")
    return told
