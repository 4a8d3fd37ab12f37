"""Verdicts on the claims of a study, by rules fixed before the runs were made.

One value per seed and side; d = ±(of − against), positive as claimed; the sign-flip test of its
mean, Holm's correction over the study's claims. SUPPORTED needs both the corrected p and an effect
of at least the margin; NOT SUPPORTED needs the whole interval below the margin; everything else is
INCONCLUSIVE.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from dlexp.errors import nearest
from dlexp.report import paired, statistics, words
from dlexp.report.claims import cautions, guards, spec, tuning
from dlexp.report.claims.guards import Guarded
from dlexp.report.claims.messages import NoVerdict, Sentence, hint, say
from dlexp.report.claims.sides import Sides, described, split
from dlexp.report.claims.spec import Claim
from dlexp.report.claims.tuning import Chosen
from dlexp.report.claims.values import Values, beyond, measured
from dlexp.report.measure import seedless
from dlexp.report.runs import RunRecord, SweepRecord
from dlexp.report.statistics import Range
from dlexp.report.table import Table, Tokens
from dlexp.storage.status import Status

SUPPORTED, NOT_SUPPORTED, INCONCLUSIVE = "SUPPORTED", "NOT SUPPORTED", "INCONCLUSIVE"


@dataclass(frozen=True)
class Verdict:
    """A claim and what became of it. What could not be known is None, or empty.

    `values` are the two sides' values by seed; `effect` is the mean of d in the claim's direction,
    `interval` its 95 % interval, `effect_size` Cohen's d_z, `improvement` P(a run of `of` is
    better); `family` counts the claims in Holm's correction. `averaged` are the keys, with their
    values, over which each side's value is a mean, `levels` those of `over`. `diverged` counts the
    runs of either side that counted as `counted_as`. `cautions` are the notes without which a
    verdict must not be shown; a `preview` was made with the study's smaller budget.
    """

    claim: Claim
    study: str
    status: str = INCONCLUSIVE
    because: Sentence = field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    left_out: tuple[int, ...] = ()
    values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    effect: float | None = None
    interval: Range | None = None
    p: float | None = None
    p_holm: float | None = None
    family: int = 0
    effect_size: float | None = None
    improvement: float | None = None
    improvement_interval: Range | None = None
    averaged: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    levels: tuple[str, ...] = ()
    diverged: tuple[int, int] = (0, 0)
    counted_as: float | None = None
    guard: tuple[Guarded, ...] = ()
    chosen: tuple[Chosen, ...] = ()
    notes: tuple[Sentence, ...] = ()
    cautions: tuple[Sentence, ...] = ()
    preview: bool = False

    @property
    def n(self) -> int:
        """Paired seeds."""
        return len(self.seeds)

    @property
    def reason(self) -> str:
        """Why, in English; `because` has it in every language."""
        return self.because["en"]

    @property
    def mean(self) -> dict[str, float]:
        """Each side's mean over seeds."""
        return {side: float(np.mean(values)) for side, values in self.values.items()}

    @property
    def iqm(self) -> dict[str, float]:
        """Each side's interquartile mean over seeds."""
        return {side: float(statistics.iqm(values)) for side, values in self.values.items()}


def decide(sweep: SweepRecord) -> tuple[Verdict, ...]:
    """The verdicts on a study's claims, in their order. Raises `UserError` for an invalid claim."""
    study = sweep.study or {}
    verdicts = [
        _examined(sweep, claim, str(study.get("name") or ""))
        for claim in spec.read(study, sweep.parts, sweep.runs)
    ]
    verdicts = [replace(v, cautions=(*_cautions(sweep, v),), preview=sweep.quick) for v in verdicts]
    tested = [v.p for v in verdicts if v.p is not None]
    corrected = iter(paired.holm(tested))
    return tuple(
        _judged(v, next(corrected), len(tested)) if v.p is not None else v for v in verdicts
    )


def _examined(sweep: SweepRecord, claim: Claim, study: str) -> Verdict:
    """The verdict on one claim without correction; `because` holds what prevents a verdict."""
    v = Verdict(claim, study)
    try:
        sides = split(sweep, claim)
        _known(sweep, sides, claim)
        sides = sides.common()
        if claim.tuned:
            sides, chosen = tuning.tune(sides, claim)
            v = replace(v, chosen=chosen)
        values = measured(sides, claim)
        v = _counted(v, sides, values)
        _worth(v, sides, values)
        v = replace(v, guard=guards.measure_guard(sides, claim, values.seeds))
        return _tested(v, guards.fault(v.guard, claim))
    except NoVerdict as e:
        return replace(v, because=e.sentence)


def _cautions(sweep: SweepRecord, v: Verdict) -> Iterator[Sentence]:
    """The cautions beside the verdict."""
    yield from cautions.of_changes(
        (sweep.study or {}).get("changes"), v.claim.part, quick=sweep.quick
    )
    if v.p is not None:
        of, against = (np.array(v.values[side]) for side in ("of", "against"))
        if cautions.alike(of, against):
            yield say("alike", n=v.n)
        yield from cautions.of_guard(v.guard, v.claim)


def _known(sweep: SweepRecord, sides: Sides, claim: Claim) -> None:
    """Raises `NoVerdict` where the metric was not measured."""
    runs = sides.runs()
    known = {name for run in sweep.runs for name in (*run.final, *run.curves)}
    for name in claim.metric.names:
        if name not in known and not fnmatch.filter(known, name):
            raise NoVerdict("unmeasured", name=name, hint=hint(nearest(name, sorted(known))))
    if runs and all(run.status == Status.DIVERGED for run in runs):
        raise NoVerdict("all_diverged")
    for side, conditions in zip(sides.both, (claim.of, claim.against), strict=True):
        ended = [
            run
            for there in side.values()
            for run in there.values()
            if run.status == Status.FINISHED
        ]
        if ended and all(claim.metric.of(run) is None for run in ended):
            beyond(ended, claim.metric, conditions)
            raise NoVerdict("unmeasured_side", side=described(conditions), metric=claim.metric.text)


def _counted(v: Verdict, sides: Sides, values: Values) -> Verdict:
    """With the values of both sides, and all that limits them."""
    notes = list(sides.notes)
    if values.left_out:
        notes.append(say("left_out", n=len(values.left_out), missing=values.missing))
    if sum(values.diverged) and values.counted_as is not None:
        of, against = values.diverged
        notes.append(say("worst_value", of=of, against=against, value=f"{values.counted_as:g}"))
    v = replace(
        v,
        seeds=values.seeds,
        left_out=values.left_out,
        diverged=values.diverged,
        counted_as=values.counted_as,
        averaged=_axes(sides),
        levels=tuple(words.value(t) for t in _levels(sides)),
        notes=tuple(notes),
    )
    d = v.claim.sign * (values.of - values.against)
    if len(d) and np.isfinite(d).all():
        sided = {"of": tuple(map(float, values.of)), "against": tuple(map(float, values.against))}
        v = replace(v, values=sided, effect=float(d.mean()))
    return v


def _axes(sides: Sides) -> dict[str, tuple[str, ...]]:
    """The keys over which a value is a mean, each with its values."""
    axes: dict[str, dict[str, None]] = {}
    for side in sides.both:
        for place in side:
            for keys, part in ((sides.keys.cell, place.cell), (sides.keys.own, place.own)):
                for key, level in zip(keys, part, strict=True):
                    axes.setdefault(str(key), {})[words.value(level)] = None
    return {key: tuple(levels) for key, levels in axes.items() if len(levels) > 1}


def _levels(sides: Sides) -> list[str | None]:
    """The values of `over`, in order."""
    return sorted({t for place in sides.of for t in place.level}, key=lambda t: tuning.order((t,)))


def _worth(v: Verdict, sides: Sides, values: Values) -> None:
    """Raises `NoVerdict` where the values are no evidence."""
    if not values.seeds:
        for side, conditions in zip(sides.both, (v.claim.of, v.claim.against), strict=True):
            beyond(
                [run for there in side.values() for run in there.values()],
                v.claim.metric,
                conditions,
            )
        raise NoVerdict("no_seed", missing=values.missing)
    if sum(values.diverged) and values.counted_as is None:
        raise NoVerdict(
            "diverged", n=sum(values.diverged), total=values.total, metric=v.claim.metric.text
        )
    if v.effect is None:
        raise NoVerdict("not_finite")
    groups: dict[Tokens, Mapping[int, RunRecord]] = {
        (f"{i} {place!r}",): runs
        for i, side in enumerate(sides.both)
        for place, runs in side.items()
    }
    if seedless(Table((), groups)):
        raise NoVerdict("seedless")
    if v.n < paired.FEWEST:
        p = words.probability(paired.smallest_p(v.n))
        raise NoVerdict("few", n=v.n, fewest=paired.FEWEST, p=p)


def _tested(v: Verdict, fault: Sentence | None) -> Verdict:
    """Adds test, interval and effect size. A claim whose guard fails stays in the family."""
    of, against = (v.claim.sign * np.array(v.values[side]) for side in ("of", "against"))
    d = of - against
    improvement, ends = statistics.probability_of_improvement(of, against)
    return replace(
        v,
        interval=paired.interval(d),
        effect_size=paired.effect_size(d),
        improvement=improvement,
        improvement_interval=ends,
        because=fault or {},
        p=(
            paired.one_sided(d + v.claim.margin)
            if v.claim.direction == "as_good"
            else paired.two_sided(d)
        ),
    )


def _judged(v: Verdict, p: float, family: int) -> Verdict:
    """The verdict, given the corrected p."""
    v = replace(v, p_holm=p, family=family)
    least = (0.5 if v.claim.direction == "as_good" else 1.0) * paired.smallest_p(v.n)
    if least * family > paired.ALPHA:
        need = next(
            n for n in range(v.n, 10_000) if least * 2.0 ** (v.n - n) * family <= paired.ALPHA
        )
        least_holm = words.probability(min(1.0, least * family))
        v = replace(
            v, notes=(*v.notes, say("power", n=v.n, family=family, p=least_holm, need=need))
        )
    if v.because:  # the guard
        return v
    status, code = _status(v, p)
    effect, margin = words.number(v.effect, v.claim.metric.text), f"{v.claim.margin:g}"
    interval = words.span(v.interval, v.claim.metric.text)
    because = say(code, effect=effect, margin=margin, interval=interval, p=words.probability(p))
    return replace(v, status=status, because=because)


def _status(v: Verdict, p: float) -> tuple[str, str]:
    """(status, why)."""
    assert v.effect is not None
    assert v.interval is not None
    margin, sure, (low, high) = v.claim.margin, p <= paired.ALPHA, v.interval
    if v.claim.direction == "as_good":
        if sure and v.effect > -margin:
            return SUPPORTED, "as_good"
        return (NOT_SUPPORTED, "worse") if high < -margin else (INCONCLUSIVE, "open_as_good")
    if sure and v.effect >= margin * (1 - paired.ROUNDING):  # 0.3 − 0.1 is a little less than 0.2
        return SUPPORTED, "supported"
    if high < margin:
        return NOT_SUPPORTED, "opposite" if high < 0 else "small" if low > 0 else "none"
    return INCONCLUSIVE, "open_size" if sure else "open"


__all__ = ["INCONCLUSIVE", "NOT_SUPPORTED", "SUPPORTED", "Verdict", "decide"]
