"""Each side at its best setting: chosen by validation on the first seeds, judged on the others."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from dlexp.core.seeds import TUNING
from dlexp.errors import UserError
from dlexp.report import statistics, words
from dlexp.report.claims.messages import NoVerdict, Sentence, say
from dlexp.report.claims.sides import Place, Sides, described
from dlexp.report.claims.spec import Claim
from dlexp.report.measure import Measure, measure_of
from dlexp.report.runs import RunRecord
from dlexp.report.table import Tokens
from dlexp.report.tuned import LOSS

Grid = Mapping[Place, Mapping[int, RunRecord]]


@dataclass(frozen=True)
class Chosen:
    """The chosen setting of a side; `scores`: validation score by setting tried."""

    side: str
    setting: Mapping[str, str]
    by: str
    seeds: tuple[int, ...]
    scores: Mapping[str, float]


def tune(sides: Sides, claim: Claim) -> tuple[Sides, tuple[Chosen, ...]]:
    """Both sides at their chosen settings, without the tuning seeds. Raises `NoVerdict`."""
    keys = claim.tuned
    by = _watched(sides, claim)
    seeds = sides.seeds()[:TUNING]
    if len(sides.seeds()) <= TUNING:
        raise NoVerdict("few_tuning", need=TUNING, keys=keys, n=len(sides.seeds()))
    choices, settings, notes = [], [], list(sides.notes)
    both = (("of", sides.of, claim.of), ("against", sides.against, claim.against))
    for name, side, conditions in both:
        scores = _scores(side, by, seeds)
        if not scores:
            raise NoVerdict(
                "tuning_missing", keys=keys, seeds=words.ranges(seeds), side=described(conditions)
            )
        best = min(scores, key=lambda setting: scores[setting])
        settings.append(best)
        shown = dict(zip(claim.tuned, map(words.value, best), strict=True))
        score_by_setting = {
            " ".join(map(words.value, s)): -by.sign * score[0] for s, score in scores.items()
        }
        choices.append(Chosen(name, shown, by.metric, tuple(seeds), score_by_setting))
        partly = {p.setting for p, runs in side.items() if {*runs} & {*seeds}} - {*scores}
        if partly:
            notes.append(say("untried", side=described(conditions), n=len(partly), keys=keys))
        notes += _edges(claim, described(conditions), list(scores), best)
    if len(choices[0].scores) != len(choices[1].scores):
        notes.append(say("budget", of=len(choices[0].scores), against=len(choices[1].scores)))
    at = sides.at(settings[0], settings[1], seeds)
    return Sides(at.of, at.against, at.keys, tuple(notes)), tuple(choices)


def _watched(sides: Sides, claim: Claim) -> Measure:
    """The validation metric of the claim's kind, if its direction is declared; else the loss."""
    runs = [*sides.runs()]
    known = {name for run in runs for name in run.final}
    kinds = [name.rpartition("/")[2] for name in claim.metric.names]
    for name in (*(f"val/{kind}" for kind in kinds), LOSS, "val/accuracy"):
        if name in known:
            with suppress(UserError):
                return measure_of(name, runs)
    raise NoVerdict("no_validation", keys=claim.tuned)


def _scores(side: Grid, by: Measure, seeds: Sequence[int]) -> dict[Tokens, tuple[float, float]]:
    """For each setting with all results: the score to minimise, and the loss that breaks ties."""
    scores = {}
    whole = {place._replace(setting=()) for place in side}
    for setting in sorted({place.setting for place in side}, key=order):
        there = {
            place._replace(setting=()): runs
            for place, runs in side.items()
            if place.setting == setting
        }
        values = [
            [_value(there.get(place, {}).get(seed), by) for seed in seeds]
            for place in sorted(whole, key=repr)
        ]
        loss = measure_of(LOSS, [run for runs in side.values() for run in runs.values()])
        if not any(value is None for row in values for value in row):
            score = statistics.iqm(np.array(values, float).mean(axis=0))
            others = [[_value(runs[seed], loss) for seed in seeds] for runs in there.values()]
            worst = [[loss.worst if x is None else x for x in row] for row in others]
            tie = statistics.iqm(np.array(worst).mean(axis=0))
            scores[setting] = (-by.sign * round(float(score), 12), -loss.sign * float(tie))
    return scores


def _value(run: RunRecord | None, by: Measure) -> float | None:
    return None if run is None else by.of(run)


def order(setting: Tokens) -> tuple[tuple[float, str], ...]:
    """The order of settings: numbers ascending."""
    keys = []
    for level in setting:
        value = json.loads(level or "null")
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        keys.append((float(value) if number else 0.0, level or ""))
    return tuple(keys)


def _edges(claim: Claim, side: str, settings: Sequence[Tokens], best: Tokens) -> list[Sentence]:
    """Where the best number is the first or the last of several that were tried."""
    notes = []
    for i, key in enumerate(claim.tuned):
        tried = sorted(
            {s[i] for s in settings if s[i] is not None}, key=lambda level: order((level,))
        )
        if len(tried) > 1 and best[i] in (tried[0], tried[-1]) and not str(best[i]).startswith('"'):
            which = say("smallest" if best[i] == tried[0] else "largest")
            notes.append(say("edge", side=side, key=key, value=words.value(best[i]), which=which))
    return notes
