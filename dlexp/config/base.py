"""The base of a sweep: what all its jobs share. What only a swept option can take is left to the
jobs that choose it.

Hydra composes a sweep's base with the default option of a group that is swept.
`optimizer=momentum,nesterov optimizer.momentum=0.5` would be refused there, because the default,
adam, has no momentum. Every job is composed with all its words anyway, so the base leaves out the
values that stand below a swept group.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from dlexp.config.overrides import GROUPS
from dlexp.config.sources import leaving_out

Load = Callable[[list[str]], DictConfig]  # composes words for a sweep, as Hydra does
PARTS = frozenset(GROUPS) - {"experiment"}


class Bases:
    """Composes the bases of sweeps with one loader. A study is composed once to learn what its file
    sweeps.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._outline = cache(self._outlined)

    def mode(self, words: Sequence[str]) -> RunMode | None:
        """Whether these words are a run or a sweep, as far as a word or a file of theirs says so."""
        found: RunMode | None = self._outline(tuple(words))[0].hydra.mode
        return found

    def of(self, words: Sequence[str]) -> DictConfig:
        """The base of the sweep that these words ask for. Raises what Hydra raises where it cannot
        be composed.
        """
        parsed = _parsed(words)
        swept = _swept(parsed)
        if not any(o.key_or_group == "experiment" for o in parsed):
            return self._composed(words, swept)[0]
        outline, without = self._outline(tuple(words))
        swept |= _swept_in(outline) - _chosen(parsed)
        return outline if without <= swept else self._composed(words, swept)[0]

    def _outlined(self, words: tuple[str, ...]) -> tuple[DictConfig, set[str]]:
        return self._composed(words, PARTS)

    def _composed(
        self, words: Sequence[str], groups: Collection[str]
    ) -> tuple[DictConfig, set[str]]:
        """What Hydra composes without the values below these groups, and the groups that had any."""
        parsed = _parsed(words)
        below = [
            o
            for o in parsed
            if _root(o) in groups and "." in o.key_or_group and not o.is_sweep_override()
        ]
        with leaving_out(groups) as in_files:
            config = self._load([o.input_line or "" for o in parsed if o not in below])
        config.hydra.overrides.task = [o.input_line for o in parsed if not o.is_hydra_override()]
        return config, in_files | {_root(o) for o in below}


def _parsed(words: Iterable[str]) -> list[Override]:
    return OverridesParser.create().parse_overrides(list(words))


def _root(o: Override) -> str:
    return o.key_or_group.partition(".")[0]


def _swept(parsed: Iterable[Override]) -> set[str]:
    return {o.key_or_group for o in parsed if o.is_sweep_override() and o.key_or_group in PARTS}


def _chosen(parsed: Iterable[Override]) -> set[str]:
    """The groups of which one option was typed, which overrules a study that sweeps them."""
    return {o.key_or_group for o in parsed if not o.is_sweep_override()}


def _swept_in(config: DictConfig) -> set[str]:
    """The groups for which a study's file gives options, in its smaller budget too."""
    study: Any = (
        OmegaConf.to_container(config.study) if OmegaConf.is_config(config.study) else config.study
    )
    sweeper: Any = OmegaConf.to_container(config.hydra.sweeper, resolve=False)
    quick = study.get("quick") if isinstance(study, Mapping) else None
    found: set[str] = set()
    for said in (sweeper, quick):
        if isinstance(said, Mapping):
            parts = said.get("parts")
            named = [said.get("params"), *(parts.values() if isinstance(parts, Mapping) else ())]
            found |= {str(key) for params in named if isinstance(params, Mapping) for key in params}
    return found & PARTS
