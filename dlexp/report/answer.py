"""The answer in a paragraph, derived from the statistics alone. INCONCLUSIVE is a normal answer."""

from __future__ import annotations

import math
from collections.abc import Iterator

from dlexp.report import paired, words
from dlexp.report.compare import BETTER, EQUIVALENT, INCONCLUSIVE, Comparison, Pair
from dlexp.report.tuned import Tuned

FEW = 4  # comparisons that are listed one by one


def answer(c: Comparison) -> list[str]:
    """What was compared and how, then one or two sentences per axis with what is decided."""
    reason = _nothing(c)
    if reason:
        return [reason]
    low, high = c.n
    n = f"{low}" if low == high else f"{low} to {high}"
    way = "more is better" if c.measure.high else "less is better"
    tests = f"sign-flip tests with Holm's correction for {words.many(len(c.pairs), 'comparison')}"
    opening = f"On {c.measure.metric} ({way}), paired by seed (n = {n}), p from {tests}."
    by_axis = {axis.key: [p for p in c.pairs if p.axis == axis.key] for axis in c.table.axes}
    return [opening, *(" ".join(_axis(c, key, pairs)) for key, pairs in by_axis.items() if pairs)]


def _nothing(c: Comparison) -> str:
    """Why there is nothing to compare; empty if there is."""
    if not any(s.n for s in c.summaries):
        return "No run has a result yet, so there is nothing to say."
    if not c.table.axes:
        only = c.summaries[0]
        return (
            f"One setting, {words.many(only.n, 'seed')}: {c.measure.metric} {_number(only.iqm, c)}"
            f" {words.span(only.iqm_range, c.measure.metric)} (interquartile mean). Nothing varies"
            " but the seed, so there is nothing to compare."
        )
    if c.seedless:
        best = min(c.summaries, key=lambda s: -c.measure.sign * s.iqm if s.n else math.inf)
        return (
            f"The best {c.measure.metric} is {_number(best.iqm, c)}, by {best.label}. The seed"
            " changes nothing in this task, so this is one exact number per group and there is"
            " nothing to test."
        )
    if all(s.diverged == s.n for s in c.summaries):
        return "Every run that has a result diverged, so nothing can be compared."
    if not c.pairs:
        return (
            "No two groups with results differ in only one setting, so no difference has a single"
            " cause."
        )
    return ""


def _axis(c: Comparison, key: str, pairs: list[Pair]) -> Iterator[str]:
    """What is known about one axis."""
    decided = [p for p in pairs if p.verdict == BETTER]
    open_ = [p for p in pairs if p.verdict == INCONCLUSIVE]
    equal = [p for p in pairs if p.verdict == EQUIVALENT]
    untold = len(pairs) - len(decided) - len(open_) - len(equal)
    others = [a.key for a in c.table.axes if a.key != key]
    over = f" (averaged over {words.listed(others)})" if others else ""
    opening = f"{key}{over}:"
    if untold == len(pairs):
        most = max(p.n for p in pairs)
        yield (
            f"{opening} no verdict: {words.many(most, 'seed')};"
            f" {_needed(len(c.pairs))} at least {paired.seeds_needed(len(c.pairs))}."
        )
        return
    sentences = []
    if decided:
        sentences.append(_decided(decided, c))
    if equal:
        sentences.append(
            f"equivalent within ±{_number(c.margin or 0, c)}:"
            f" {words.listed([_versus(p) for p in equal], FEW)}"
        )
    if open_:
        undecided = [
            f"{_versus(p)} ({_gain(p, c)})" if len(open_) <= FEW else _versus(p) for p in open_
        ]
        sentences.append(f"INCONCLUSIVE: {words.listed(undecided, 2 * FEW)}")
    if untold:
        sentences.append(f"no verdict, too few seeds: {words.many(untold, 'comparison')}")
    yield f"{opening} {'; '.join(sentences)}."
    mixed = [p for p in decided if p.agree < p.cells]
    if mixed:
        shown = [f"{_versus(p)} in {p.cells - p.agree} of {p.cells}" for p in mixed]
        yield (
            "This is an average: there is no gain, or a loss, for"
            f" {words.listed(shown, FEW)} combinations of the other axes."
        )


def _needed(pairs: int) -> str:
    return "this comparison needs" if pairs == 1 else f"these {pairs} comparisons need"


def _decided(decided: list[Pair], c: Comparison) -> str:
    """One by one; for many, each winner with all levels that it beats."""
    if len(decided) <= FEW:
        return "; ".join(f"{p.better} is better than {p.worse} by {_gain(p, c)}" for p in decided)
    beaten: dict[str, list[str]] = {}
    for p in decided:
        beaten.setdefault(p.better, []).append(p.worse)
    order = sorted(beaten, key=lambda name: -len(beaten[name]))
    parts = [f"{winner} is better than {words.listed(beaten[winner])}" for winner in order]
    worst = words.probability(max(p.p_holm or 0.0 for p in decided))
    return f"{'; '.join(parts)} (each p ≤ {worst}; sizes in the table)"


def _versus(p: Pair) -> str:
    return f"{p.better} against {p.worse}"


def _gain(p: Pair, c: Comparison) -> str:
    ends = p.gain_range if math.isfinite(sum(p.gain_range)) else None
    return (
        f"{_number(p.gain, c)} {words.span(ends, c.measure.metric)}, p ="
        f" {words.probability(p.p_holm)}"
    )


def _number(x: float, c: Comparison) -> str:
    return words.number(x, c.measure.metric)


def tuned_answer(t: Tuned) -> list[str]:
    """The same for tuned settings, after what they are."""
    settings = words.listed([f"{c.label} ({c.shown or '–'})" for c in t.choices])
    how = (
        f"Tuned on {t.by.metric} with {len(t.tuning)} seeds and reported on {len(t.reporting)}"
        f" others: {settings}."
    )
    return [how, *answer(t.tuned)]
