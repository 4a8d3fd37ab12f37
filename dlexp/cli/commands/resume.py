"""Continue an interrupted run bit for bit; of a sweep, train what is missing.

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
    help="Of a run: also if code or numerical libraries changed; the run is then marked as mixed.",
)
@click.option("--retry-failed", is_flag=True, help="Of a sweep: train its failed runs again.")
@click.option("--dry-run", is_flag=True, help="Of a sweep: list what would be trained.")
def command(words: tuple[str, ...], anyway: bool, retry_failed: bool, dry_run: bool) -> int:
    """The exit status of the run, or the worst of the sweep's commands."""
    from dlexp.cli import summary, train
    from dlexp.runs import lifecycle
    from dlexp.storage.find import must_find
    from dlexp.storage.ledger import commands_of
    from dlexp.storage.records import is_sweep

    if len(words) != 1:
        wrong = "say which run or sweep: its name, its id, its folder, or last"
        raise UserError(wrong, key="resume", where="command line")
    flags = ["--retry-failed"] * retry_failed + ["--dry-run"] * dry_run
    folder = must_find(words[0], "resume")
    if not is_sweep(folder):
        if flags:
            raise UserError("means nothing to a single run", key=flags[0], where="command line")
        return summary.of_runs([lifecycle.resume(folder, anyway=anyway)])
    if anyway:
        wrong = "means nothing to a sweep, where what changed is another run"
        raise UserError(wrong, key="--anyway", where="command line")
    with paths.outputs_at(folder.resolve().parents[1]):
        return max(train.main([*command, *flags]) for command in commands_of(folder))
