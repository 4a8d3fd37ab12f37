"""The keys of a command that do not change a run's numbers."""

from __future__ import annotations

import re

from dlexp.core.kinds.declaration import every

SETTINGS = ("checkpoint", "hydra", "max_jobs", "sweep", "tracking", "zip")
SILENT = (*SETTINGS, *(kind.name for kind in every() if not kind.identity))


def is_silent(override: str) -> bool:
    """Whether an override does not change a run's numbers.

    >>> is_silent("checkpoint.seconds=5"), is_silent("hydra/launcher=local"), is_silent("+seed=1")
    (True, True, False)
    """
    return root(override) in SILENT


def root(override: str) -> str:
    """The first part of an override's key.

    >>> root("++observer.curves.figure=false"), root("hydra/launcher=local"), root("seed=1")
    ('observer', 'hydra', 'seed')
    """
    return re.split(r"[=.@/]", override.lstrip("+~"), maxsplit=1)[0]
