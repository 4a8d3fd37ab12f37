"""Hyper-parameters with ranges: `lr: float = positive(1e-3)`.

A default may be a function that returns it. A range is checked whenever a plugin is built.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dlexp.errors import FieldError

Default = float | int | None | Callable[[], Any]


@dataclass(frozen=True)
class Range:
    """Which values a field takes, in words and as a test; `choices` are all of them, if few."""

    words: str
    holds: Callable[[Any], bool]
    choices: tuple[str, ...] = ()


def _ranged(
    default: Any, words: str, holds: Callable[[Any], bool], choices: tuple[str, ...] = ()
) -> Any:
    metadata = {"range": Range(words, holds, choices)}
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def positive(default: Default) -> Any:
    """A number > 0."""
    return _ranged(default, "must be > 0", lambda v: v > 0)


def non_negative(default: Default) -> Any:
    """A number ≥ 0."""
    return _ranged(default, "must be >= 0", lambda v: v >= 0)


def at_least(low: float, default: Default) -> Any:
    """A number ≥ low."""
    return _ranged(default, f"must be >= {low}", lambda v: v >= low)


def between(low: float, high: float, default: Default) -> Any:
    """A number from low to high, both included."""
    return _ranged(default, f"must be between {low} and {high}", lambda v: low <= v <= high)


def fraction(default: Default) -> Any:
    """A number in [0, 1)."""
    return _ranged(default, "must be >= 0 and < 1", lambda v: 0 <= v < 1)


def one_of(default: str | Callable[[], str], *others: str) -> Any:
    """One of these words."""
    names = others if callable(default) else (default, *others)
    return _ranged(default, f"must be one of {', '.join(names)}", lambda v: v in names, names)


def each_positive(*default: int) -> Any:
    """A list of numbers, every one > 0."""
    return _ranged(default, "must be numbers > 0", lambda v: all(n > 0 for n in v))


def described(default: Any, doc: str) -> Any:
    """A field, or a default, with its meaning for `python -m dlexp help`."""
    if not isinstance(default, dataclasses.Field):
        default = dataclasses.field(default=default)
    default.metadata = types.MappingProxyType({**default.metadata, "doc": doc})
    return default


_known_hints: dict[type, dict[str, Any]] = {}


def _hints(cls: type) -> dict[str, Any]:
    """The types of a class's fields, read once."""
    if cls not in _known_hints:
        _known_hints[cls] = typing.get_type_hints(cls)
    return _known_hints[cls]


def check_fields(obj: Any) -> None:
    """Check each field of a dataclass against its type and range; lists become tuples, ints floats.

    Raises `FieldError` with the field's name, its value and what is allowed. Only plain types are
    checked (numbers, texts, truth values, tuples of them, and None).
    """
    types_of = _hints(type(obj))
    for f in dataclasses.fields(obj):
        value = _converted(f.name, getattr(obj, f.name), types_of[f.name])
        if value is not getattr(obj, f.name):
            object.__setattr__(obj, f.name, value)
        allowed: Range | None = f.metadata.get("range")
        if allowed is not None and value is not None and not allowed.holds(value):
            raise FieldError(allowed.words, key=f.name, value=value)


def defaults_of(obj: Any) -> dict[str, Any]:
    """The defaults of a dataclass's fields, converted as `check_fields` does."""
    defaults: dict[str, Any] = {}
    for f in dataclasses.fields(obj):
        if f.default is not dataclasses.MISSING:
            defaults[f.name] = _converted(f.name, f.default, _hints(type(obj))[f.name])
        elif f.default_factory is not dataclasses.MISSING:
            defaults[f.name] = f.default_factory()
    return defaults


def _converted(name: str, value: Any, wanted: Any) -> Any:
    """`value` converted to the type `wanted`. Raises `FieldError`."""
    choices = typing.get_args(wanted) if isinstance(wanted, types.UnionType) else (wanted,)
    if value is None and type(None) in choices:
        return None
    wanted = next((c for c in choices if c is not type(None)), wanted)
    if typing.get_origin(wanted) in (tuple, list) and isinstance(value, (tuple, list)):
        inner = typing.get_args(wanted)
        if typing.get_origin(wanted) is tuple and inner[-1] is not ... and len(value) != len(inner):
            raise FieldError(f"must be {len(inner)} values", key=name, value=list(value))
        return tuple(_converted(name, v, inner[0]) for v in value)
    if wanted is float:
        return _number(name, value)
    if wanted is int and (isinstance(value, bool) or not isinstance(value, int)):
        raise FieldError("must be a whole number", key=name, value=value)
    if wanted in (bool, str) and not isinstance(value, wanted):
        wrong = "must be true or false" if wanted is bool else "must be text"
        raise FieldError(wrong, key=name, value=value)
    return value


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise FieldError("must be a number", key=name, value=value)
    if not math.isfinite(value):
        raise FieldError("must be a finite number", key=name, value=value)
    return float(value)
