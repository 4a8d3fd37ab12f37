"""What the commands of studies would refuse is found before one of them starts, and printed once."""

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
    """Raises the `UserError` of an override, or of the words of a study that was `named`, before
    one of them starts.

    An override may mean nothing to some studies (a surface has no data), and the others have their
    verdicts. So it is refused here if it is always wrong, or if no study takes it. Each study that
    is composed costs half a second, so the first that takes the overrides is the last that is
    composed, unless studies were named.
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

    A mistake that only its data or another of its jobs shows is left to the command.
    """
    words = [f"experiment={name}", *overrides]
    study = Composition.of(Flags(overrides=words, multirun=False, config_dir=home))
    with study.explained():
        NamedStudy.of(study.config)
        first = next(iter(grid.grid(study.config).values()))[0]
    next(study.setups([first]))
