"""Continue an interrupted run bit for bit, or train the missing runs of a sweep.

The argument is a name, an id, a folder, or last.
"""

from __future__ import annotations

import click

from dlexp import paths
from dlexp.cli.completion import run_and_sweep_names
from dlexp.cli.verbs import verb
from dlexp.errors import UserError


@verb(__doc__)
@click.argument("words", nargs=-1, metavar="RUN|SWEEP", shell_complete=run_and_sweep_names)
@click.option(
    "--anyway",
    is_flag=True,
    help="For a run: continue although code or numerical libraries changed; it is marked as mixed.",
)
@click.option("--retry-failed", is_flag=True, help="For a sweep: train its failed runs again.")
@click.option("--dry-run", is_flag=True, help="For a sweep: list what would be trained.")
def command(words: tuple[str, ...], anyway: bool, retry_failed: bool, dry_run: bool) -> int:
    """Return the exit status of the run, or the worst of the sweep's commands."""
    from dlexp.cli import summary, train
    from dlexp.runs import lifecycle
    from dlexp.storage.find import must_find
    from dlexp.storage.ledger import commands_of
    from dlexp.storage.records import is_sweep

    if len(words) != 1:
        wrong = "name a run or sweep: its name, its id, its folder, or last"
        raise UserError(wrong, key="resume", where="command line")
    flags = ["--retry-failed"] * retry_failed + ["--dry-run"] * dry_run
    folder = must_find(words[0], "resume")
    if not is_sweep(folder):
        if flags:
            raise UserError("applies only to a sweep", key=flags[0], where="command line")
        return summary.of_runs([lifecycle.resume(folder, anyway=anyway)])
    if anyway:
        wrong = "applies only to a run: in a sweep, changed code makes another run"
        raise UserError(wrong, key="--anyway", where="command line")
    with paths.outputs_at(folder.resolve().parents[1]):
        return max(train.main([*command, *flags]) for command in commands_of(folder))
