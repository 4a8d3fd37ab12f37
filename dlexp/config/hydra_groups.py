"""The options of `hydra/launcher=` and `hydra/sweeper=`, and their keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore


@dataclass
class Local:
    """`hydra/launcher=local`: `n_jobs` parallel processes, None for one per processor."""

    n_jobs: int | None = None


@dataclass
class Grid:
    """`hydra/sweeper=grid`: all combinations of the swept values, or of several parts.

    `params` apply to every part, `parts.<name>` to that part; the command line overrides both.
    """

    params: dict[str, str] | None = field(default_factory=dict)
    parts: dict[str, dict[str, Any]] | None = field(default_factory=dict)


@dataclass
class Search:
    """`hydra/sweeper=random`: `n_trials` drawn with `seed`; the validation `metric` picks the best.

    `hydra/sweeper=tpe`: the same, drawn where the results so far promise most.
    """

    n_trials: int = 20
    seed: int = 0
    metric: str | None = None
    params: dict[str, str] | None = field(default_factory=dict)


LAUNCHERS = {"local": Local}
SWEEPERS = {"grid": Grid, "random": Search, "tpe": Search}


def register() -> None:
    """Register the options with Hydra. None of them names code: dlexp runs them itself."""
    for group, options in (("hydra/launcher", LAUNCHERS), ("hydra/sweeper", SWEEPERS)):
        for name, node in options.items():
            ConfigStore.instance().store(group=group, name=name, node=node, provider="dlexp")
