"""What a command prints at its end: the result, its folder, and how to look at it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from dlexp import paths, shell
from dlexp.core.dataset import messages
from dlexp.errors import UserError, describe_error
from dlexp.runs import lifecycle, provenance
from dlexp.storage.records import RunDescription
from dlexp.storage.status import Status
from dlexp.tracking import Outcome, quoted, ui_command
from dlexp.tracking.settings import to_json, usual_uri

if TYPE_CHECKING:
    from dlexp.config import Setup
    from dlexp.runs.run import Run
    from dlexp.sweeps.session import Session

TABLES = 8  # most messages about tables that are printed


def words(run: Run) -> str:
    """The result, its folder, and how to look at it."""
    tests = {name: value for name, value in run.metrics.items() if name.startswith("test/")}
    metrics = tests or {"train/loss": run.metrics.get("train/loss", float("nan"))}
    figures = (
        f"\nfigures   {_near(run.folder / 'figures')}"
        if run.folder and (run.folder / "figures").is_dir()
        else ""
    )
    result = ", ".join(f"{name} {value:.4g}" for name, value in sorted(metrics.items()))
    lines = [
        f"{run.status.lower():9} {result} (step {run.trainer.t})",
        f"folder    {_near(run.folder)}{figures}",
    ]
    if run.status == Status.INTERRUPTED and run.folder:
        lines[0] = f"{run.status.lower()} at step {run.trainer.t} of {run.trainer.total}"
    elif run.error is not None and run.status != Status.FINISHED:
        lines[0] = f"{run.status.lower():9} {_one_line(describe_error(run.error))}"
    if run.status in (Status.INTERRUPTED, Status.FAILED) and run.folder:
        lines.append(f"go on     {shell.command('resume', shell.name_of(run.folder))}")
    lines[1:1] = run.dataset.messages() if run.dataset else []
    lines += [f"mixed     since it was resumed: {change}" for change in run.mixed]
    return "\n".join([*lines, *_mlflow_lines(run.tracked)])


def planned(setup: Setup) -> str:
    """What a dry run prints for a single run. Raises `UserError` if it could not be trained."""
    run = lifecycle.assembled(setup)
    to_json(setup.tracking)  # raises for settings that cannot be used
    return (
        f"to do     {provenance.run_name(setup.experiment)}: {run.trainer.total} steps, 1 run;"
        " nothing was created"
    )


def _mlflow_lines(tracked: Outcome | None) -> list[str]:
    """The state of the copy in MLflow, and how to look at it."""
    if tracked is None:
        return []
    try:
        usual = usual_uri()
    except UserError:
        # the environment has changed since; this run does not use it
        usual = ""
    other = "" if tracked.uri == usual else f" --uri {quoted(tracked.uri)}"
    by = [f"chosen    by the environment: {tracked.chosen}"] if tracked.chosen else []
    return [
        f"MLflow    {tracked}",
        *by,
        f"look      python -m dlexp ui{other}    (or: {ui_command(tracked.uri)})",
    ]


def _one_line(error: str | None) -> str:
    """The message of an exception on one line; its name alone if it has no message.

    >>> _one_line("ValueError: two\\nlines"), _one_line("AssertionError: ")
    ('ValueError: two lines', 'AssertionError')
    """
    return " ".join((error or "").split()).removesuffix(":")


def _near(path: Path | None) -> str:
    """A path relative to the current folder, if possible."""
    try:
        return str(path.relative_to(Path.cwd())) if path else "none"
    except ValueError:
        return str(path)


def of_runs(runs: list[Run]) -> int:
    """Print the results of the runs; return the exit status of the first unfinished one, else 0."""
    for run in runs:
        print(words(run), flush=True)
    return next((status for run in runs if (status := lifecycle.exit_status(run))), 0)


def of_sweep(session: Session, compared: str) -> int:
    """Print the result of a sweep, and failures that the report does not list; 1 if any failed."""
    if session.dry_run:
        return 0
    counts = Counter(entry.status.lower() for entry in session.entries)
    statuses = ", ".join(f"{n} {status}" for status, n in counts.most_common())
    resumed = f", {session.resumed} of them resumed from a checkpoint" if session.resumed else ""
    print(
        f"sweep     {statuses}; {session.trained} newly trained{resumed}\nfolder   "
        f" {_near(session.folder)}"
    )
    restarted = [
        f"restarted {n} unfinished run{'s' * (n != 1)}: {_one_line(reason)}"
        for reason, n in session.restarted.most_common()
    ]
    for note in [*_of_tables(session), *restarted, *session.notes, compared]:
        if note:
            print(note)
    failed = [entry for entry in session.entries if not entry.status.is_result]
    # reports of studies with claims do not list the runs
    claims = session.study is not None and session.study.description is not None
    listed = "\n" in compared and not claims
    for entry in failed if not listed else ():
        print(
            f"{entry.status.lower():9} {' '.join(entry.overrides)}: {_one_line(entry.error)}"
            f" ({entry.folder})"
        )
    for line in _mlflow_lines(session.tracked):
        print(line)
    return 1 if failed else 0


def _of_tables(session: Session) -> list[str]:
    """The messages of the runs about their tables, each once."""
    texts: dict[str, None] = {}
    for entry in session.entries:
        try:
            run = RunDescription.read((session.folder or paths.outputs()) / entry.folder)
            texts |= dict.fromkeys(messages(run.dataset))
        except (OSError, ValueError, AttributeError):  # it ended before it wrote one
            continue
    return [*texts][:TABLES]


def comparison(session: Session) -> str:
    """Make a sweep's report and return its text, or one line that says why there is none.

    A search has no report: it compares settings on validation data and must not use test data.
    """
    if session.folder is None or session.dry_run or session.searched:
        return ""
    from dlexp import report

    try:
        return report.make([session.folder]).text
    except UserError as e:
        return f"report    {e}"
