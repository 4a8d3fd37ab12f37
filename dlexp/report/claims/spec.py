"""Claims as data: `study.claims` of a study's file, checked before anything is trained.

Every mistake is a `UserError` of one line. Nothing here looks at a run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NoReturn

from dlexp.errors import UserError, nearest
from dlexp.report import measure
from dlexp.report.claims.expression import Expression, parse
from dlexp.report.runs import RunRecord

LANGUAGES = ("en", "zh")
DIRECTIONS = ("more", "less", "as_good")
REDUCTIONS = ("mean", "median", "min", "max", "range", "std", "worst")
SIDES = ("both", "of", "against")


@dataclass(frozen=True)
class Guard:
    """A condition for judging a claim: bounds for a metric's mean at every setting."""

    metric: Expression
    at_least: float | None = None
    at_most: float | None = None
    of: str = "both"


@dataclass(frozen=True)
class Claim:
    """A sentence and its test: `of` against `against`, two conditions on parameters of runs.

    `direction`: `of` has a higher metric (more), a lower one (less), or one that is not worse by
    more than `margin` (as_good; `high` is the better direction). `over` is a key whose values are
    reduced to one number per seed.
    """

    id: str
    says: Mapping[str, str]
    metric: Expression
    of: Mapping[str, Any]
    against: Mapping[str, Any]
    direction: str
    margin: float
    part: str | None = None
    high: bool | None = None
    over: str | None = None
    reduce: str = "mean"
    guard: Guard | None = None
    diverged: float | None = None
    tuned: tuple[str, ...] = ()

    @property
    def sign(self) -> int:
        """+1 where a larger value of `of` supports the claim, else −1."""
        return 1 if self.direction == "more" or (self.direction == "as_good" and self.high) else -1


FIELDS = (*(f.name for f in fields(Claim) if f.name != "high"), "better")
NEEDED = ("id", "says", "metric", "of", "against", "direction", "margin")


def read(
    study: Mapping[str, Any], parts: Collection[str], runs: Sequence[RunRecord] | None = ()
) -> tuple[Claim, ...]:
    """The claims of a study; `parts` are the names of its sweep's parts. Raises `UserError`.

    The objectives of the `runs` declare the directions of their metrics; None: directions are
    checked later, when runs are known.
    """
    place = str(study.get("name") or "")
    listed = study.get("claims")
    listed = [] if listed is None else listed
    if isinstance(listed, (str, Mapping)) or not isinstance(listed, Sequence):
        raise UserError("must be a list of claims", key="study.claims", where=place, value=listed)
    claims = [
        _Reader(f"study.claims[{i}]", place, one).claim(parts, runs) for i, one in enumerate(listed)
    ]
    for i, claim in enumerate(claims):
        if claim.id in {other.id for other in claims[:i]}:
            key = f"study.claims[{i}].id"
            raise UserError("another claim has this id", key=key, where=place, value=claim.id)
    return tuple(claims)


class _Reader:
    """Reads one mapping of a study's file; `key` is its place there."""

    def __init__(self, key: str, place: str, values: Any) -> None:
        self.key, self.place = key, place
        if not isinstance(values, Mapping):
            self.fail("", "must be a mapping", values)
        self.values: Mapping[str, Any] = values

    def fail(self, name: str, wrong: str, value: Any = None, known: Iterable[str] = ()) -> NoReturn:
        known = sorted(known)
        hint = nearest(value, known) if isinstance(value, str) else ""
        key = f"{self.key}.{name}" if name else self.key
        raise UserError(
            wrong, key=key, value=value, where=self.place, allowed=", ".join(known), hint=hint
        )

    def only(self, known: Collection[str], needed: Collection[str]) -> None:
        """No other fields than these, and all of those."""
        for name in self.values:
            if name not in known:
                key, listed = f"{self.key}.{name}", sorted(known)
                raise UserError(
                    "there is no such field",
                    key=key,
                    where=self.place,
                    allowed=", ".join(listed),
                    hint=nearest(str(name), listed),
                )
        for name in needed:
            if self.values.get(name) is None:
                self.fail(name, "is missing")

    def one_of(self, name: str, known: Collection[str], default: str | None = None) -> str:
        value = self.values.get(name)
        value = default if value is None else value
        if not isinstance(value, str) or value not in known:
            self.fail(name, "there is no such value", value, known)
        return value

    def number(self, name: str) -> float | None:
        value = self.values.get(name)
        if value is None:
            return None
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not math.isfinite(value):
            self.fail(name, "must be a finite number", value)
        return float(value)

    def metric(self) -> Expression:
        return parse(self.values["metric"], f"{self.key}.metric", self.place)

    def runs(self, name: str) -> dict[str, Any]:
        """Parameters and the values they must have."""
        value = self.values[name]
        if not isinstance(value, Mapping) or not value:
            wrong = "must select runs by their parameters, as in {regularizer: weight_decay}"
            self.fail(name, wrong, value)
        if "seed" in value:
            self.fail(name, "a claim is about all seeds, not about one", value)
        return {
            str(key): list(v) if isinstance(v, (list, tuple)) else v for key, v in value.items()
        }

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            self.fail(name, "must be text", value)
        return value

    def claim(self, parts: Collection[str], runs: Sequence[RunRecord] | None) -> Claim:
        self.only(FIELDS, NEEDED)
        of, against = self.runs("of"), self.runs("against")
        if of == against:
            self.fail("against", "is the same as `of`: there is nothing to compare", against)
        metric, margin = self.metric(), self.number("margin")
        if margin is None or margin <= 0:
            wrong = "must be > 0: the smallest effect that matters, in the metric's units"
            self.fail("margin", wrong, margin)
        direction = self.one_of("direction", DIRECTIONS)
        over, tuned = self._over(of, against), self._tuned(of, against)
        guard = self.values.get("guard")
        if guard is not None:
            guard = _Reader(f"{self.key}.guard", self.place, guard).guard()
        return Claim(
            id=self._id(),
            says=self._says(),
            metric=metric,
            of=of,
            against=against,
            direction=direction,
            margin=margin,
            part=self._part(parts),
            high=self._better(direction, metric, runs),
            over=over,
            reduce=self._reduce(over),
            diverged=self.number("diverged"),
            tuned=tuned,
            guard=guard,
        )

    def guard(self) -> Guard:
        self.only(("metric", "at_least", "at_most", "of"), ("metric",))
        low, high = self.number("at_least"), self.number("at_most")
        if low is None and high is None:
            self.fail("", "needs at_least or at_most")
        if low is not None and high is not None and low > high:
            wrong = f"is above at_most, {high:g}: no value fits"
            self.fail("at_least", wrong, self.values["at_least"])
        return Guard(self.metric(), low, high, self.one_of("of", SIDES, "both"))

    def _id(self) -> str:
        value = self.values["id"]
        if not isinstance(value, str) or not re.fullmatch(r"[\w.-]+", value, re.ASCII):
            self.fail("id", "must be a word of letters, digits and _", value)
        return value

    def _says(self) -> dict[str, str]:
        says = _Reader(f"{self.key}.says", self.place, self.values["says"])
        says.only(LANGUAGES, LANGUAGES)
        return {language: " ".join((says.text(language) or "").split()) for language in LANGUAGES}

    def _part(self, parts: Collection[str]) -> str | None:
        if self.values.get("part") is not None:
            return self.one_of("part", parts)
        if len(parts) > 1:
            self.fail("part", "is missing: the study has several parts", known=parts)
        return next(iter(parts), None)

    def _better(
        self, direction: str, metric: Expression, runs: Sequence[RunRecord] | None
    ) -> bool | None:
        """Which way is better, where that matters."""
        better = self.values.get("better")
        if better is not None:
            self.one_of("better", ("high", "low"))
        if direction != "as_good":
            if better is not None:
                self.fail("better", "is only for direction: as_good", better)
            return None
        try:
            return measure.direction(metric.single or "", better, runs or ())
        except UserError:
            if runs is None:
                return None
            wrong = "is missing: is a higher or a lower value better?"
            self.fail("better", wrong, known=("high", "low"))

    def _over(self, of: Mapping[str, Any], against: Mapping[str, Any]) -> str | None:
        over = self.text("over")
        if over is not None and (over in of or over in against or over == "seed"):
            self.fail("over", "is fixed by `of` or `against`, or is the seed", over)
        return over

    def _reduce(self, over: str | None) -> str:
        if over is None and self.values.get("reduce") is not None:
            wrong = "needs `over`, the key whose values it reduces"
            self.fail("reduce", wrong, self.values["reduce"])
        return self.one_of("reduce", REDUCTIONS, "mean")

    def _tuned(self, of: Mapping[str, Any], against: Mapping[str, Any]) -> tuple[str, ...]:
        tuned = self.values.get("tuned")
        if tuned is None:
            return ()
        listed = isinstance(tuned, Sequence) and not isinstance(tuned, str)
        if not listed or not tuned or any(type(k) is not str for k in tuned):
            self.fail("tuned", "must be a list of keys, as in [optimizer.lr]", tuned)
        for key in tuned:
            if (key in of and key in against) or key in ("seed", self.values.get("over")):
                self.fail("tuned", "is fixed by both sides or by `over`, or is the seed", key)
        return tuple(dict.fromkeys(tuned))
