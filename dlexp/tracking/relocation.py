"""Checks and repairs MLflow's SQLite store for `python -m dlexp doctor`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

from filelock import Timeout

from dlexp import shell
from dlexp.errors import describe_error
from dlexp.storage.atomic import is_held, lock
from dlexp.tracking import artifacts

BUSY = 5.0  # seconds to wait for a store


def _locked(store: Path, *, dry: bool) -> AbstractContextManager[Any]:
    """A lock on a store; a dry run only checks that it is free. Raises `Timeout`."""
    name = store.with_name(f"{store.name}.lock")
    if dry and is_held(name):
        raise Timeout(str(name))
    return nullcontext() if dry else lock(name, timeout=BUSY)


def check_store(file: Path, *, dry: bool) -> Iterator[tuple[str, str]]:
    """Check a store with SQLite, which rolls back interrupted writes; kinds and findings."""
    new = file.with_name(f"{file.name}.new")
    if new.exists():
        try:
            with _locked(file, dry=dry):
                left = [f for f in (new, *file.parent.glob(f"{new.name}-*")) if f.exists()]
                for path in () if dry else left:
                    path.unlink()
            if left:
                yield "repaired", "an incomplete store beside it: removed"
        except Timeout:
            return  # it is being made now
        except OSError as e:
            yield "to do", f"cannot be repaired: {describe_error(e)}"
    if not file.exists():
        return
    yield from _moved(file, dry=dry)
    try:
        try:
            wrong = _quick_check(file, "ro")
        except sqlite3.OperationalError as e:
            if "readonly" not in str(e):
                raise
            yield "repaired", "an interrupted write to it: undone"
            wrong = "ok" if dry else _quick_check(file, "rw")
        if wrong == "ok":
            return
    except sqlite3.OperationalError as e:
        yield "to do", f"cannot be examined: {e}"
        return
    except sqlite3.DatabaseError as e:
        wrong = str(e)
    away = f"{shell.join(['mv', str(file), f'{file}.damaged'])} && {shell.command('sync')}"
    tried = shell.join(["sqlite3", str(file), ".recover"])
    yield (
        "to do",
        (
            f"is damaged or not a store: {wrong}; copy it and try `{tried}`,"
            f" or move it away and fill a new one: `{away}`"
        ),
    )


def _quick_check(file: Path, mode: str) -> str:
    """`ok`, or the first defect."""
    with closing(
        sqlite3.connect(f"{file.absolute().as_uri()}?mode={mode}", uri=True, timeout=BUSY)
    ) as store:
        return str(store.execute("PRAGMA quick_check(1)").fetchone()[0])


def _moved(file: Path, *, dry: bool) -> Iterator[tuple[str, str]]:
    """Correct places of artifacts that name a former folder of the store."""
    moves: list[artifacts.Moved] = []
    try:
        moves = artifacts.settle(file, dry=True)
        if moves and not dry:
            with lock(file.with_name(f"{file.name}.lock"), timeout=BUSY):
                artifacts.settle(file)
    except Timeout:
        return  # a run is being begun in it, which corrects the store
    except (OSError, sqlite3.DatabaseError) as e:
        if moves:
            yield (
                "to do",
                f"it was in {moves[0].before}, and cannot be repaired: {describe_error(e)}",
            )
        return  # or the next check reports what is wrong with it
    for moved in moves:
        n = moved.places
        yield (
            "repaired",
            f"it was in {moved.before}: {n} place{'s' * (n != 1)} of artifacts named that folder",
        )
