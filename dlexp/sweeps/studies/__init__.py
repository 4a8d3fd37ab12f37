"""`python -m dlexp claims`: every named study, several at a time, and one table of all verdicts.

A study is a command of its own, `python -m dlexp experiment=<name>`, run here with one worker: as
many studies at once as there are processors use them better than one study at a time, whose
beginning and end are one process's work.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from dlexp.errors import UserError
from dlexp.sweeps.studies.catalogue import CatalogueEntry, chosen, in_english, named, words_of


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(message, key="claims", where="command line")


def main(argv: Sequence[str]) -> int:
    """Run the studies asked for, or all; print the table. 1 if one of them failed, whatever the
    verdicts are.
    """
    parser = _Parser(
        prog="python -m dlexp claims",
        description="Put the claims of the named studies to the test.",
    )
    parser.add_argument(
        "studies", nargs="*", help="names of studies, and overrides for all of them; all by default"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a smaller budget: fewer seeds and settings, not sent to MLflow",
    )
    parser.add_argument(
        "--config-dir",
        type=Path,
        metavar="folder",
        help="studies of your own too: <folder>/experiment/*.yaml",
    )
    try:
        asked = parser.parse_intermixed_args(list(argv))
    except SystemExit as e:  # --help
        return int(e.code or 0)
    overrides = [word for word in asked.studies if "=" in word]
    names = [word for word in asked.studies if "=" not in word]
    studies = chosen(names, asked.config_dir)
    from dlexp.sweeps.studies import precheck, run, verdict_table

    precheck.check(studies, overrides, quick=asked.quick, named=bool(names))
    began = time.monotonic()
    try:
        outcomes = run.run_studies(studies, overrides, quick=asked.quick)
    except run.Interrupted as e:
        print(
            verdict_table.interrupted(
                e.done, shlex.join(["python", "-m", "dlexp", "claims", *argv])
            ),
            file=sys.stderr,
        )
        raise
    print(verdict_table.of_outcomes(outcomes, quick=asked.quick, seconds=time.monotonic() - began))
    return 1 if any(outcome.failed for outcome in outcomes) else 0


__all__ = ["CatalogueEntry", "in_english", "main", "named", "words_of"]
