"""`python -m dlexp sync`: send MLflow what it has not got yet, as often as you like."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from dlexp import journal, places
from dlexp.errors import UserError
from dlexp.tracking import start


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(message, key="sync", where="command line")


def main(words: Sequence[str]) -> int:
    """Send the runs named, or all under outputs/; 0 if MLflow then has all there is, 1 if not.

    Raises `UserError` for a folder that holds no run.
    """
    parser = _Parser(
        prog="python -m dlexp sync",
        description="Send MLflow what it has not got yet, of the runs named or of all under outputs/.",
    )
    parser.add_argument("run", nargs="*", type=Path, help="a run's folder")
    asked: list[Path] = parser.parse_args(list(words)).run
    for folder in asked:
        if not (folder / journal.EVENTS).is_file():
            raise UserError(f"there is no run in {folder}", key="sync", where="command line")
    tracked = [f for f in asked or runs(places.outputs()) if is_tracked(f)]
    folders = [f for f in tracked if not journal.is_alive(f)]
    if live := len(tracked) - len(folders):
        print(f"{live} run{'s' if live > 1 else ''} under way: left to the sender beside it")
    if not folders:
        print("nothing to send" if tracked else f"nothing to send: no runs for MLflow under {places.outputs()}")
        return 0
    print(f"sending {len(folders)} run{'s' if len(folders) > 1 else ''} …", flush=True)
    outcome = start(folders).wait()
    print(f"all there: {outcome.uri}" if outcome.complete else outcome, file=None if outcome.complete else sys.stderr)
    return 0 if outcome.complete else 1


def runs(outputs: Path) -> list[Path]:
    """The folders of all runs under an outputs folder, oldest first; MLflow's copies of `run.json` are no runs."""
    found = (f.parent for f in outputs.glob(f"**/{journal.EVENTS}") if (f.parent / journal.DESCRIPTION).is_file())
    return sorted(found, key=lambda folder: folder.name)


def is_tracked(folder: Path) -> bool:
    """Whether the run is one for MLflow. One whose description is damaged is: the sender says what is wrong with it."""
    try:
        return bool(journal.description(folder).get("tracking"))
    except (OSError, ValueError, AttributeError):
        return True
