"""The training command: `python -m dlexp <overrides>`, or with -m for all combinations."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlexp import shell

if TYPE_CHECKING:
    from dlexp.config import Composition, Flags


def main(words: Sequence[str]) -> int:
    """Compose, validate and train, or only show the configuration. Returns the exit status.

    Raises `UserError` for invalid words, before anything is created.
    """
    if text := _answer(words):
        print(text)
        return 0
    from dlexp.config import Composition, overrides, parse

    flags = parse(overrides.typed(words))
    if flags.hydra_help or flags.cfg or flags.info:
        from dlexp.config import show

        print(show.text(flags), end="")
        return 0
    composition = Composition.of(flags)
    composition.set_log_levels()
    if composition.is_sweep:
        return _sweep(composition, flags, shlex.join(["python", "-m", "dlexp", *words]))
    return _run(composition, flags)


def _answer(words: Sequence[str]) -> str:
    """The output of `--help` and `--version`, which compose nothing; empty without these flags."""
    if not {"--help", "-h"}.isdisjoint(words):
        from dlexp.cli import help as pages

        return pages.overview()
    if "--version" in words:
        from dlexp import __version__

        return f"dlexp {__version__}"
    return ""


def _run(composition: Composition, flags: Flags) -> int:
    """Train one run, or print what would be trained."""
    from dlexp.cli import summary
    from dlexp.runs import lifecycle
    from dlexp.sweeps import study

    study.refuse_single(composition.config, composition.config.hydra)
    setup = composition.setup()
    if flags.dry_run:
        print(summary.planned(setup))
        return 0
    return summary.of_runs([lifecycle.perform(setup)])


def _sweep(composition: Composition, flags: Flags, command: str) -> int:
    """Train the missing runs of a sweep and compare them, or list its jobs."""
    from dlexp.cli import summary
    from dlexp.sweeps import sweepers
    from dlexp.sweeps.session import Session

    session = Session(command, dry_run=flags.dry_run, retry_failed=flags.retry_failed)
    try:
        with session, composition.explained():
            sweepers.conduct(composition, session)
            # the sweep is still locked, so that the report is sent to MLflow too
            compared = summary.comparison(session)
    except KeyboardInterrupt:
        if session.folder is not None:
            done = f"interrupted after training {session.trained} runs"
            rest = shell.command("resume", session.folder.name)
            print(f"{done}; continue with: {rest}", file=sys.stderr)
        raise
    return summary.of_sweep(session, compared)
