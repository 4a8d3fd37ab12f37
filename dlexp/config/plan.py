"""The jobs of a sweep: the product of the swept values, with some keys paired."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    IntervalSweep as IntervalSweep,
    Override,
    RangeSweep,
)

from dlexp.errors import UserError, nearest

Jobs = list[list[str]]
MOST = 1_000_000  # values of one range


@dataclass(frozen=True)
class Plan:
    """The fixed and the swept keys of a sweep: each swept key with its values as they are typed.

    `intervals` are the swept keys without a list of values; `by` is the sweeper.
    """

    fixed: tuple[str, ...]
    swept: Mapping[str, tuple[str, ...]]
    intervals: Mapping[str, IntervalSweep] = field(default_factory=dict)
    by: str = "grid"

    @staticmethod
    def of(overrides: Iterable[Override], by: str = "grid") -> Plan:
        """Split overrides into fixed and swept; the last of a key counts. Intervals are kept."""
        fixed: dict[str, str] = {}
        swept: dict[str, tuple[str, ...]] = {}
        intervals: dict[str, IntervalSweep] = {}
        for o in overrides:
            key, value = o.get_key_element(), o.value()
            intervals.pop(key, None)
            if isinstance(value, IntervalSweep):
                intervals[key] = value
            if o.is_sweep_override():
                _check_range(key, value)
                discrete = o.is_discrete_sweep()
                swept[key] = (
                    tuple(o.sweep_string_iterator()) if discrete else (o.get_value_string(),)
                )
                fixed.pop(key, None)
            else:
                fixed[key] = f"{key}={o.get_value_element_as_str()}"
                swept.pop(key, None)
        return Plan(tuple(fixed.values()), swept, intervals, by)

    @staticmethod
    def of_values(values: Mapping[str, Any], by: str, overrides: Sequence[str] = ()) -> Plan:
        """The plan of a file's keys and values; those of the command line come later and win."""
        words = [*(f"{key}={as_typed(value)}" for key, value in values.items()), *overrides]
        return Plan.of(OverridesParser.create().parse_overrides(words), by)

    @staticmethod
    def union(plans: Sequence[Plan]) -> Plan:
        """The union of parts: fixed is what all fix alike, swept is what any of them sweeps."""
        swept: dict[str, tuple[str, ...]] = {}
        for plan in plans:
            for key, values in plan.swept.items():
                swept[key] = tuple(dict.fromkeys([*swept.get(key, ()), *values]))
        fixed = [o for o in plans[0].fixed if all(o in plan.fixed for plan in plans)]
        intervals = {key: interval for plan in plans for key, interval in plan.intervals.items()}
        return Plan(tuple(fixed), swept, intervals, plans[0].by)

    def size(self, pairs: Sequence[Sequence[str]]) -> int:
        """The number of jobs in the product."""
        return math.prod(len(values) for values in self._axes(pairs))

    def jobs(self, pairs: Sequence[Sequence[str]] = ()) -> Jobs:
        """The product of all axes; the keys of a pair advance together as one axis."""
        return [
            [*self.fixed, *itertools.chain.from_iterable(combination)]
            for combination in itertools.product(*self._axes(pairs))
        ]

    def _axes(self, pairs: Sequence[Sequence[str]]) -> list[list[tuple[str, ...]]]:
        paired = {key: tuple(pair) for pair in pairs for key in pair}
        axes: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
        for key in self.swept:
            keys = paired.get(key, (key,))
            self._check(keys)
            columns = [[f"{k}={value}" for value in self.swept[k]] for k in keys]
            axes.setdefault(keys, list(zip(*columns, strict=True)))
        for key in paired:
            if key not in self.swept:
                hint = nearest(key, self.swept)
                raise _refused("is not swept, so it cannot be paired", key, hint)
        return list(axes.values())

    def _check(self, keys: tuple[str, ...]) -> None:
        lengths = {k: len(self.swept[k]) for k in keys if k in self.swept}
        if len(set(lengths.values())) > 1:
            counts = ", ".join(f"{k} has {n}" for k, n in lengths.items())
            raise _refused(f"paired keys need the same number of values: {counts}", list(keys))
        if missing := [k for k in keys if k not in self.swept]:
            hint = nearest(missing[0], self.swept)
            raise _refused("is not swept, so it cannot be paired", missing[0], hint)


def as_typed(value: Any) -> str:
    """A value of a file as it would be typed: text may be a sweep, all else becomes JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def pairs_of(value: Any) -> list[list[str]]:
    """Parse `zip=[a,b]` (one pair) or `zip=[[a,b],[c,d]]`. Raises `UserError` otherwise."""
    value = value or []
    pairs = (
        [value]
        if isinstance(value, list) and value and all(isinstance(v, str) for v in value)
        else value
    )
    ok = isinstance(pairs, list) and all(
        isinstance(p, list) and len(p) > 1 and all(isinstance(k, str) for k in p) for p in pairs
    )
    keys = [k for p in pairs for k in p] if ok else []
    if not ok or len(keys) != len(set(keys)):
        raise _refused(
            "must be a list of keys to pair, each once: zip=[optimizer,optimizer.lr]",
            value,
        )
    return pairs


def length(r: RangeSweep) -> int:
    """The number of values in a range, without listing them."""
    start, stop, step = float(r.start or 0), float(r.stop or 0), float(r.step)
    return max(0, math.ceil((stop - start) / step)) if step else 0


def _check_range(key: str, value: Any) -> None:
    """Raises `UserError` for an empty range, or one that is too long to list."""
    if isinstance(value, RangeSweep):
        if not (n := length(value)):
            shown = f"range({value.start or 0:g},{value.stop or 0:g},{value.step:g})"
            raise UserError("is an empty range", key=key, value=shown)
        if n > MOST:
            raise UserError(f"{key} has {n:,} values; the limit is {MOST:,}", key="max_jobs")


def _refused(wrong: str, value: Any, hint: str = "") -> UserError:
    return UserError(wrong, key="zip", value=value, where="command line", hint=hint)
