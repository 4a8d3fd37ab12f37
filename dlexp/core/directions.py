"""Which way a metric is better: what dlexp knows of its own, what an objective declares, what its
name says.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from dlexp.errors import UserError

LOW, HIGH = "low", "high"
OWN = {"gap/*": LOW, "train/objective": LOW, "path/distance": LOW}  # measured by dlexp itself
DEFAULT = {"*loss": LOW, "*accuracy": HIGH}  # where the objective declares nothing else


def better(metric: str, declared: Mapping[str, str] | None = None) -> str | None:
    """Either low or high; None where nobody says. `declared` are the objective's patterns, the
    first that fits counts.

    >>> better("val/loss"), better("val/accuracy"), better("gap/accuracy"), better("val/r2")
    ('low', 'high', 'low', None)
    >>> better("val/r2", {"*/r2": "high"})
    'high'
    """
    for told in (OWN, declared or {}, DEFAULT):
        for pattern, way in told.items():
            if fnmatchcase(metric, pattern) and way in (LOW, HIGH):
                return way
    return None


def sign(
    metric: str, declared: Mapping[str, str] | None = None, *, key: str, where: str = ""
) -> int:
    """+1 where more of the metric is better, else −1. Raises `UserError` for `key` where nobody
    says.
    """
    way = better(metric, declared)
    if way is None:
        wrong = f"it is not declared whether more of it is better, or less: {declaration(metric)}"
        raise UserError(wrong, key=key, value=metric, where=where)
    return 1 if way == HIGH else -1


def declaration(metric: str) -> str:
    """How an objective declares it, in words."""
    return (
        f"declare it in its objective, better = {{'*/{metric.rpartition('/')[2]}': '{HIGH}'}} or"
        f" '{LOW}'"
    )


def misdeclared(declared: object) -> str:
    """What is wrong with a declaration; empty where nothing is."""
    if not isinstance(declared, Mapping) or not all(
        isinstance(pattern, str) for pattern in declared
    ):
        return f"better = {declared!r:.60} is no mapping of metrics"
    wrong = next(
        (f"better = {{{p!r}: {way!r}}}" for p, way in declared.items() if way not in (LOW, HIGH)),
        "",
    )
    return wrong and f"{wrong} says neither {LOW!r} nor {HIGH!r}"
