"""Whether high or low values of a metric are better."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from dlexp.errors import UserError

LOW, HIGH = "low", "high"
DLEXP = {"gap/*": LOW, "train/objective": LOW, "path/distance": LOW}  # measured by dlexp itself
DEFAULT = {"*loss": LOW, "*accuracy": HIGH}  # unless the objective declares otherwise


def better(metric: str, declared: Mapping[str, str] | None = None) -> str | None:
    """Either low or high; None if unknown. The first matching pattern in `declared` counts.

    >>> better("val/loss"), better("val/accuracy"), better("gap/accuracy"), better("val/r2")
    ('low', 'high', 'low', None)
    >>> better("val/r2", {"*/r2": "high"})
    'high'
    """
    for patterns in (DLEXP, declared or {}, DEFAULT):
        for pattern, way in patterns.items():
            if fnmatchcase(metric, pattern) and way in (LOW, HIGH):
                return way
    return None


def sign(
    metric: str, declared: Mapping[str, str] | None = None, *, key: str, where: str = ""
) -> int:
    """+1 if high values of the metric are better, else −1. Raises `UserError` if unknown."""
    way = better(metric, declared)
    if way is None:
        wrong = f"it is not declared whether more of it is better, or less: {declaration(metric)}"
        raise UserError(wrong, key=key, value=metric, where=where)
    return 1 if way == HIGH else -1


def declaration(metric: str) -> str:
    """How an objective declares the direction of a metric, in words."""
    name = metric.rpartition("/")[2]
    return f"declare it in its objective, better = {{'*/{name}': '{HIGH}'}} or '{LOW}'"


def misdeclared(declared: object) -> str:
    """What is wrong with a declaration; empty if it is valid."""
    if not isinstance(declared, Mapping) or not all(isinstance(p, str) for p in declared):
        return f"better = {declared!r:.60} is no mapping of metrics"
    for pattern, way in declared.items():
        if way not in (LOW, HIGH):
            return f"better = {{{pattern!r}: {way!r}}} says neither {LOW!r} nor {HIGH!r}"
    return ""
