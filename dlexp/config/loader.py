"""Hydra as a library: composes our groups and files without `hydra.main` and its patches."""

from __future__ import annotations

import io
import logging
from collections.abc import Collection, Sequence
from contextlib import redirect_stdout
from contextvars import ContextVar
from pathlib import Path

from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath, SearchPathElement
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig

from dlexp.config.sources import CheckedFiles, Reading
from dlexp.paths import CONF

ROOT = "config"
_folders: ContextVar[tuple[Path, ...]] = ContextVar("folders", default=())


class Folders(SearchPathPlugin):
    """Makes Hydra read the folders of a `Loader`, each file checked; other programs keep theirs."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        elements, folders = search_path.get_path(), _folders.get()
        for at, element in enumerate(elements):
            if folders and element.provider == "main":
                elements[at : at + 1] = [
                    SearchPathElement(provider, f"{CheckedFiles.scheme()}://{folder}")
                    for provider, folder in zip(("main", "command-line"), folders, strict=False)
                ][::-1]
                return


class Loader:
    """Composes configurations from dlexp's files and, with priority, from a folder of the user."""

    def __init__(self, config_dir: Path | None = None) -> None:
        for plugin in (CheckedFiles, Folders):
            Plugins.instance().register(plugin)
        folders = [CONF, config_dir] if config_dir else [CONF]
        token = _folders.set(tuple(folder.absolute() for folder in folders))
        shared = GlobalHydra.instance()
        others, shared.hydra = shared.hydra, None  # of a program that runs dlexp inside it
        try:
            with initialize_config_dir(str(CONF), version_base="1.3", job_name="dlexp"):
                hydra = GlobalHydra.instance().hydra
        finally:
            GlobalHydra.instance().hydra = others
            _folders.reset(token)
        assert hydra is not None
        self._hydra = hydra
        self._loader: ConfigLoader = self._hydra.config_loader
        self._reading = Reading()
        for source in self._loader.get_sources():
            if isinstance(source, CheckedFiles):
                source.reading = self._reading

    @property
    def files(self) -> list[tuple[str, Path]]:
        """The files read for the latest composition, the latest first."""
        return self._reading.files

    def load(
        self, words: Sequence[str], *, sweep: bool, without: Collection[str] = ()
    ) -> DictConfig:
        """Compose these overrides; for the base of a sweep, keys with several values are left out.

        Files set no root key that is in `without`.
        """
        self._latest = (list(words), RunMode.MULTIRUN if sweep else RunMode.RUN, without)
        with self._reading.apart_from(without):
            return self._loader.load_configuration(ROOT, *self._latest[:2])

    def load_job(self, base: DictConfig, words: Sequence[str]) -> DictConfig:
        """One job of a sweep."""
        with self._reading.apart_from(()):
            return self._loader.load_sweep_config(base, list(words))

    def info(self, what: str) -> str:
        """The output of Hydra's `--info` for the latest `load`."""
        words, mode, without = self._latest
        root, text = logging.getLogger(), io.StringIO()
        handlers, level = list(root.handlers), root.level
        try:
            with self._reading.apart_from(without), redirect_stdout(text):
                self._hydra.show_info(what, ROOT, words, mode)
        finally:  # Hydra prints through logging
            root.handlers[:] = handlers
            root.setLevel(level)
        return text.getvalue()
