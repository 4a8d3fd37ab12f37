"""Hydra as an application: its flags, its own reading of the command line, one call of ours for
each run.
"""

from __future__ import annotations

import argparse
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stderr
from functools import cache
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra.types import RunMode
from omegaconf import DictConfig

from dlexp.config.base import Bases
from dlexp.config.overrides import COMMAND_LINE
from dlexp.config.sources import checked_sources
from dlexp.errors import UserError
from dlexp.paths import CONF


def check_flags(asked: argparse.Namespace) -> None:
    """Refuse flags that mean nothing, or lead nowhere."""
    if asked.config_dir is not None and not Path(asked.config_dir).is_dir():
        raise UserError(
            "there is no such folder",
            key="--config-dir",
            value=asked.config_dir,
            where=COMMAND_LINE,
        )
    if asked.multirun and any(word.lstrip("+") == "hydra.mode=RUN" for word in asked.overrides):
        raise UserError(
            "-m asks for a sweep: leave one of the two out",
            key="hydra.mode",
            value="RUN",
            where=COMMAND_LINE,
        )
    if asked.resolve and asked.cfg is None:
        raise UserError(
            "shows what references lead to: say --cfg job with it",
            key="--resolve",
            where=COMMAND_LINE,
        )
    if asked.package is not None and asked.cfg is None:
        wrong = "shows a part of a configuration: say --cfg job with it"
        raise UserError(wrong, key="--package", value=asked.package, where=COMMAND_LINE)


@contextmanager
def _composed_by_us(asked: argparse.Namespace) -> Iterator[None]:
    """Inside, Hydra composes a sweep's base as `Bases` does, and what it is to show of a sweep is
    the base.

    Hydra composes everything twice, the first time only to learn whether to sweep: a fifth of a
    command's beginning. Where no study and no word of Hydra's is asked for, nothing but `-m` can
    say so.
    """
    shown = asked.cfg is not None or asked.info is not None
    plain = not any(
        word.lstrip("+~").startswith(("experiment", "hydra")) for word in asked.overrides
    )
    composed, before = ConfigLoaderImpl.load_configuration, Hydra.get_mode

    @cache
    def bases(loader: Any) -> Bases:
        return Bases(lambda words: composed(loader, "config", words, RunMode.MULTIRUN))

    def mode(loader: Any, overrides: list[str]) -> RunMode | None:
        if asked.multirun or plain:
            return RunMode.MULTIRUN if asked.multirun else RunMode.RUN
        try:
            return bases(loader).mode(overrides)
        except Exception:  # composed again, it is raised where it is explained
            return None

    def load(
        loader: ConfigLoaderImpl,
        config_name: str,
        overrides: list[str],
        run_mode: RunMode,
        **more: Any,
    ) -> DictConfig:
        if run_mode is RunMode.MULTIRUN or (shown and mode(loader, overrides) is RunMode.MULTIRUN):
            base = bases(loader).of(overrides)
            base.hydra.mode = RunMode.MULTIRUN
            return base
        return composed(loader, config_name, overrides, run_mode, **more)

    def get_mode(hydra: Hydra, config_name: str | None, overrides: list[str]) -> Any:
        return mode(hydra.config_loader, overrides)

    ConfigLoaderImpl.load_configuration = load  # type: ignore[method-assign, assignment]
    Hydra.get_mode = get_mode  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        ConfigLoaderImpl.load_configuration, Hydra.get_mode = composed, before  # type: ignore[method-assign]


def run(asked: argparse.Namespace, task: Callable[[DictConfig], None]) -> None:
    """Hand the command line to Hydra, its flags before all overrides as it wants them."""
    shown = asked.cfg is not None or asked.info is not None
    given = {
        "--multirun": asked.multirun and not shown,
        "--resolve": asked.resolve,
        "--cfg": asked.cfg,
        "--package": asked.package,
        "--info": asked.info,
        "--config-dir": asked.config_dir,
    }
    flags = [
        w
        for flag, value in given.items()
        if value
        for w in ([flag] if value is True else [flag, value])
    ]
    before, full = (sys.argv, logging.raiseExceptions), os.environ.get("HYDRA_FULL_ERROR")
    sys.argv = ["dlexp", *flags, *asked.overrides]
    # Hydra prints by logging, which tells of every line that `| head` cuts off
    logging.raiseExceptions = not shown
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions reach us instead of being printed
    unsaid: AbstractContextManager[Any] = (
        redirect_stderr(io.StringIO()) if asked.package else nullcontext()
    )
    try:
        with checked_sources(), _composed_by_us(asked), unsaid:
            hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(task)()
    except SystemExit as e:
        if asked.package and e.code:
            wrong = "there is no such part of the configuration"
            raise UserError(
                wrong, key="--package", value=asked.package, where=COMMAND_LINE
            ) from None
        raise
    finally:
        sys.argv, logging.raiseExceptions = before
        (
            os.environ.pop("HYDRA_FULL_ERROR")
            if full is None
            else os.environ.update(HYDRA_FULL_ERROR=full)
        )
