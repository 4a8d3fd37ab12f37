"""What `hydra/launcher=` and `hydra/sweeper=` choose, and the keys that each of them has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore


@dataclass
class Local:
    """`hydra/launcher=local`: parallel processes on this machine; `n_jobs` of them, None for one
    per processor.
    """

    n_jobs: int | None = None


@dataclass
class Grid:
    """`hydra/sweeper=grid`: every combination of the swept values; or of several parts, each with
    its own.

    `params` are swept (or fixed) in every part, `parts.<name>` in that part; the command line
    overrules both.
    """

    params: dict[str, str] | None = field(default_factory=dict)
    parts: dict[str, dict[str, Any]] | None = field(default_factory=dict)


@dataclass
class Search:
    """`hydra/sweeper=random`: `n_trials` drawn with `seed`; `metric`, one of the validation's,
    decides which is best.

    `hydra/sweeper=tpe`: the same, drawn where the results so far promise most.
    """

    n_trials: int = 20
    seed: int = 0
    metric: str | None = None
    params: dict[str, str] | None = field(default_factory=dict)


LAUNCHERS = {"local": Local}
SWEEPERS = {"grid": Grid, "random": Search, "tpe": Search}


def register() -> None:
    """Make the options known to Hydra. None of them names code: dlexp runs them itself."""
    for group, options in (("hydra/launcher", LAUNCHERS), ("hydra/sweeper", SWEEPERS)):
        for name, node in options.items():
            ConfigStore.instance().store(group=group, name=name, node=node, provider="dlexp")
