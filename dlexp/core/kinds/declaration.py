"""What the framework knows of a kind of plugin, declared above the kind's class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from dlexp.core.registry import Plugin

LAST = 1000  # behind the kinds that have a rank of their own

_declared: dict[str, Kind] = {}
P = TypeVar("P", bound=type[Plugin])


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of plugin; `name` is its plugin folder, config group and field of an experiment.

    Ranks order kinds, the lowest first: `rank` in an experiment and its files, `name_rank` in the
    names of runs and in help, `caption_rank` in the captions of figures.
    """

    name: str
    cls: type[Plugin]
    summary: str  # its line in help
    alias: str = ""  # another name on the command line
    part: bool = True  # whether an experiment holds plugins of this kind
    many: bool = False  # whether an experiment may hold several: regularizer=[dropout,l1]
    identity: bool = True  # whether it can change a run's numbers
    needs_network: bool = False  # whether it means nothing to a surface
    task: bool = False  # whether it says what is learned, and not how
    always_named: bool = False  # in a run's name: the default choice, too
    label: str = ""  # in a caption: before the plugin's name
    checks: tuple[str, ...] = ()  # files of dlexp/conformance; none named: the one called `name`
    rank: int = LAST
    name_rank: int = LAST
    caption_rank: int = LAST

    @property
    def suites(self) -> tuple[str, ...]:
        """The files of conformance checks for its plugins, in their order."""
        return self.checks or (self.name,)


def kind(name: str, **more: object) -> Callable[[P], P]:
    """Declare a class as a kind of plugin; `more` are fields of `Kind`.

    Raises `ValueError` for a name that is taken.
    """

    def declare(cls: P) -> P:
        if name in _declared:
            raise ValueError(f"the kind {name} is declared by {_declared[name].cls.__module__}")
        cls.kind = name
        _declared[name] = Kind(name, cls, **more)  # type: ignore[arg-type]
        return cls

    return declare


def find(name: str) -> Kind | None:
    """The kind of that name; None where it was not declared."""
    return _declared.get(name)


def every() -> list[Kind]:
    """The kinds that an experiment is made of, by rank."""
    parts = [k for k in _declared.values() if k.part]
    return sorted(parts, key=lambda k: (k.rank, k.name))


def key_of(p: Plugin | type[Plugin]) -> str:
    """Where a plugin's fields stand in the configuration: `optimizer`, `regularizer.dropout`."""
    kind = find(p.kind)
    return f"{p.kind}.{p.name}" if kind is not None and kind.many else p.kind
