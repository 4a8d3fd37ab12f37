"""Runs as a table: what varies between them, and which runs belong together.

A group is the runs that differ only in their seed. Groups differ in axes: the keys that were swept,
and other keys that vary independently. A key whose value follows from another's (Adam has another
learning rate than SGD) is no axis.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product

from dlexp.report import words
from dlexp.report.runs import RunRecord, SweepRecord

# they define the task and are not tuned
CONDITIONS = ("data", "objective", "model", "epochs", "steps", "eval_every", "dtype")

Tokens = tuple[str | None, ...]  # one value per axis, as JSON; None: the method has no such field


@dataclass(frozen=True)
class Axis:
    """A key that varies. `levels` in order: numbers ascending, others as they were typed.

    `follows` are the keys that go with it: level → key → value.
    """

    key: str
    levels: tuple[str | None, ...]
    numeric: bool
    follows: Mapping[str | None, Mapping[str, str | None]] = field(default_factory=dict)

    @property
    def tunable(self) -> bool:
        """Whether this is a numeric hyper-parameter of a method, perhaps not of every method."""
        return _numeric({*self.levels} - {None}) and self.key.split(".")[0] not in CONDITIONS

    def name(self, level: str | None) -> str:
        """A level as it is shown; two that look alike are numbered."""
        return self._names[level]

    @cached_property
    def _names(self) -> dict[str | None, str]:
        alike: dict[str, list[str | None]] = {}
        for level in self.levels:
            alike.setdefault(words.level(self.key, level), []).append(level)
        return {
            level: shown if len(twins) == 1 else f"{shown} #{i}"
            for shown, twins in alike.items()
            for i, level in enumerate(twins, start=1)
        }

    def number(self, level: str | None) -> float:
        """A level of a numeric axis."""
        return float(json.loads(level or "null"))


@dataclass(frozen=True)
class Table:
    """Runs by group and seed: `groups[tokens][seed]`. Groups are in the order of axis levels.

    A `searched` sweep has no full grid of settings, which tuning needs.
    """

    axes: tuple[Axis, ...]
    groups: Mapping[Tokens, Mapping[int, RunRecord]]
    notes: tuple[str, ...] = ()
    unplaced: tuple[RunRecord, ...] = ()
    searched: bool = False

    @property
    def seeds(self) -> list[int]:
        """All seeds of all groups."""
        return sorted({seed for runs in self.groups.values() for seed in runs})

    def label(self, group: Tokens) -> str:
        """A group as it is shown: `adam · xavier · lr=0.1`."""
        had = [
            axis.name(t)
            for axis, t in zip(self.axes, group, strict=True)
            if t is not None or len(self.axes) == 1
        ]
        return " · ".join(had) or "all runs"

    def runs(self) -> Iterator[tuple[Tokens, int, RunRecord]]:
        """Every run, with its group and seed."""
        for group, runs in self.groups.items():
            for seed, run in sorted(runs.items()):
                yield group, seed, run

    def expected(self, group: Tokens) -> list[int]:
        """The seeds this group should have: those that any group of the same sweeps has."""
        return sorted(
            set().union(*(self._seeds_of[run.sweep] for run in self.groups[group].values()))
        )

    @cached_property
    def _seeds_of(self) -> dict[str, set[int]]:
        seeds: dict[str, set[int]] = {}
        for _, seed, run in self.runs():
            seeds.setdefault(run.sweep, set()).add(seed)
        return seeds


def arrange(sweeps: Sequence[SweepRecord]) -> Table:
    """Find the axes, group the runs, and keep the latest run with a result per group and seed."""
    runs, unplaced = _placed([run for sweep in sweeps for run in sweep.runs])
    axes = _axes(runs, sweeps)
    groups: dict[Tokens, dict[int, RunRecord]] = {}
    doubles = 0
    for run in sorted(runs, key=lambda r: (r.observed, r.time_ms, r.key)):
        cell = groups.setdefault(tuple(token(run, axis.key) for axis in axes), {})
        assert run.seed is not None
        doubles += run.seed in cell and cell[run.seed].observed
        cell[run.seed] = run
    places = [{level: i for i, level in enumerate(axis.levels)} for axis in axes]
    order = sorted(groups, key=lambda g: [place[t] for place, t in zip(places, g, strict=True)])
    notes = [note for sweep in sweeps for note in sweep.notes]
    if doubles:
        notes.append(
            f"{words.many(doubles, 'run')} repeated another's values and seed; the latest of each"
            " was taken (a plugin or the data may have changed in between)"
        )
    ordered = {g: dict(sorted(groups[g].items())) for g in order}
    return Table(
        tuple(axes), ordered, tuple(notes), tuple(unplaced), any(sweep.searched for sweep in sweeps)
    )


def _placed(runs: Sequence[RunRecord]) -> tuple[list[RunRecord], list[RunRecord]]:
    """The runs with a group; without own parameters they are those of a run alike but its seed."""
    sisters = {_overrides(run): run for run in runs if run.params}
    placed, lost = [], []
    for run in runs:
        sister = sisters.get(_overrides(run))
        if run.seed is None or not (run.params or sister):
            lost.append(run)
        else:
            placed.append(
                run if run.params or sister is None else replace(run, params=sister.params)
            )
    return placed, lost


def _overrides(run: RunRecord) -> tuple[str, ...]:
    return (run.sweep, *sorted(o for o in run.overrides if not o.startswith("seed=")))


def token(run: RunRecord, key: str) -> str | None:
    """A run's value of a key, as JSON; None where it has no such field."""
    return words.token(run.params[key]) if key in run.params else None


def _axes(runs: Sequence[RunRecord], sweeps: Sequence[SweepRecord]) -> list[Axis]:
    keys = sorted({key for run in runs for key in run.params} - {"seed"})
    columns = {key: tuple(token(run, key) for run in runs) for key in keys}
    varied = {key: column for key, column in columns.items() if len(set(column)) > 1}
    typed: dict[str, list[str]] = {}
    for sweep in sweeps:
        for key, values in sweep.axes.items():
            typed.setdefault(key, []).extend(values)
    swept = [key for key in typed if key in varied]
    together = list(zip(*(varied[key] for key in swept), strict=True)) or [()] * len(runs)
    free = [
        key
        for key in varied
        if key not in swept and not (_repeated(together) and _determines(together, varied[key]))
    ]
    keys = [*swept, *free]
    leaders = [
        k for k in keys if not any(_leads(a, k, varied, keys, k in swept) for a in keys if a != k)
    ]
    others = [key for key in varied if key not in leaders]
    return [
        _axis(
            key,
            varied,
            [k for k in others if _leads(key, k, varied, [*leaders, *others], False)],
            typed.get(key, []),
        )
        for key in leaders
    ]


def _determines(a: Sequence[object], b: Sequence[object]) -> bool:
    """Whether equal values of a always meet equal values of b."""
    return len(set(zip(a, b, strict=True))) == len(set(a))


def _repeated(column: Sequence[object]) -> bool:
    """Whether values repeat: a value met only once determines everything trivially."""
    return 2 * len(set(column)) <= len(column)


def _leads(a: str, b: str, varied: Mapping[str, Tokens], order: Sequence[str], swept: bool) -> bool:
    """Whether b is no axis because its value follows from a's (and a's does not, or comes first).

    A plugin never follows from its own field: `optimizer.momentum` has values for one optimizer
    only, but the optimizer was chosen. A swept choice does not follow from a number, and nothing
    follows from numbers of a random search, which occur once each.
    """
    if a.startswith(b + ".") or not _determines(varied[a], varied[b]):
        return False
    mutual = _determines(varied[b], varied[a])
    first = b.startswith(a + ".") or order.index(a) < order.index(b)
    if _numeric(set(varied[a])):
        both = _numeric(set(varied[b]))
        return _repeated(varied[a]) and (both or not swept) and (first or not mutual)
    return first or not mutual or _numeric(set(varied[b]))


def _numeric(levels: set[str | None]) -> bool:
    known = [json.loads(level) for level in levels if level is not None]
    return len(known) == len(levels) and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) for v in known
    )


def _axis(
    key: str, varied: Mapping[str, Tokens], followers: Sequence[str], typed: Sequence[str]
) -> Axis:
    column = varied[key]
    levels = set(column)
    numeric = _numeric(levels)
    places = {words.value(t): i for i, t in reversed(list(enumerate(map(_typed, typed))))}

    def order(level: str | None) -> tuple[float, str]:
        if numeric:
            return float(json.loads(level or "0")), ""
        return places.get(words.value(level), len(places)), level or ""

    follows = {level: {k: varied[k][column.index(level)] for k in followers} for level in levels}
    return Axis(key, tuple(sorted(levels, key=order)), numeric, follows)


def _typed(text: str) -> str:
    """What was typed on the command line, as a token."""
    try:
        return words.token(json.loads(text))
    except ValueError:
        inner = text.strip("[]'\" ")
        return words.token(
            "+".join(part.strip() for part in inner.split(",")) if "[" in text else inner
        )


def cells(table: Table, axis: int) -> Iterator[tuple[str | None, Tokens]]:
    """(level, values of the other axes) of every group."""
    for group in table.groups:
        yield group[axis], group[:axis] + group[axis + 1 :]


def full(table: Table) -> bool:
    """Whether every combination of levels has a group."""
    return len(table.groups) == len(list(product(*(axis.levels for axis in table.axes))))
