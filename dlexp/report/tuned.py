"""Each method at its best: tuned on validation with some seeds, tested on other seeds.

Comparing methods at one setting of their hyper-parameters compares the settings; choosing the best
setting by the reported number favours the method with the most trials. So each setting gets one
score from the tuning seeds' validation metric, and the best setting is tested with other seeds.
Source: Bouthillier et al., Accounting for Variance in Machine Learning Benchmarks, MLSys 2021,
https://arxiv.org/abs/2103.03098
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dlexp import shell
from dlexp.core.seeds import REPORTING, TUNING
from dlexp.errors import UserError
from dlexp.report import measure as measures, statistics, words
from dlexp.report.compare import Comparison, compare
from dlexp.report.measure import Measure
from dlexp.report.runs import RunRecord, SweepRecord
from dlexp.report.table import Axis, Table, Tokens, token

LOSS = "val/loss"  # decides between equals


@dataclass(frozen=True)
class Choice:
    """What a method was tuned to. `scores`: validation score by setting tried."""

    method: Tokens
    label: str
    scores: Mapping[Tokens, float]
    chosen: Tokens
    shown: str
    default: Tokens | None
    edges: tuple[str, ...]


@dataclass(frozen=True)
class Tuned:
    """The comparison at tuned settings, and at default settings where those were swept."""

    tuning: list[int]
    reporting: list[int]
    by: Measure
    hyper: tuple[Axis, ...]
    choices: tuple[Choice, ...]
    tuned: Comparison
    default: Comparison | None
    grid: Table
    warnings: tuple[str, ...]


def tune(
    table: Table,
    measure: Measure,
    sweeps: Sequence[SweepRecord],
    *,
    target: float | None = None,
    margin: float | None = None,
) -> Tuned:
    """Tune each method, then compare. Raises `UserError` if seeds or swept values are missing."""
    hyper = [i for i, axis in enumerate(table.axes) if axis.tunable]
    if not hyper:
        raise UserError(
            "no numeric hyper-parameter was swept, so there is nothing to tune; sweep one, as in "
            + shell.command(
                "-m", "optimizer=sgd,adam", "optimizer.lr=0.1,0.01,0.001", "seed=range(15)"
            ),
            key="--tuned",
        )
    by = measures.watched(table, measure)
    if not by.metric.startswith("val/"):
        raise UserError(
            f"there is no validation metric to choose by for {measure.metric}", key="--tuned"
        )
    tuning = table.seeds[:TUNING]
    methods = _grids(table, hyper, tuning)
    choices = tuple(
        _choose(table, hyper, m, groups, tuning, by, sweeps) for m, groups in methods.items()
    )
    reporting = _reporting(table, hyper, choices, tuning, sweeps)

    def at(settings: Mapping[Tokens, Tokens]) -> Comparison:
        groups = {
            method: {
                s: run
                for s, run in table.groups[_join(method, setting, hyper)].items()
                if s in reporting
            }
            for method, setting in settings.items()
        }
        kept = tuple(axis for i, axis in enumerate(table.axes) if i not in hyper)
        return compare(Table(kept, groups), measure, target=target, margin=margin)

    ready = {
        c.method: c.default
        for c in choices
        if c.default and _covers(table, hyper, c, c.default, reporting)
    }
    grid = {g: {s: r for s, r in runs.items() if s in tuning} for g, runs in table.groups.items()}
    return Tuned(
        tuning,
        reporting,
        by,
        tuple(table.axes[i] for i in hyper),
        choices,
        at({c.method: c.chosen for c in choices}),
        at(ready) if ready else None,
        replace(table, groups={g: runs for g, runs in grid.items() if runs}),
        tuple(_warnings(choices, ready)),
    )


def _split(group: Tokens, hyper: Sequence[int]) -> tuple[Tokens, Tokens]:
    """(method, setting) of a group."""
    return tuple(t for i, t in enumerate(group) if i not in hyper), tuple(group[i] for i in hyper)


def _join(method: Tokens, setting: Tokens, hyper: Sequence[int]) -> Tokens:
    """The inverse of `_split`."""
    ours, theirs = iter(setting), iter(method)
    return tuple(
        next(ours) if i in hyper else next(theirs) for i in range(len(method) + len(setting))
    )


def _grids(table: Table, hyper: Sequence[int], tuning: Sequence[int]) -> dict[Tokens, list[Tokens]]:
    """The settings of each method with all tuning seeds. Raises `UserError` if one lacks a seed."""
    methods: dict[Tokens, list[Tokens]] = {}
    lacking = []
    for group, runs in table.groups.items():
        have = [seed for seed in tuning if seed in runs and runs[seed].observed]
        if len(have) == TUNING:
            methods.setdefault(_split(group, hyper)[0], []).append(group)
        elif have or any(seed in runs for seed in tuning):
            lacking.append(
                f"{table.label(group)} (seeds {words.ranges(sorted({*tuning} - {*have}))})"
            )
    if len(tuning) < TUNING:
        raise UserError(
            f"needs {TUNING} seeds to choose with and {REPORTING} others to report; there are"
            f" {len(tuning)}: add seeds with 'seed=range({TUNING + REPORTING})' to the same"
            " command",
            key="--tuned",
        )
    if lacking:
        raise UserError(
            f"every setting needs a result for each of the tuning seeds {words.ranges(tuning)};"
            f" missing: {words.listed(lacking, 6)}: repeat the command, with --retry-failed if they"
            " failed",
            key="--tuned",
        )
    return methods


def _choose(
    table: Table,
    hyper: Sequence[int],
    method: Tokens,
    groups: Sequence[Tokens],
    tuning: Sequence[int],
    by: Measure,
    sweeps: Sequence[SweepRecord],
) -> Choice:
    """The setting with the best IQM over the tuning seeds; ties: the better validation loss."""
    loss = measures.measure_of(LOSS, [run for _, _, run in table.runs()])

    def score(group: Tokens, measure: Measure) -> float:
        values = [measure.of(table.groups[group][seed]) for seed in tuning]
        return float(statistics.iqm([measure.worst if x is None else x for x in values]))

    ranked = sorted(
        groups, key=lambda g: (-by.sign * round(score(g, by), 12), -loss.sign * score(g, loss))
    )
    settings = [_split(group, hyper)[1] for group in groups]
    chosen = _split(ranked[0], hyper)[1]
    label = " · ".join(
        axis.name(t)
        for axis, t in zip(
            (a for i, a in enumerate(table.axes) if i not in hyper), method, strict=True
        )
    )
    axes = [table.axes[i] for i in hyper]
    return Choice(
        method,
        label or "all runs",
        {s: score(g, by) for s, g in zip(settings, groups, strict=True)},
        chosen,
        " · ".join(axis.name(t) for axis, t in zip(axes, chosen, strict=True) if t is not None),
        _default(table, hyper, method, sweeps),
        tuple(_edges(axes, settings, chosen)),
    )


def _edges(axes: Sequence[Axis], settings: Sequence[Tokens], chosen: Tokens) -> list[str]:
    """Where the best value is the first or the last of those tried."""
    notes = []
    for i, axis in enumerate(axes):
        tried = sorted({s[i] for s in settings if s[i] is not None}, key=axis.number)
        if len(tried) > 1 and chosen[i] in (tried[0], tried[-1]):
            which, more = (
                ("smallest", "smaller") if chosen[i] == tried[0] else ("largest", "larger")
            )
            notes.append(
                f"{axis.name(chosen[i])} is the {which} value tried; a {more} one may be better"
            )
        elif len(tried) == 1:
            notes.append(f"{axis.name(tried[0])} is the only value tried")
    return notes


def _default(
    table: Table, hyper: Sequence[int], method: Tokens, sweeps: Sequence[SweepRecord]
) -> Tokens | None:
    """A method's default setting, as its runs recorded it or as a run without overrides has it."""
    keys = [axis.key for i, axis in enumerate(table.axes) if i not in hyper]
    runs = [
        (run, [*sweep.fixed, *run.overrides])
        for sweep in sweeps
        for run in sweep.runs
        if run.params and tuple(token(run, key) for key in keys) == method
    ]
    setting: list[str | None] = []
    for key in (table.axes[i].key for i in hyper):
        recorded = [words.token(run.defaults[key]) for run, _ in runs if key in run.defaults]
        untouched = [
            token(run, key)
            for run, recorded in runs
            if key in run.params and not _may_be_set(run, recorded, key)
        ]
        absent = all(key not in run.params for run, _ in runs)
        if not (recorded or untouched or absent):
            return None
        setting.append(None if absent else (recorded or untouched)[0])
    return tuple(setting)


def _may_be_set(run: RunRecord, overrides: Sequence[str], key: str) -> bool:
    """Whether an override may have set a value: its key, a named study, or a plugin's variant."""
    given = dict(o.lstrip("+").partition("=")[::2] for o in overrides)
    kind = key.split(".")[0]
    variant = kind in given and given[kind] != run.params.get(kind)
    return not overrides or key in given or "experiment" in given or variant


def _covers(
    table: Table, hyper: Sequence[int], choice: Choice, setting: Tokens, seeds: Sequence[int]
) -> bool:
    return {*seeds} <= {*table.groups.get(_join(choice.method, setting, hyper), {})}


def _reporting(
    table: Table,
    hyper: Sequence[int],
    choices: Sequence[Choice],
    tuning: Sequence[int],
    sweeps: Sequence[SweepRecord],
) -> list[int]:
    """The seeds, without tuning seeds, at which every method has a result at its chosen setting."""
    with_result = []
    for c in choices:
        runs = table.groups[_join(c.method, c.chosen, hyper)]
        with_result.append(
            {seed for seed, run in runs.items() if run.observed and seed not in tuning}
        )
    common = sorted(set.intersection(*with_result))
    if len(common) >= REPORTING:
        return common
    after = max(tuning) + 1
    wanted = [f"seed=range({after},{after + REPORTING})"]
    whole = max(sweeps, key=lambda s: len(s.runs))
    axes = [f"{k}={','.join(v)}" for k, v in whole.axes.items() if k != "seed"]
    command = shell.command("-m", *whole.fixed, *axes, *wanted)
    chosen = words.listed([f"{c.label} {c.shown}".strip() for c in choices], 6)
    raise UserError(
        f"chosen with seeds {words.ranges(tuning)}: {chosen}; to report them, results with"
        f" {REPORTING} other seeds are needed, and there are {len(common)} for all of them. Run"
        f" {command} (the chosen values alone are enough)",
        key="--tuned",
    )


def _warnings(choices: Sequence[Choice], ready: Mapping[Tokens, object]) -> list[str]:
    notes = [f"{c.label}: {edge}." for c in choices for edge in c.edges]
    tried = {len(c.scores) for c in choices}
    if len(tried) > 1:
        counts = words.listed([f"{c.label} {len(c.scores)}" for c in choices])
        notes.append(
            f"Unequal tuning budgets, settings tried: {counts}. More trials are an advantage."
        )
    without = [c.label for c in choices if c.method not in ready]
    if without:
        notes.append(
            f"No default setting is shown for {words.listed(without)}: it was not swept, or is not"
            " known."
        )
    if any(not math.isfinite(score) for c in choices for score in c.scores.values()):
        notes.append("Settings whose middle tuning runs diverged get the worst score.")
    return notes
