"""Close dead runs, report damaged files, and repair what can be repaired.

FOLDER is an outputs folder, a run's or a sweep's; outputs/ by default. Runs and sweeps
in progress are skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from dlexp.cli.verbs import verb


@verb(__doc__)
@click.argument("folders", nargs=-1, metavar="[FOLDER]...", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="List what would be repaired; change nothing.")
def command(folders: Sequence[Path], dry_run: bool) -> int:
    """Return 0 if all is well at the end, 1 if something is left to do."""
    from dlexp.cli.doctor import examine

    return examine(folders, dry=dry_run)
