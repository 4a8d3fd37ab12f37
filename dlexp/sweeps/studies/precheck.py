"""What the commands of studies would refuse is found before one of them starts, and printed once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.types import RunMode

from dlexp import config
from dlexp.config import overrides as words_
from dlexp.config.base import Bases
from dlexp.config.sources import checked_sources
from dlexp.errors import UserError
from dlexp.paths import CONF
from dlexp.sweeps import validate
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
    config.register()
    words_.check(words_.normalize(overrides))
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
    config.register()
    words = words_.normalize([f"experiment={name}", *overrides])
    words_.check(words)
    try:
        with (
            checked_sources(),
            initialize_config_dir(str(CONF), version_base="1.3", job_name="dlexp"),
        ):
            loader = _loader(home)
            master = Bases(
                lambda words: loader.load_configuration("config", words, RunMode.MULTIRUN)
            ).of(words)
            NamedStudy.of(master)
            first = next(iter(validate.grid(master).values()))[0]
            validate.composed(loader, master, first)
    except Exception as e:
        if error := config.explain(e, words):
            raise error from None
        raise


def _loader(home: Path | None) -> ConfigLoaderImpl:
    """What reads our files, and those of a folder of the user's, as `--config-dir` does."""
    places = create_config_search_path(str(CONF))
    if home is not None:
        schema = places.get_path().pop()
        places.append("command-line", f"file://{home.absolute()}")
        places.append(schema.provider, schema.path)
    return ConfigLoaderImpl(places)
