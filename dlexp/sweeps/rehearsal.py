"""What the command of a study would refuse before it trains, found out without one: in half a
second.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlexp.config import Composition, Flags, grid, overrides as overrides_, register
from dlexp.sweeps.study import Study


def check_words(overrides: Sequence[str]) -> None:
    """Raises the `UserError` of an override that cannot be meant, whatever the study."""
    register()
    overrides_.check(overrides_.normalize(overrides))


def rehearse(name: str, overrides: Sequence[str], home: Path | None = None) -> None:
    """Compose a study and the first of its jobs. Raises the `UserError` its command would print.

    What only its data, or another of its jobs, would show is left to the command.
    """
    words = [f"experiment={name}", *overrides]
    study = Composition.of(Flags(overrides=words, multirun=False, config_dir=home))
    with study.explained():
        Study.of(study.config)
        first = next(iter(grid.grid(study.config).values()))[0]
    next(study.setups([first]))
