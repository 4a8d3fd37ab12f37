"""The runs a claim speaks of: which are on either side, and which of them are compared with which.

A side's runs stand in a grid: levels of `over`, cells (all else that varies on both sides),
settings of the keys that are tuned, and what only this side has. A key whose value follows from
others, or from the seed, has no place there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from dlexp.errors import nearest
from dlexp.report import words
from dlexp.report.claims.messages import NoVerdict, Sentence, hint, say
from dlexp.report.claims.spec import Claim
from dlexp.report.runs import RunRecord, SweepRecord
from dlexp.report.table import Tokens, token


class Place(NamedTuple):
    """Where a run stands on its side; each part is a tuple of values as JSON."""

    level: Tokens
    cell: Tokens
    setting: Tokens
    own: Tokens


@dataclass(frozen=True)
class Sides:
    """Both sides of a claim: runs by place and seed. `keys` names the parameters of a place."""

    of: Mapping[Place, Mapping[int, RunRecord]]
    against: Mapping[Place, Mapping[int, RunRecord]]
    keys: Place
    notes: tuple[Sentence, ...] = ()

    @property
    def both(
        self,
    ) -> tuple[Mapping[Place, Mapping[int, RunRecord]], Mapping[Place, Mapping[int, RunRecord]]]:
        """Of, against."""
        return self.of, self.against

    def runs(self) -> list[RunRecord]:
        """Every run of both."""
        return [run for side in self.both for runs in side.values() for run in runs.values()]

    def seeds(self) -> list[int]:
        """Every seed of either."""
        return sorted({seed for side in self.both for runs in side.values() for seed in runs})

    def common(self) -> Sides:
        """The levels and cells that both have. Raises `NoVerdict` where there are none."""
        cells = [{(place.level, place.cell) for place in side} for side in self.both]
        shared = cells[0] & cells[1]
        if not shared:
            keys = [*self.keys.level, *self.keys.cell]
            raise NoVerdict("no_common", keys=keys)
        if self.keys.level:
            counts = [sum(cell == other for _, other in shared) for _, cell in shared]
            if min(counts) < 2:
                raise NoVerdict("one_level", over=self.keys.level[0])
        lone = len((cells[0] | cells[1]) - shared)
        of, against = (
            {p: r for p, r in side.items() if (p.level, p.cell) in shared} for side in self.both
        )
        more = (say("uncommon", n=lone),) if lone else ()
        return replace(self, of=of, against=against, notes=self.notes + more)

    def at(self, of: Tokens, against: Tokens, without: Iterable[int]) -> Sides:
        """Each side at one of its settings, without the seeds it was chosen by."""
        gone = set(without)

        def kept(
            side: Mapping[Place, Mapping[int, RunRecord]], setting: Tokens
        ) -> dict[Place, dict[int, RunRecord]]:
            there = {place: runs for place, runs in side.items() if place.setting == setting}
            return {
                place: {s: run for s, run in runs.items() if s not in gone}
                for place, runs in there.items()
            }

        return replace(self, of=kept(self.of, of), against=kept(self.against, against))


def split(sweep: SweepRecord, claim: Claim) -> Sides:
    """The sides of a claim in the runs of a sweep. Raises `NoVerdict` where a side has none."""
    belong = None if claim.part is None else {*sweep.parts.get(claim.part, ())}
    mine = [run for run in sweep.runs if belong is None or run.key in belong]
    known = [run for run in mine if run.params and run.seed is not None]
    if not known:
        raise NoVerdict("no_part", part=claim.part or sweep.label)
    of, against = _matching(known, claim.of), _matching(known, claim.against)
    twice = {run.key for run in of} & {run.key for run in against}
    if twice and not claim.tuned:  # what is tuned may well be tuned to the other side
        raise NoVerdict("shared", n=len(twice))
    cells, own = _keys(of, against, claim, sweep)
    over = (claim.over,) if claim.over else ()
    keys = Place(over, cells, claim.tuned, own)
    (left, twice_left), (right, twice_right) = _grid(of, keys), _grid(against, keys)
    repeated = twice_left + twice_right
    notes = [say("lost", n=len(mine) - len(known))] if len(known) < len(mine) else []
    notes += [say("repeated", n=repeated)] if repeated else []
    notes += [*_beside(of, against, claim, cells), *_averaged(of, against, claim, own)]
    return Sides(left, right, keys, tuple(notes))


def described(conditions: Mapping[str, Any]) -> str:
    """`regularizer=weight_decay, optimizer.lr=0.1`."""
    return ", ".join(
        f"{key}={words.value(words.token(value))}" for key, value in conditions.items()
    )


def _matching(runs: Sequence[RunRecord], conditions: Mapping[str, Any]) -> list[RunRecord]:
    """The runs with these parameter values. Raises `NoVerdict` (with the nearest name) if none."""
    for key, value in conditions.items():
        have = [run.params[key] for run in runs if key in run.params]
        if not have:
            near = nearest(key, {name for run in runs for name in run.params})
            raise NoVerdict("no_key", key=key, hint=hint(near))
        if not any(_equal(value, other) for other in have):
            shown = sorted({words.value(words.token(other)) for other in have})
            wanted = words.value(words.token(value))
            raise NoVerdict(
                "no_value", key=key, value=wanted, known=shown, hint=hint(nearest(wanted, shown))
            )
    matches = [
        r
        for r in runs
        if all(k in r.params and _equal(v, r.params[k]) for k, v in conditions.items())
    ]
    if not matches:
        raise NoVerdict("no_together", what=described(conditions))
    return matches


def _equal(a: Any, b: Any) -> bool:
    """Equal as YAML's values are: 1 and 1.0, but not 1 and true."""
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def _keys(
    of: Sequence[RunRecord], against: Sequence[RunRecord], claim: Claim, sweep: SweepRecord
) -> tuple[Tokens, Tokens]:
    """(keys of cells, keys that vary on one side alone), those that were swept first."""
    sides = (of, against)
    named = {*claim.of, *claim.against}
    fixed = {"seed", claim.over, *claim.tuned, *named}
    every = sorted({key for side in sides for run in side for key in run.params})
    order = [
        *(key for key in sweep.axes if key in every),
        *(key for key in every if key not in sweep.axes),
    ]
    varied = [
        key for key in order if any(len({token(run, key) for run in side}) > 1 for side in sides)
    ]
    own = [key for key in varied if key in named and key not in claim.tuned]
    cells: list[str] = []
    for key in varied:
        leaders = [*own, *cells, *claim.tuned, *([claim.over] if claim.over else [])]
        if (
            key in fixed
            or all(_follows(side, key, leaders) for side in sides)
            or _of_seed(sides, key)
        ):
            continue
        had = [any(key in run.params for run in side) for side in sides]
        (cells if all(had) else own).append(key)
    return tuple(cells), tuple(own)


def _follows(runs: Sequence[RunRecord], key: str, leaders: Sequence[str]) -> bool:
    """Whether equal values of the leaders always meet equal values of the key."""
    met = {tuple(token(run, k) for k in [*leaders, key]) for run in runs}
    return len(met) == len({row[:-1] for row in met})


def _of_seed(sides: Sequence[Sequence[RunRecord]], key: str) -> bool:
    """Whether a key is drawn by the seed: one value per seed, and for every seed another."""
    return all(
        len({token(run, key) for run in side}) == len({run.seed for run in side})
        and _follows(side, key, ["seed"])
        for side in sides
    )


def _grid(runs: Sequence[RunRecord], keys: Place) -> tuple[dict[Place, dict[int, RunRecord]], int]:
    """Runs by place and seed (the latest with a result), and the number of repeated runs."""
    grid: dict[Place, dict[int, RunRecord]] = {}
    for run in sorted(runs, key=lambda r: (r.observed, r.time_ms, r.key)):
        place = Place(*(tuple(token(run, str(key)) for key in part) for part in keys))
        grid.setdefault(place, {})[run.seed or 0] = run
    there = sorted(grid, key=repr)
    return {p: dict(sorted(grid[p].items())) for p in there}, len(runs) - sum(
        map(len, grid.values())
    )


def _beside(
    of: Sequence[RunRecord], against: Sequence[RunRecord], claim: Claim, cells: Tokens
) -> list[Sentence]:
    """What differs between the sides though the claim does not name it."""
    notes = []
    free = {*of[0].params} & {*against[0].params} - {
        "seed",
        claim.over,
        *claim.tuned,
        *claim.of,
        *claim.against,
        *cells,
    }
    for key in sorted(free):
        values = [{token(run, key) for run in side} for side in (of, against)]
        if all(len(v) == 1 for v in values) and values[0] != values[1]:
            shown = [words.value(next(iter(v))) for v in values]
            notes.append(say("beside", key=key, of=shown[0], against=shown[1]))
    return notes


def _averaged(
    of: Sequence[RunRecord], against: Sequence[RunRecord], claim: Claim, own: Tokens
) -> list[Sentence]:
    notes = []
    for side, conditions in ((of, claim.of), (against, claim.against)):
        keys = [str(key) for key in own if len({token(run, str(key)) for run in side}) > 1]
        if keys:
            notes.append(say("own", side=described(conditions), keys=keys))
    return notes
