"""How many seeds a verdict needs."""

from __future__ import annotations

ALPHA = 0.05
FEWEST = 6  # the fewest pairs for a verdict: with 5 the smallest two-sided p is 2/2⁵ = .0625
TUNING, REPORTING = 5, 10  # seeds for choosing values, and other seeds for reporting


def smallest_p(n: int) -> float:
    """The smallest two-sided p that n pairs can give: 2/2ⁿ.

    >>> smallest_p(5), smallest_p(10)
    (0.0625, 0.001953125)
    """
    return float(min(1.0, 2.0 ** (1 - n)))


def seeds_needed(pairs: int) -> int:
    """The fewest seeds with which one of these comparisons can be significant after Holm.

    That is 2/2ⁿ · pairs ≤ .05.

    >>> seeds_needed(1), seeds_needed(6), seeds_needed(28)
    (6, 8, 11)
    """
    return next(n for n in range(FEWEST, 10_000) if smallest_p(n) * pairs <= ALPHA)
