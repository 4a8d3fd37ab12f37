"""`python -m dlexp sync`: sends to MLflow what it does not have; can be repeated."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from dlexp import paths
from dlexp.errors import UserError
from dlexp.storage import journal
from dlexp.storage.records import RUN_FILE, SWEEP_FILE, description_of, is_sweep
from dlexp.tracking import start


def send(named: Sequence[Path] = ()) -> int:
    """Send the runs and sweeps in these folders, or all under outputs/; 0 if MLflow has all then.

    Raises `UserError` for a folder that holds no run and no sweep.
    """
    for folder in named:
        if not ((folder / journal.EVENTS).is_file() or is_sweep(folder)):
            raise UserError(f"there is no run in {folder}", key="sync", where="command line")
    wanted = dict.fromkeys(f.parents[1] if _in_sweep(f) else f for f in named)
    tracked = [
        f for f in wanted or [*runs(paths.outputs()), *sweeps(paths.outputs())] if is_tracked(f)
    ]
    folders = [f for f in tracked if not journal.is_alive(f)]
    if live := [f for f in tracked if f not in folders]:
        print(f"{_counted(live)} in progress, left to their own sender")
    if not folders:
        print(
            "nothing to send"
            if tracked
            else f"nothing to send: no runs for MLflow under {paths.outputs()}"
        )
        return 0
    print(f"sending {_counted(folders)} …", flush=True)
    outcome = start(folders).wait()
    print(
        f"complete: {outcome.uri}" if outcome.complete else outcome,
        file=None if outcome.complete else sys.stderr,
    )
    return 0 if outcome.complete else 1


def runs(outputs: Path) -> list[Path]:
    """The folders of all runs under an outputs folder, oldest first, without those of sweeps.

    The runs of sweeps are sent with their sweep. MLflow's copies of run folders do not count.
    """
    folders = (
        f.parent
        for f in outputs.glob(f"runs/*/{journal.EVENTS}")
        if (f.parent / RUN_FILE).is_file()
    )
    return sorted(folders, key=lambda folder: folder.name)


def sweeps(outputs: Path) -> list[Path]:
    """The folders of all sweeps under an outputs folder."""
    return sorted(f.parent for f in (outputs / "sweeps").glob(f"*/{SWEEP_FILE}"))


def is_tracked(folder: Path) -> bool:
    """Whether it is for MLflow, or has a damaged description, which the sender will report."""
    try:
        return bool(description_of(folder).tracking)
    except (OSError, ValueError):
        return True


def _in_sweep(run: Path) -> bool:
    return run.parent.name == "runs" and is_sweep(run.parents[1])


def _counted(folders: Sequence[Path]) -> str:
    """`2 runs and 1 sweep`."""
    n = sum(map(is_sweep, folders))
    numbers = ((len(folders) - n, "run"), (n, "sweep"))
    return " and ".join(f"{k} {what}{'s' * (k > 1)}" for k, what in numbers if k)
