"""Trains one job in a worker: resumes its run from the checkpoint, or trains it from the start.

Every worker has imported what this module imports before its first job.
"""

from __future__ import annotations

import math
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import Timeout

from dlexp.config import Setup
from dlexp.errors import Busy, UserError, describe_error
from dlexp.runs import lifecycle
from dlexp.runs.lifecycle import Place
from dlexp.runs.records import OtherRun
from dlexp.runs.run import Run
from dlexp.storage import atomic, journal
from dlexp.storage.journal import Differs
from dlexp.storage.status import Status
from dlexp.sweeps.identity import Changed, Ingredients
from dlexp.sweeps.job import Job, JobElsewhere, JobResult
from dlexp.sweeps.launcher import JobRefused


def train_job(job: Job) -> JobResult | JobRefused | JobElsewhere:
    """Train a job. Any failure is part of the result."""
    began, cpu_began = time.monotonic(), time.process_time()
    try:
        place = Place(
            job.folder, job.key, {"dlexp.sweep": job.sweep}, standalone=False, tracking=job.tracking
        )
        trained = _train(job.setup, place, job.ingredients)
    except Changed as e:
        return JobRefused(str(e))
    except Busy:
        return JobElsewhere()
    except Exception as e:
        seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu_began
        return JobResult(Status.FAILED, seconds, cpu_seconds, _peak_mb(), _line(e), {})
    run = trained.run
    return JobResult(
        run.status,
        trained.seconds,
        time.process_time() - cpu_began,
        _peak_mb(),
        _line(run.error),
        {name: value for name, value in run.metrics.items() if math.isfinite(value)},
        trained.resumed_at,
        trained.restarted,
    )


@dataclass(frozen=True)
class _Trained:
    """An ended run, and the seconds it took in all its sessions; see `JobResult`."""

    run: Run
    seconds: float
    resumed_at: int = 0
    restarted: str = ""


def _train(setup: Setup, place: Place, ingredients: Ingredients) -> _Trained:
    """Resume the run in the folder, or train it from the start if that is impossible.

    A run continues with its own configuration, bit for bit as if it had not been interrupted.
    Raises `Changed` if code or data differ from the plan, `Busy` while another process trains it,
    and `UserError` for a run that cannot be trained.
    """
    ingredients.check()
    restarted = ""
    if place.folder.exists():
        try:
            run = lifecycle.go_on(place.folder)
            if not isinstance(run.error, Differs):
                return _resumed(run, place.folder)
            restarted = str(run.error)
        except Busy:
            raise
        except UserError as e:
            restarted = _reason(e, place.folder)
        ingredients.check_data()  # before the files of the unfinished run are removed
        _clear(place.folder)
    began = time.monotonic()
    run = lifecycle.perform(setup, place=place, loaded=ingredients.check_data)
    return _Trained(run, time.monotonic() - began, restarted=restarted)


def _resumed(run: Run, folder: Path) -> _Trained:
    events, _ = journal.events(folder)
    step = next((e.step for e in reversed(events) if e.kind == "resume"), 0)
    return _Trained(run, events[-1].elapsed, step)


def _reason(error: UserError, folder: Path) -> str:
    """Why a run cannot be resumed; empty if it was killed before it had measured anything."""
    try:
        if not any(event.is_measurement for event in journal.events(folder)[0]):
            return ""
    except (OSError, UserError):
        pass
    return "; ".join(map(str, error.changes)) if isinstance(error, OtherRun) else error.message


def _clear(folder: Path) -> None:
    """Remove a run's folder. Raises `Busy` while another process writes to it."""
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
    with suppress(OSError):  # another process is just checking whether the run is alive
        shutil.rmtree(folder)


def _line(error: BaseException | None) -> str | None:
    return f"{type(error).__name__}: {describe_error(error)}" if error else None


def _peak_mb() -> float:
    """The peak memory of this process; 0 if the system does not report it."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
