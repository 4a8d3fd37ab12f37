"""Train a recorded run again and compare its numbers, bit by bit.

RUN is a folder, a name, an id, MLflow's run id, or last.
"""

from __future__ import annotations

import math

import click

from dlexp.cli.completion import run_names
from dlexp.cli.verbs import verb
from dlexp.errors import UserError


@verb(__doc__)
@click.argument("run", shell_complete=run_names)
@click.option(
    "--tolerance",
    type=float,
    metavar="R",
    help="The relative difference allowed on another machine (default: 0.001).",
)
@click.option("--uri", help="The MLflow store that has the run, if not the one under outputs/.")
def command(run: str, tolerance: float | None, uri: str | None) -> int:
    """Return 1 if the numbers differ."""
    from dlexp.runs import replay

    if tolerance is not None and not 0 <= tolerance < math.inf:
        wrong = "must be a finite number >= 0"
        raise UserError(wrong, key="--tolerance", value=tolerance, where="command line")
    return replay.replay(run, tolerance=tolerance, uri=uri)
