"""Hydra as an application: its flags, its own reading of the command line, one call of ours for each run."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, redirect_stderr
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig

from dlexp.config.overrides import COMMAND_LINE
from dlexp.config.sources import looked_through
from dlexp.errors import UserError
from dlexp.places import CONF


def check_flags(asked: argparse.Namespace) -> None:
    """Refuse flags that mean nothing, or lead nowhere."""
    if asked.config_dir is not None and not Path(asked.config_dir).is_dir():
        raise UserError("there is no such folder", key="--config-dir", value=asked.config_dir, where=COMMAND_LINE)
    if asked.package is not None and asked.cfg is None:
        wrong = "shows a part of a configuration: say --cfg job with it"
        raise UserError(wrong, key="--package", value=asked.package, where=COMMAND_LINE)


def run(asked: argparse.Namespace, task: Callable[[DictConfig], None]) -> None:
    """Hand the command line to Hydra, its flags before all overrides as it wants them."""
    given = {
        "--multirun": asked.multirun, "--resolve": asked.resolve, "--cfg": asked.cfg, "--package": asked.package,
        "--info": asked.info, "--config-dir": asked.config_dir,
    }  # fmt: skip
    flags = [w for flag, value in given.items() if value for w in ([flag] if value is True else [flag, value])]
    before, full = sys.argv, os.environ.get("HYDRA_FULL_ERROR")
    sys.argv = ["dlexp", *flags, *asked.overrides]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # exceptions reach us instead of being printed
    unsaid: AbstractContextManager[Any] = redirect_stderr(io.StringIO()) if asked.package else nullcontext()
    try:
        with looked_through(), unsaid:
            hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(task)()
    except SystemExit as e:
        if asked.package and e.code:
            wrong = "there is no such part of the configuration"
            raise UserError(wrong, key="--package", value=asked.package, where=COMMAND_LINE) from None
        raise
    finally:
        sys.argv = before
        os.environ.pop("HYDRA_FULL_ERROR") if full is None else os.environ.update(HYDRA_FULL_ERROR=full)
