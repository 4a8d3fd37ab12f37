"""How it was computed: the definitions a reader needs to check the numbers, with their sources."""

from __future__ import annotations

from collections.abc import Sequence

from dlexp.report import paired, statistics
from dlexp.report.compare import Comparison
from dlexp.report.plots.curves import BAND

AGARWAL = "https://arxiv.org/abs/2108.13264"


def definitions(c: Comparison) -> list[tuple[str, str, str]]:
    """Term, meaning, source."""
    worst = {True: "0, the worst accuracy there is", False: "infinite"}[c.measure.worst == 0]
    terms = [
        (
            "Group",
            (
                "The runs that differ in nothing but their seed. The seed draws the data split, the"
                " initial weights, the order of the batches and the noise, the same for every"
                " group."
            ),
            "",
        ),
        (
            f"Value of a run: {c.measure.metric}",
            (
                "The last measurement, with early stopping that of the weights that were kept. A"
                f" run that diverged counts as {worst}. A run that failed, was killed or is gone is"
                " missing: it is listed and counted, never replaced."
            ),
            "",
        ),
        (
            "Interquartile mean (IQM)",
            (
                "The mean of the values that are left when ⌊n/4⌋ are cut off at each end: 6 of 10"
                " seeds."
            ),
            AGARWAL,
        ),
        (
            "Interval of IQM, median, P(improvement)",
            (
                f"95 % percentile bootstrap over seeds, {statistics.RESAMPLES:,} resamples"
                f" ({BAND:,} in the bands of curves) from a generator with a fixed seed. Below 10"
                " seeds it tends to be too narrow."
            ),
            "https://doi.org/10.1201/9780429246593",
        ),
        (
            "Diverged",
            "Diverged runs of those with a result; 95 % Wilson interval.",
            "https://doi.org/10.1080/01621459.1927.10502953",
        ),
        (
            "Planned pairs",
            (
                "Fixed before any result is seen: every two values of a choice, neighbouring values"
                " of a number. Both sides are averaged over the combinations of the other axes that"
                " both have, within each seed: one difference d per seed."
            ),
            "",
        ),
        (
            "p",
            (
                "Two-sided sign-flip test of the mean of d: if the two are equal, each d could as"
                " well have had the other sign; p is the share of the 2ⁿ sign patterns (above"
                f" {paired.EXACT} seeds, of {paired.FLIPS:,} random ones) whose mean is at least as"
                " far from 0. The smallest possible p is 2/2ⁿ, so there is no verdict below"
                f" {paired.FEWEST} seeds."
            ),
            "https://en.wikipedia.org/wiki/Permutation_test",
        ),
        (
            "Interval of a difference",
            (
                "All shifts that the same test does not refuse at 5 %: quantiles of the means of"
                " all subsets of d. Each interval is for its comparison alone, not corrected for"
                " their number."
            ),
            "https://doi.org/10.1080/01621459.1969.10501057",
        ),
        (
            "p Holm, verdict",
            (
                "Holm's correction over all planned pairs of this report. A comparison is decided"
                " if p Holm ≤ .05, else INCONCLUSIVE, which does not mean equal."
            ),
            "https://www.jstor.org/stable/4615733",
        ),
        (
            "d_z",
            "Mean of d over its standard deviation.",
            "https://doi.org/10.3389/fpsyg.2013.00863",
        ),
        ("Seeds won", "Seeds in which the first is better, ties half.", ""),
        (
            "P(improvement)",
            (
                "Chance that a run of the first beats a run of the second on whatever seeds, ties"
                " half. Where every seed of one beats every seed of the other the bootstrap says"
                " [1, 1]; that is the limit of what it can see, not certainty."
            ),
            AGARWAL,
        ),
        (
            "Holds in",
            "Combinations of the other axes in which the mean difference has the same sign.",
            "",
        ),
        (
            "Ranks",
            (
                "From 1 + the number of levels decided to be better, to k − the number decided to"
                " be worse."
            ),
            "",
        ),
    ]
    if c.margin is not None:
        terms.append(
            (
                f"Equivalent within ±{c.margin:g}",
                (
                    "Two one-sided sign-flip tests, against −margin and +margin, the larger p, Holm"
                    " over the planned pairs."
                ),
                "https://doi.org/10.1007/BF01068419",
            )
        )
    if c.target is not None:
        terms.append(
            (
                f"Time to target {c.target:g}",
                (
                    f"The first {'epoch' if c.epochs else 'step'} with {c.watched.metric} at least"
                    " that good, given with --target; a run that never got there, or diverged"
                    " later, counts as infinite. Median and its bootstrap interval."
                ),
                "",
            )
        )
    return terms


def definitions_of_claims(parts: Sequence[Comparison]) -> list[tuple[str, str, str]]:
    """The same for a study: its tables show groups, and what is tested are its claims."""
    usual = {term: (term, text, source) for c in parts for term, text, source in definitions(c)}
    terms = [
        usual["Group"],
        *(fact for term, fact in usual.items() if term.startswith("Value of a run")),
    ]
    terms += [
        usual[term]
        for term in (
            "Interquartile mean (IQM)",
            "Interval of IQM, median, P(improvement)",
            "Diverged",
        )
    ]
    effect = (
        "For each seed the difference d of the two sides, positive in the direction of the claim; a"
        " side's value is its mean over the settings that both sides have. The effect is the mean"
        " of d over seeds. A diverged run counts as the claim says, else as accuracy 0; without a"
        " value that is certain there is no verdict."
    )
    holm = (
        "Holm's correction over the claims of the study that could be tested. SUPPORTED: p Holm ≤"
        " .05 and an effect of at least the margin (as good: of more than −margin). NOT SUPPORTED:"
        " the whole interval lies below the margin (as good: below −margin). INCONCLUSIVE is"
        " everything else, which does not mean equal."
    )
    one = " Of a claim to be as good: one-sided, against a loss of the margin."
    p, interval, d_z = usual["p"], usual["Interval of a difference"], usual["d_z"]
    return [
        *terms,
        ("Effect of a claim", effect, ""),
        (p[0], p[1] + one, p[2]),
        interval,
        ("p Holm, verdict", holm, usual["p Holm, verdict"][2]),
        d_z,
        usual["P(improvement)"],
    ]
