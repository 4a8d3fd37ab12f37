"""A run of a sweep: it goes on from its checkpoint where it can, and is trained from the start
where it cannot.
"""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from dlexp.config import Setup
from dlexp.errors import Busy, UserError
from dlexp.runs import lifecycle
from dlexp.runs.lifecycle import Place
from dlexp.runs.records import OtherRun
from dlexp.runs.run import Run
from dlexp.storage import atomic, journal
from dlexp.storage.journal import Differs
from dlexp.sweeps.identity import Ingredients


@dataclass(frozen=True)
class Trained:
    """A run that has ended, and the seconds it took in all its parts.

    `step` is where it went on, 0 for a run of one piece; `anew` says why what there was of it could
    not be used.
    """

    run: Run
    seconds: float
    step: int = 0
    anew: str = ""


def train(setup: Setup, place: Place, held: Ingredients) -> Trained:
    """Go on with the run in the folder; or train it from the start, if there is none or it cannot
    go on.

    A run goes on as its own configuration says, bit for bit as if it had not been cut short. Raises
    `Changed` where the code or the data are not those it was planned with, `Busy` while another
    process trains it, and `UserError` for what cannot be trained.
    """
    held.check()
    anew = ""
    if place.folder.exists():
        try:
            run = lifecycle.go_on(place.folder)
            if not isinstance(run.error, Differs):
                return _continued(run, place.folder)
            anew = str(run.error)
        except Busy:
            raise
        except UserError as e:
            anew = _reason(e, place.folder)
        held.check_data()  # before what there is of the run is removed
        _clear(place.folder)
    began = time.monotonic()
    run = lifecycle.perform(setup, place=place, loaded=held.check_data)
    return Trained(run, time.monotonic() - began, anew=anew)


def _continued(run: Run, folder: Path) -> Trained:
    events, _ = journal.events(folder)
    step = next((e.step for e in reversed(events) if e.kind == "resume"), 0)
    return Trained(run, events[-1].elapsed, step)


def _reason(error: UserError, folder: Path) -> str:
    """Why a run cannot go on; an empty string where it was killed before it had measured anything."""
    try:
        if not any(event.is_measurement for event in journal.events(folder)[0]):
            return ""
    except (OSError, UserError):
        pass
    return "; ".join(map(str, error.changes)) if isinstance(error, OtherRun) else error.message


def _clear(folder: Path) -> None:
    """Remove a run's folder. Raises `Busy` while another process writes it."""
    if folder.is_symlink():
        atomic.remove(folder)
        return
    lock = atomic.lock(folder / journal.LOCK)
    try:
        lock.acquire(timeout=journal.PATIENCE)
    except Timeout:
        raise Busy("is being trained now", key="run", value=folder.name) from None
    try:
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != journal.LOCK:
                path.unlink()
    finally:
        lock.release()
    with suppress(OSError):  # another process asks at this moment whether the run is alive
        shutil.rmtree(folder)
