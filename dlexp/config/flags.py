"""The words of the training command: Hydra's flags, dlexp's own flags, and overrides."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from dlexp.config.where import COMMAND_LINE
from dlexp.errors import UserError

SHOWN = ("job", "hydra", "all")
INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")


class Flags(argparse.Namespace):
    """The typed flags, and the overrides in their order."""

    hydra_help: bool
    multirun: bool
    cfg: str | None
    package: str | None
    resolve: bool
    info: str | None
    config_dir: Path | None
    dry_run: bool
    retry_failed: bool
    overrides: list[str]

    def beside(self, *names: str) -> list[str]:
        """The typed flags except these."""
        return [
            f"--{name.replace('_', '-')}"
            for name, value in vars(self).items()
            if value and name not in (*names, "overrides")
        ]


class Parser(argparse.ArgumentParser):
    """argparse with errors of one line (`UserError`) instead of a usage page."""

    def error(self, message: str) -> NoReturn:
        raise UserError(message, where=COMMAND_LINE)


def parser() -> Parser:
    """Flags may stand before, between and after the overrides."""
    made = Parser(prog="python -m dlexp", add_help=False, allow_abbrev=False)
    made.add_argument("--hydra-help", action="store_true")
    made.add_argument("--multirun", "-m", action="store_true")
    made.add_argument("--cfg", "-c", choices=SHOWN)
    made.add_argument("--package", "-p")
    made.add_argument("--resolve", action="store_true")
    made.add_argument("--info", "-i", nargs="?", const="all", choices=INFO)
    made.add_argument("--config-dir", "-cd", type=Path)
    made.add_argument("--dry-run", action="store_true")
    made.add_argument("--retry-failed", action="store_true")
    made.add_argument("overrides", nargs="*")
    return made


def parse(words: Sequence[str]) -> Flags:
    """Parse the words after `dlexp`. Raises `UserError` for flags that are invalid or conflict."""
    flags = parser().parse_intermixed_args(list(words), Flags())
    if flags.config_dir is not None and not flags.config_dir.is_dir():
        raise _refused("there is no such folder", "--config-dir", str(flags.config_dir))
    if flags.multirun and any(word.lstrip("+") == "hydra.mode=RUN" for word in flags.overrides):
        raise _refused(
            "conflicts with -m, which asks for a sweep: leave one of the two out",
            "hydra.mode",
            "RUN",
        )
    if flags.resolve and flags.cfg is None:
        raise _refused("resolves references in what --cfg prints: add --cfg job", "--resolve")
    if flags.package is not None and flags.cfg is None:
        wrong = "selects a part of what --cfg prints: add --cfg job"
        raise _refused(wrong, "--package", flags.package)
    return flags


def _refused(wrong: str, key: str, value: str | None = None) -> UserError:
    return UserError(wrong, key=key, value=value, where=COMMAND_LINE)
