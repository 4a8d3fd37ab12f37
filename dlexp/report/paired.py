"""Statistics of two methods on the same seeds: exact test, interval, effect size, correction.

The whole of it rests on one assumption: if the two methods are equal, the difference of a seed is
as likely +d as −d. The test turns every sign both ways; the interval holds the shifts that the test
would not refuse, so the two never disagree.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dlexp.core.seeds import (
    ALPHA as ALPHA,
    FEWEST as FEWEST,
    seeds_needed as seeds_needed,
    smallest_p as smallest_p,
)
from dlexp.report.statistics import LEVEL, SEED, Floats, Range

EXACT = 20  # pairs up to which all 2ⁿ sign patterns are looked at
FLIPS = 99_999  # random sign patterns above that
ROUNDING = 1e-12  # sums that differ by less, relative to Σ|d|, are equal


def two_sided(d: ArrayLike) -> float:
    """p of the sign-flip test on the mean of paired differences d (n,); H₀: symmetric about 0.

    p = #{s ∈ {−1, 1}ⁿ : |Σ sᵢdᵢ| ≥ |Σ dᵢ|} / 2ⁿ, all patterns up to 20 pairs; above, (1 + hits) /
    (1 + 99,999) over random patterns from a fixed generator.
    Source: Fisher, The Design of Experiments (1935), §21; Phipson & Smyth 2010,
    https://doi.org/10.2202/1544-6115.1585 for the +1. Raises `ValueError` for a difference that is
    not finite.

    >>> two_sided([1, 2, 3, 4, 5, 6]), two_sided([0, 0, 0])
    (0.03125, 1.0)
    """
    return min(1.0, 2 * min(one_sided(d), one_sided(-np.asarray(d, float))))


def one_sided(d: ArrayLike) -> float:
    """p of the sign-flip test against a mean above 0.

    Turning the signs of a subset J lowers Σd by 2·Σ_J d: the patterns that reach Σd are those with
    Σ_J d ≤ 0, the empty subset being one.
    """
    d = _finite(d)
    sums, _, patterns = _subsets(d)
    return float((1 + (sums <= ROUNDING * np.abs(d).sum()).sum()) / patterns)


def interval(d: ArrayLike) -> Range:
    """95 % interval of the mean difference: the θ whose two-sided test of d − θ gives p > .05.

    Its ends are order statistics of the means of all subsets of d: the test refuses θ if and only
    if hardly any subset has a mean on the far side of it. Exact wherever d is symmetric about its
    centre; ±inf where n < 6 pairs cannot tell.
    Source: Hartigan, Using Subsample Values as Typical Values, J. Am. Stat. Assoc. 64 (1969) 1303,
    https://doi.org/10.1080/01621459.1969.10501057

    >>> interval([1, 2, 3, 4, 5, 6]), interval([1, 2, 3])
    ((1.0, 6.0), (-inf, inf))
    """
    d = _finite(d)
    sums, counts, patterns = _subsets(d)
    rank = int((1 - LEVEL) / 2 * patterns + 1e-9)  # 1e-9: 0.025 is not exact in binary
    if rank == 0:
        return -np.inf, np.inf
    with np.errstate(divide="ignore", invalid="ignore"):
        # a random subset may be empty: below everything …
        means = np.where(counts > 0, sums / counts, -np.inf)
    low = np.partition(means, rank - 1)[rank - 1]
    means = np.where(counts > 0, means, np.inf)  # … and above everything
    high = np.partition(means, len(means) - rank)[len(means) - rank]
    return float(low), float(high)


def equivalence(d: ArrayLike, margin: float) -> float:
    """p against "|mean difference| ≥ `margin`": the larger of two one-sided sign-flip tests.

    Source: Schuirmann 1987 (two one-sided tests), https://doi.org/10.1007/BF01068419
    """
    d = _finite(d)
    return max(one_sided(d + margin), one_sided(margin - d))


def effect_size(d: ArrayLike) -> float:
    """Cohen's d_z: mean of paired differences over their SD (n − 1); ±inf if all are equal.

    Source: Cohen, Statistical Power Analysis (1988), §2.3.5; Lakens 2013,
    https://doi.org/10.3389/fpsyg.2013.00863
    """
    d = _finite(d)
    d = d / (np.abs(d).max() or 1.0)  # the squares of 1e200 are no numbers
    mean = d.mean()
    spread = d.std(ddof=1) if len(d) > 1 else np.nan
    if np.isnan(spread) or abs(mean) <= ROUNDING * np.abs(d).sum():
        return 0.0 if len(d) > 1 else float("nan")
    return float(np.copysign(np.inf, mean) if spread <= 1e-9 * abs(mean) else mean / spread)


def won(d: ArrayLike) -> float:
    """In how many of the seeds the difference is above 0, ties half."""
    d = _finite(d)
    tie = np.abs(d) <= ROUNDING * np.abs(d).sum()
    return float((d[~tie] > 0).sum() + tie.sum() / 2)


def holm(p: Sequence[float]) -> list[float]:
    """p-values corrected for their number: P(any false alarm among them) stays at most ALPHA.

    p̃₍ᵢ₎ = max_{j ≤ i} min(1, (m − j + 1)·p₍ⱼ₎), p₍₁₎ ≤ … ≤ p₍ₘ₎. Valid whatever depends on what.
    Source: Holm, Scand. J. Stat. 6 (1979) 65, https://www.jstor.org/stable/4615733

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1, np.asarray(p, float)[order] * np.arange(len(p), 0, -1))
    corrected = np.empty(len(p))
    corrected[order] = np.maximum.accumulate(steps)
    return [float(value) for value in corrected]


def _finite(d: ArrayLike) -> Floats:
    d = np.asarray(d, float)
    if not len(d) or not np.isfinite(d).all():
        raise ValueError("paired differences must be finite, and there must be at least one")
    return d


def _subsets(d: Floats) -> tuple[Floats, NDArray[np.int64], int]:
    """Sums and sizes of subsets of d, and the number of patterns, including the empty subset."""
    n = len(d)
    if n > EXACT:
        rng = np.random.default_rng([SEED, n])
        subsets = []
        for _ in range(9):  # 9 · 11,111 = FLIPS, a ninth of the memory
            chosen = rng.integers(0, 2, (FLIPS // 9, n)).astype(float)
            subsets.append((chosen @ d, chosen.sum(axis=1).astype(np.int64)))
        return (
            np.concatenate([s for s, _ in subsets]),
            np.concatenate([c for _, c in subsets]),
            FLIPS + 1,
        )
    sums, counts = np.zeros(1), np.zeros(1, np.int64)
    for value in d:
        sums, counts = np.concatenate([sums, sums + value]), np.concatenate([counts, counts + 1])
    return sums[1:], counts[1:], len(sums)
