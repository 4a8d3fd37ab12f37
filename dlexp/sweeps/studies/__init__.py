"""`python -m dlexp claims`: runs the named studies and prints one table of all verdicts.

A study is a command of its own, `python -m dlexp experiment=<name>`, run with one worker. Several
studies at once use the processors better than one study at a time, because the beginning and the
end of a study use a single process.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from dlexp.sweeps.studies.catalogue import CatalogueEntry, chosen, in_english, named, words_of


def put_to_test(
    names: Sequence[str],
    overrides: Sequence[str] = (),
    *,
    quick: bool = False,
    home: Path | None = None,
) -> int:
    """Run the named studies, or all, and print the table of their verdicts; 1 if a study failed.

    `home` is a folder with the user's own studies. Raises `UserError` for an unknown study or
    override.
    """
    studies = chosen(names, home)
    from dlexp.sweeps.studies import precheck, run, verdict_table

    precheck.check(studies, overrides, quick=quick, named=bool(names))
    began = time.monotonic()
    try:
        outcomes = run.run_studies(studies, overrides, quick=quick)
    except run.Interrupted as e:
        flags = ["--quick"] * quick + (["--config-dir", str(home)] if home else [])
        again = shlex.join(["python", "-m", "dlexp", "claims", *names, *overrides, *flags])
        print(verdict_table.interrupted(e.done, again), file=sys.stderr)
        raise
    print(verdict_table.of_outcomes(outcomes, quick=quick, seconds=time.monotonic() - began))
    return 1 if any(outcome.failed for outcome in outcomes) else 0


__all__ = ["CatalogueEntry", "in_english", "named", "put_to_test", "words_of"]
