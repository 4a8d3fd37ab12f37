"""Send to MLflow what it does not have yet.

The argument is a run or a sweep: its folder, its name, or last; without one, all runs and sweeps
under outputs/ are sent. It may be repeated: what MLflow has already is not sent again.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from dlexp.cli.completion import run_and_sweep_names
from dlexp.cli.verbs import verb
from dlexp.errors import UserError


@verb(__doc__)
@click.argument("words", nargs=-1, metavar="[RUN|SWEEP]...", shell_complete=run_and_sweep_names)
def command(words: Sequence[str]) -> int:
    """Return 0 if MLflow then has everything, 1 if not."""
    from dlexp.storage.find import find
    from dlexp.tracking import sync

    folders = []
    for word in words:
        if (folder := find(word)) is None:
            raise UserError(f"there is no run in {word}", key="sync", where="command line")
        folders.append(folder)
    return sync.send(folders)
