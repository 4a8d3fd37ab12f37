"""A claim's metric: a small expression of measured values, read without `eval`.

    train/accuracy
    train/accuracy @ mean
    abs(log10(diagnostics/activation_std/*5 / diagnostics/activation_std/*1))

Names contain slashes, so a division needs spaces around it. A `*` in a name matches any letters,
for layers with different names: `activation_std/*5` is `…/relu5` or `…/tanh5`. `@` gives the moment
of a value: `end` (the default: the run's final value, of the
weights that were kept), `start`, `mean` (of all records: the area under the curve per record),
`step N` or `epoch N` (the last record at or before it; after the end of a run there is none, but a
run that stopped early keeps its last); or what becomes of it on the way: `travel` (Σ|Δ| from record
to record) and `turns` (how often Δ changes its sign).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dlexp.errors import UserError, nearest
from dlexp.figures import HUGE
from dlexp.report.claims.terms import FUNCTIONS, MOMENTS, Call, Name, Node, Number, length
from dlexp.report.runs import RunRecord

LONGEST, DEEPEST = 500, 40  # letters, and parentheses in parentheses
SHOWN = 60  # letters of an expression that an error repeats
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))|(?P<name>[A-Za-z_][\w.]*(?:/[\w.*]+)*)"
    r"|(?P<sign>[-+*/(),@]))"
)


@dataclass(frozen=True)
class Expression:
    """A metric as it was written, and the `names` it needs, in the order of their first use."""

    text: str
    root: Node = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that are needed."""
        return tuple(dict.fromkeys(node.name for node in _names(self.root)))

    @property
    def single(self) -> str | None:
        """The metric's name where the expression is nothing else, at whatever moment."""
        return self.root.name if isinstance(self.root, Name) else None

    @property
    def accuracy(self) -> bool:
        """Whether it is an accuracy: 0 is the worst value, and more is better."""
        if not isinstance(self.root, Name) or self.root.moment in ("travel", "turns"):
            return False
        split, _, what = self.root.name.rpartition("/")
        return what == "accuracy" and split != "gap"

    def beyond(self, run: RunRecord) -> Name | None:
        """The first metric at a moment after the end of the run, or None."""
        later = (
            n for n in _names(self.root) if (step := n.step(run)) is not None and step > length(run)
        )
        return next(later, None)

    def of(self, run: RunRecord) -> float | None:
        """A run's value: None where it lacks a measurement, nan where the result is not finite."""
        value = self.root.of(run)
        return value if value is None or abs(value) <= HUGE else math.nan


def _names(node: Node) -> Iterator[Name]:
    if isinstance(node, Name):
        yield node
    elif isinstance(node, Call):
        for argument in node.arguments:
            yield from _names(argument)


def parse(text: object, key: str = "metric", where: str = "") -> Expression:
    """Read an expression. Raises `UserError` for `key` where it cannot be read.

    >>> parse("abs(a/b - 2) / a/c @ epoch 5").names
    ('a/b', 'a/c')
    """

    def wrong(what: str, **more: str) -> UserError:
        shown = text if not isinstance(text, str) or len(text) <= SHOWN else f"{text[:SHOWN]}…"
        return UserError(what, key=key, value=shown, where=where, **more)

    if not isinstance(text, str) or not text.strip():
        raise wrong("must be a metric, as in test/accuracy, or an expression of metrics")
    if len(text) > LONGEST:
        raise wrong(f"is longer than {LONGEST} letters")
    expression = Expression(" ".join(text.split()), _Parser(_tokens(text, wrong), wrong).read())
    if not expression.names:
        raise wrong("names no metric")
    return expression


def _tokens(text: str, wrong: Callable[..., UserError]) -> list[tuple[str, str]]:
    """(kind, letters) of each token: kinds are number, name, sign, and end."""
    tokens, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise wrong(f"cannot be read at {text[at:].strip()[:20]!r}")
        tokens.append((str(match.lastgroup), match[match.lastgroup or 0]))
        at = match.end()
    return [*tokens, ("end", "")]


class _Parser:
    """Recursive descent: sum → product → signed → one."""

    def __init__(self, tokens: list[tuple[str, str]], wrong: Callable[..., UserError]) -> None:
        self.tokens, self.wrong, self.depth = tokens[::-1], wrong, 0

    def read(self) -> Node:
        node = self.sum()
        if self.tokens[-1][0] != "end":
            raise self.wrong(
                f"cannot be read at {self.tokens[-1][1]!r}: an operator is missing before it"
            )
        return node

    def take(self, *signs: str) -> str:
        """The next token if it is one of these signs, else nothing."""
        kind, letters = self.tokens[-1]
        return self.tokens.pop()[1] if kind == "sign" and letters in signs else ""

    def sum(self) -> Node:
        node = self.product()
        while sign := self.take("+", "-"):
            node = Call(sign, (node, self.product()))
        return node

    def product(self) -> Node:
        node = self.signed()
        while sign := self.take("*", "/"):
            node = Call(sign, (node, self.signed()))
        return node

    def signed(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.wrong(f"has more than {DEEPEST} levels")
        node = Call("-", (Number(0.0), self.signed())) if self.take("-") else self.one()
        self.depth -= 1
        return node

    def one(self) -> Node:
        kind, letters = self.tokens.pop()
        if kind == "number":
            return Number(float(letters))
        if kind == "name":
            return self.call(letters) if self.take("(") else self.moment(letters)
        if letters != "(":
            raise self.wrong(f"a value is missing: there is {letters or 'nothing'!r} in its place")
        node = self.sum()
        self.close()
        return node

    def close(self) -> None:
        if not self.take(")"):
            raise self.wrong("a parenthesis is not closed")

    def call(self, name: str) -> Node:
        if name not in FUNCTIONS:
            raise self.wrong(
                f"there is no function {name!r}",
                allowed=", ".join(FUNCTIONS),
                hint=nearest(name, FUNCTIONS),
            )
        arguments = [self.sum()]
        while self.take(","):
            arguments.append(self.sum())
        self.close()
        low, high = FUNCTIONS[name]
        if not low <= len(arguments) <= high:
            raise self.wrong(
                f"{name} takes {'one value' if high == 1 else 'two or more values'}, not"
                f" {len(arguments)}"
            )
        return Call(name, tuple(arguments))

    def moment(self, name: str) -> Node:
        if not self.take("@"):
            return Name(name)
        _, moment = self.tokens.pop()
        if moment not in MOMENTS:
            raise self.wrong(
                f"there is no moment {moment!r}",
                allowed="end, mean, start, step N, epoch N, travel, turns",
                hint=nearest(moment, MOMENTS),
            )
        if name.startswith("gap/") and moment != "end":
            raise self.wrong(f"{name} has a value only at the end")
        if moment not in ("step", "epoch"):
            return Name(name, moment)
        kind, at = self.tokens.pop()
        if kind != "number" or not at.isdecimal():
            raise self.wrong(f"{moment} needs a whole number, as in @ {moment} 5")
        return Name(name, moment, int(at))
