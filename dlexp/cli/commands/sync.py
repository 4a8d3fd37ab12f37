"""Send to MLflow what it does not have yet.

FOLDER is a run's or a sweep's folder; without one, all runs and sweeps under outputs/ are sent. It
may be repeated at any time: what MLflow has already is not sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from dlexp.cli.verbs import verb


@verb(__doc__)
@click.argument("folders", nargs=-1, metavar="[FOLDER]...", type=click.Path(path_type=Path))
def command(folders: Sequence[Path]) -> int:
    """0 if MLflow then has all there is, 1 if not."""
    from dlexp.tracking import sync

    return sync.send(folders)
