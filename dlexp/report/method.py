"""How it was computed: the definitions a reader needs to check the numbers, with their sources."""

from __future__ import annotations

from collections.abc import Sequence

from dlexp.report import paired, statistics
from dlexp.report.compare import Comparison
from dlexp.report.plots.curves import BAND

AGARWAL = "https://arxiv.org/abs/2108.13264"
Term = tuple[str, str, str]  # term, meaning, source

GROUP: Term = (
    "Group",
    "The runs that differ only in their seed. The seed draws the data split, the initial weights,"
    " the order of the batches and the noise, the same for every group.",
    "",
)
IQM: Term = (
    "Interquartile mean (IQM)",
    "The mean of the values without the ⌊n/4⌋ smallest and largest: 6 of 10 seeds.",
    AGARWAL,
)
INTERVAL: Term = (
    "Interval of IQM, median, P(improvement)",
    f"95 % percentile bootstrap over seeds, {statistics.RESAMPLES:,} resamples ({BAND:,} in the"
    " bands of curves) from a generator with a fixed seed. Below 10 seeds it tends to be too"
    " narrow.",
    "https://doi.org/10.1201/9780429246593",
)
DIVERGED: Term = (
    "Diverged",
    "Diverged runs of those with a result; 95 % Wilson interval.",
    "https://doi.org/10.1080/01621459.1927.10502953",
)
PLANNED: Term = (
    "Planned pairs",
    "Fixed before any result is seen: every two values of a choice, neighbouring values of a"
    " number. Both sides are averaged, within each seed, over the combinations of the other axes"
    " that both have: one difference d per seed.",
    "",
)
P: Term = (
    "p",
    "Two-sided sign-flip test of the mean of d: if both sides are equal, each d is as likely to"
    " have the other sign; p is the share of the 2ⁿ sign patterns (above"
    f" {paired.EXACT} seeds, of {paired.FLIPS:,} random ones) whose mean is at least as far from"
    f" 0. The smallest possible p is 2/2ⁿ, so there is no verdict below {paired.FEWEST} seeds.",
    "https://en.wikipedia.org/wiki/Permutation_test",
)
AS_GOOD = " For a claim “as good”: one-sided; the null hypothesis is a loss of the margin."
DIFFERENCE: Term = (
    "Interval of a difference",
    "All shifts that the same test does not reject at 5 %: quantiles of the means of all subsets"
    " of d. Each interval is for its comparison alone, not corrected for their number.",
    "https://doi.org/10.1080/01621459.1969.10501057",
)
HOLM: Term = (
    "p Holm, verdict",
    "Holm's correction over all planned pairs of this report. A comparison is decided if p Holm ≤"
    " .05, else INCONCLUSIVE, which does not mean equal.",
    "https://www.jstor.org/stable/4615733",
)
HOLM_OF_CLAIMS = (
    "Holm's correction over the claims of the study that could be tested. SUPPORTED: p Holm ≤ .05"
    " and an effect of at least the margin (as good: of more than −margin). NOT SUPPORTED: the"
    " whole interval lies below the margin (as good: below −margin). INCONCLUSIVE: all other"
    " cases; it does not mean equal."
)
D_Z: Term = (
    "d_z",
    "Mean of d over its standard deviation.",
    "https://doi.org/10.3389/fpsyg.2013.00863",
)
IMPROVEMENT: Term = (
    "P(improvement)",
    "Probability that a run of the first beats a run of the second, whatever their seeds; ties"
    " count half. If every seed of one beats every seed of the other, the bootstrap gives [1, 1];"
    " this is a limit of the method, not certainty.",
    AGARWAL,
)
HOLDS_IN: Term = (
    "Holds in",
    "Combinations of the other axes in which the mean difference has the same sign.",
    "",
)
RANKS: Term = (
    "Ranks",
    "From 1 + the number of levels decided to be better, to k − the number decided to be worse.",
    "",
)
EFFECT: Term = (
    "Effect of a claim",
    "For each seed the difference d between the two sides, positive in the direction of the claim;"
    " a side's value is its mean over the settings that both sides have. The effect is the mean of"
    " d over seeds. A diverged run counts as the claim's value for it, by default as accuracy 0;"
    " without such a value there is no verdict.",
    "",
)


def definitions(c: Comparison) -> list[Term]:
    """Term, meaning, source."""
    metric, worst = (
        c.measure.metric,
        "0, the worst accuracy" if c.measure.worst == 0 else "infinite",
    )
    terms = [
        GROUP,
        (
            f"Value of a run: {metric}",
            "The last measurement; with early stopping, that of the weights kept. A run that"
            f" diverged counts as {worst}. A run that failed, was killed or is lost has no result:"
            " it is listed and counted, never replaced.",
            "",
        ),
        IQM,
        INTERVAL,
        DIVERGED,
        PLANNED,
        P,
        DIFFERENCE,
        HOLM,
        D_Z,
        ("Seeds won", "Seeds in which the first is better; ties count half.", ""),
        IMPROVEMENT,
        HOLDS_IN,
        RANKS,
    ]
    if c.margin is not None:
        meaning = (
            "Two one-sided sign-flip tests, against −margin and +margin; the larger p, with Holm"
            " over the planned pairs."
        )
        source = "https://doi.org/10.1007/BF01068419"
        terms.append((f"Equivalent within ±{c.margin:g}", meaning, source))
    if c.target is not None:
        meaning = (
            f"The first {'epoch' if c.epochs else 'step'} at which {c.watched.metric} was at least"
            " as good as --target; a run that never reached it, or diverged later, counts as"
            " infinite. Median and its bootstrap interval."
        )
        terms.append((f"Time to target {c.target:g}", meaning, ""))
    return terms


def definitions_of_claims(parts: Sequence[Comparison]) -> list[Term]:
    """The same for a study, whose tables show groups and whose tests are those of its claims."""
    terms = {
        term: (term, meaning, source) for c in parts for term, meaning, source in definitions(c)
    }
    values = [terms[term] for term in terms if term.startswith("Value of a run")]
    p = (P[0], P[1] + AS_GOOD, P[2])
    holm = (HOLM[0], HOLM_OF_CLAIMS, HOLM[2])
    shown = [IQM, INTERVAL, DIVERGED, EFFECT, p, DIFFERENCE, holm, D_Z, IMPROVEMENT]
    return [GROUP, *values, *shown]
