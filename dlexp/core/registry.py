"""A plugin is a frozen dataclass of hyper-parameters, found by its kind and name."""

from __future__ import annotations

import dataclasses
import re
from abc import ABC
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar, cast, dataclass_transform

from dlexp.core import fields
from dlexp.errors import PluginError, nearest

_registry: dict[str, dict[str, type[Plugin]]] = {}


class Plugin(ABC):
    """Root of every kind. Subclass a kind from `dlexp.core.kinds`, not this.

    `kind` is the folder and the config group, `name` the file and the option. `known_failures`
    names the conformance checks that this plugin is known to fail, each with the reason; it is an
    error if they pass. `does_nothing` marks the option that stands for the absence of its kind,
    such as a constant schedule: captions leave it out.
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    known_failures: ClassVar[Mapping[str, str]] = MappingProxyType({})
    does_nothing: ClassVar[bool] = False

    def __post_init__(self) -> None:
        fields.check_fields(self)

    @classmethod
    def misdeclared(cls) -> str:
        """What the class lacks or declares wrongly for its kind; empty if it is correct."""
        return ""


P = TypeVar("P", bound=Plugin)


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(
        dataclasses.field,
        fields.positive,
        fields.non_negative,
        fields.at_least,
        fields.between,
        fields.fraction,
        fields.one_of,
        fields.each_positive,
    ),
)
def plugin(name: str) -> Callable[[type[P]], type[P]]:
    """Make the class a frozen dataclass and register it under its kind as `name`.

    >>> from dlexp import Schedule, plugin
    >>> @plugin("half")
    ... class Half(Schedule):
    ...     '''Half the base learning rate, always.'''
    ...     def __call__(self, t, total):
    ...         return 0.5
    >>> find("schedule", "half")()
    Half()
    >>> unregister(Half)
    """

    def register(cls: type[P]) -> type[P]:
        _check_declared(cls, name)
        doc = cls.__doc__
        made = cast("type[P]", dataclasses.dataclass(frozen=True, kw_only=True)(cls))
        # without a docstring, dataclass writes a signature, which is no documentation
        made.__doc__ = doc
        made.name = name
        _check_bases(made)
        if missing := sorted(getattr(made, "__abstractmethods__", ())):
            wrong = f"{made.__qualname__} lacks {', '.join(missing)}"
            raise PluginError(wrong, key=made.kind, value=name)
        if wrong := made.misdeclared():
            raise PluginError(f"{made.__qualname__}: {wrong}", key=made.kind, value=name)
        taken = _registry.setdefault(made.kind, {}).setdefault(name, made)
        if taken is not made:
            wrong = f"is already registered by {taken.__module__}.{taken.__qualname__}"
            raise PluginError(wrong, key=made.kind, value=name)
        return made

    return register


def _check_declared(cls: object, name: object) -> None:
    """Check the class and the name before it is made a plugin. Raises `PluginError`."""
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w-]{0,79}", name):
        raise PluginError(f"a plugin's name is letters, digits and underscores, not {name!r}")
    if (
        not isinstance(cls, type)
        or not issubclass(cls, Plugin)
        or not isinstance(getattr(cls, "kind", None), str)
    ):
        wrong = f"{getattr(cls, '__qualname__', repr(cls))} is of no kind"
        raise PluginError(f"{wrong}: derive it from Optimizer, Layer, Data, …", value=name)


def _check_bases(cls: type[Plugin]) -> None:
    """Refuse fields in a base class that is no dataclass: they would not be hyper-parameters."""
    for base in cls.__mro__:
        for name, value in vars(base).items():
            if isinstance(value, dataclasses.Field):
                owner, decorator = base.__name__, "@dataclass(frozen=True, kw_only=True)"
                wrong = f"{owner}.{name} is no field: decorate {owner} as {decorator}"
                raise PluginError(wrong, key=cls.kind, value=cls.name)


def unregister(cls: type[Plugin]) -> None:
    """Forget a plugin (for tests and doctests)."""
    del _registry[cls.kind][cls.name]


def find(kind: str, name: str) -> type[Plugin]:
    """The class registered as `name`. Raises `PluginError`, which lists the known names."""
    known = _registry.get(kind, {})
    if name not in known:
        raise PluginError(
            f"there is no {kind} of that name",
            key=kind,
            value=name,
            allowed=", ".join(sorted(known)) or f"nothing yet: write plugins/{kind}/{name}.py",
            hint=nearest(name, known),
        )
    return known[name]


def every(kind: str | None = None) -> Iterator[type[Plugin]]:
    """All registered plugins, of one kind or of all, in name order."""
    for k in sorted(_registry) if kind is None else [kind]:
        for _, cls in sorted(_registry.get(k, {}).items()):
            yield cls


def every_of(kind: type[P]) -> Iterator[type[P]]:
    """All registered plugins of a kind, such as `Observer`, in name order."""
    return (cls for cls in every(kind.kind) if issubclass(cls, kind))


def as_dict(p: Plugin) -> dict[str, Any]:
    """The plugin as plain data: its name, then its hyper-parameters."""
    return {"name": p.name, **dataclasses.asdict(cast("Any", p))}


def from_dict(kind: str, data: Mapping[str, Any]) -> Plugin:
    """Inverse of `as_dict`."""
    values = dict(data)
    return find(kind, values.pop("name"))(**values)
