"""One job of a sweep, as a worker does it. What this file imports is what every worker has ready."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlexp.config import Setup
from dlexp.config.where import asks_for
from dlexp.errors import Busy, describe_error
from dlexp.runs import lifecycle
from dlexp.storage.status import Status
from dlexp.sweeps import member
from dlexp.sweeps.identity import Changed, Ingredients
from dlexp.sweeps.workers import Refused


@dataclass(frozen=True)
class Job:
    """What to train, of which code and data, and where its folder is to be."""

    setup: Setup
    key: str
    folder: Path
    sweep: str
    held: Ingredients
    tracking: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Result:
    """How a job ended, what it cost (the run's seconds; this worker's CPU seconds, its peak memory
    in MB), its metrics.

    `continued` is the step of the checkpoint it went on from, `anew` says why it did not go on from
    what there was.
    """

    status: Status
    seconds: float
    cpu_seconds: float
    peak_mb: float
    error: str | None
    metrics: dict[str, float]
    continued: int = 0
    anew: str = ""


@dataclass(frozen=True)
class Elsewhere:
    """The job's run is being trained by another process, `python -m dlexp resume` for one."""


def do(job: Job) -> Result | Refused | Elsewhere:
    """Train it. Whatever goes wrong is in the result."""
    began, cpu = time.monotonic(), time.process_time()
    try:
        place = lifecycle.Place(
            job.folder, job.key, {"dlexp.sweep": job.sweep}, standalone=False, tracking=job.tracking
        )
        trained = member.train(job.setup, place, job.held)
    except Changed as e:
        return Refused(str(e))
    except Busy:
        return Elsewhere()
    except Exception as e:
        return Result(
            Status.FAILED,
            time.monotonic() - began,
            time.process_time() - cpu,
            _peak_mb(),
            _line(e),
            {},
        )
    run = trained.run
    finite = {name: value for name, value in run.metrics.items() if math.isfinite(value)}
    return Result(
        run.status,
        trained.seconds,
        time.process_time() - cpu,
        _peak_mb(),
        _line(run.error),
        finite,
        trained.step,
        trained.anew,
    )


def _line(error: BaseException | None) -> str | None:
    return f"{type(error).__name__}: {describe_error(error)}" if error else None


def _peak_mb() -> float:
    """The most memory this process ever had; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def unobserved(setup: Setup) -> Setup:
    """The setup as a sweep trains it: without a run's own figures, unless observers were asked for."""
    asked = asks_for("observer", setup.overrides, setup.files)
    return setup if asked else replace(setup, experiment=replace(setup.experiment, observer=()))
