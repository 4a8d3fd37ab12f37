"""The command that trains: `python -m dlexp <overrides>`, once, or with -m for every combination."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlexp import shell

if TYPE_CHECKING:
    from dlexp.config import Composition, Flags


def main(words: Sequence[str]) -> int:
    """Compose, validate, train; or show what would be. Returns the exit status.

    Raises `UserError` for what cannot be meant, before anything is created.
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
    """What `--help` and `--version` print, for which nothing is composed; empty without them."""
    if not {"--help", "-h"}.isdisjoint(words):
        from dlexp.cli import help as pages

        return pages.overview()
    if "--version" in words:
        from dlexp import __version__

        return f"dlexp {__version__}"
    return ""


def _run(composition: Composition, flags: Flags) -> int:
    """Train one run, or say what it would be."""
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
    """Train what is missing of a sweep, and compare its runs; or list its jobs."""
    from dlexp.cli import summary
    from dlexp.sweeps import sweepers
    from dlexp.sweeps.session import Session

    session = Session(command, dry_run=flags.dry_run, retry_failed=flags.retry_failed)
    try:
        with session, composition.explained():
            sweepers.conduct(composition, session)
            # while the sweep is still held, so that it is sent to MLflow too
            compared = summary.comparison(session)
    except KeyboardInterrupt:
        if session.folder is not None:
            done = f"interrupted: {session.trained} runs trained"
            rest = shell.command("resume", session.folder.name)
            print(f"{done}; the rest: {rest}", file=sys.stderr)
        raise
    return summary.of_sweep(session, compared)
