"""Train a recorded run again with other observers.

RUN is a folder, a name, an id, or last. Only observers can be set: observer=[diagnostics],
observer.histograms.every=2. The numbers are compared with those of the run, which stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from dlexp.cli.completion import observer_overrides, run_names
from dlexp.cli.verbs import verb


@verb(__doc__)
@click.argument("run", shell_complete=run_names)
@click.argument(
    "overrides",
    nargs=-1,
    required=True,
    metavar="OBSERVER=VALUE...",
    shell_complete=observer_overrides,
)
def command(run: str, overrides: Sequence[str]) -> int:
    """Return 1 if the numbers differ."""
    from dlexp.runs import replay

    return replay.probe(run, overrides)
