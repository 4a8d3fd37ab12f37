"""Finds what the commands of studies would refuse before one of them starts; reports it once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlexp.config import Composition, Flags, grid, overrides as overrides_, register
from dlexp.errors import UserError
from dlexp.sweeps.studies.catalogue import CatalogueEntry
from dlexp.sweeps.study import NamedStudy


def check(
    studies: Sequence[CatalogueEntry], overrides: Sequence[str], *, quick: bool, named: bool
) -> None:
    """Raises `UserError` for an invalid override or study before a command starts.

    An override may be invalid for some studies (a surface has no data), while the others have their
    verdicts. So it is refused if it is always wrong, or if no study accepts it. Composing a study
    takes half a second, so this stops at the first study that accepts the overrides, unless studies
    were named.
    """
    if not (overrides or named):
        return
    register()
    overrides_.check(overrides_.normalize(overrides))
    words = [*(["quick=true", "tracking=none"] if quick else []), *overrides]
    refused = []
    for study in studies:
        try:
            _check_study(study.name, words, study.home)
        except UserError as e:
            if named and e.key.startswith("study"):
                raise
            refused.append(e)
        else:
            if not named:
                return
    if len(refused) == len(studies):
        raise refused[0]


def _check_study(name: str, overrides: Sequence[str], home: Path | None = None) -> None:
    """Compose a study and the first of its jobs. Raises the `UserError` its command would print.

    Mistakes that depend on the data or on another job are left to the command.
    """
    words = [f"experiment={name}", *overrides]
    study = Composition.of(Flags(overrides=words, multirun=False, config_dir=home))
    with study.explained():
        NamedStudy.of(study.config)
        first = next(iter(grid.grid(study.config).values()))[0]
    next(study.setups([first]))
