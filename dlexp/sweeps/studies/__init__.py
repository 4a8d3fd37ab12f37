"""`python -m dlexp claims`: every named study, several at a time, and one table of all verdicts.

A study is a command of its own, `python -m dlexp experiment=<name>`, run here with one worker: as
many studies at once as there are processors use them better than one study at a time, whose
beginning and end are one process's work.
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
    """Run the studies of these names, or all, and print the table of their verdicts; 1 if one of
    them failed, whatever the verdicts are.

    `home` is a folder with studies of the user's own. Raises `UserError` for a study or an override
    that there is not.
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
