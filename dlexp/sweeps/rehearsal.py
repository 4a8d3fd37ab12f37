"""What the command of a study would refuse before it trains, found out without one: in half a
second.
"""

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
from dlexp.paths import CONF
from dlexp.sweeps import validate
from dlexp.sweeps.study import Study


def check_words(overrides: Sequence[str]) -> None:
    """Raises the `UserError` of an override that cannot be meant, whatever the study."""
    config.register()
    words_.check(words_.normalize(overrides))


def rehearse(name: str, overrides: Sequence[str], home: Path | None = None) -> None:
    """Compose a study and the first of its jobs. Raises the `UserError` its command would print.

    What only its data, or another of its jobs, would show is left to the command.
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
                lambda said: loader.load_configuration("config", said, RunMode.MULTIRUN)
            ).of(words)
            Study.of(master)
            first = next(iter(validate.grid(master).values()))[0]
            validate.composed(loader, master, first)
    except Exception as e:
        if said := config.explain(e, words):
            raise said from None
        raise


def _loader(home: Path | None) -> ConfigLoaderImpl:
    """What reads our files, and those of a folder of the user's, as `--config-dir` does."""
    places = create_config_search_path(str(CONF))
    if home is not None:
        schema = places.get_path().pop()
        places.append("command-line", f"file://{home.absolute()}")
        places.append(schema.provider, schema.path)
    return ConfigLoaderImpl(places)
