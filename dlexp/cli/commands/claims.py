"""Run the named studies and show the verdicts on their claims in one table.

STUDY is the name of a study; without one, all studies with claims are run. KEY=VALUE is an override
for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from dlexp.cli.completion import studies_or_overrides
from dlexp.cli.verbs import verb


@verb(__doc__)
@click.argument(
    "words",
    nargs=-1,
    metavar="[STUDY|KEY=VALUE]...",
    shell_complete=studies_or_overrides,
)
@click.option(
    "--quick",
    is_flag=True,
    help="A smaller budget: fewer seeds and settings, not sent to MLflow.",
)
@click.option(
    "--config-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Studies of your own too: FOLDER/experiment/*.yaml.",
)
def command(words: Sequence[str], quick: bool, config_dir: Path | None) -> int:
    """Return 1 if a study failed, else 0, whatever the verdicts are."""
    from dlexp.sweeps import studies

    overrides = [word for word in words if "=" in word]
    names = [word for word in words if "=" not in word]
    return studies.put_to_test(names, overrides, quick=quick, home=config_dir)
