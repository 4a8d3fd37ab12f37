"""One job of a sweep, as a worker does it. What this file imports is what every worker has ready."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlexp import lifecycle
from dlexp.config import Setup
from dlexp.config.where import asks_for
from dlexp.errors import told


@dataclass(frozen=True)
class Job:
    """What to train, and where its folder is to be."""

    setup: Setup
    key: str
    folder: Path
    sweep: str
    tracking: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Result:
    """How a job ended, what it cost its worker (CPU seconds; the worker's peak memory in MB), its latest metrics."""

    status: str
    seconds: float
    cpu_seconds: float
    peak_mb: float
    error: str | None
    metrics: dict[str, float]


def do(job: Job) -> Result:
    """Train it. Whatever goes wrong is in the result."""
    began, cpu = time.monotonic(), time.process_time()
    metrics: dict[str, float] = {}
    error: BaseException | None = None
    try:
        place = lifecycle.Place(job.folder, job.key, {"dlexp.sweep": job.sweep}, alone=False, tracking=job.tracking)
        run = lifecycle.perform(job.setup, place=place)
        status, error, metrics = run.status, run.error, run.metrics
    except Exception as e:
        status, error = "FAILED", e
    finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
    said = f"{type(error).__name__}: {told(error)}" if error else None
    return Result(status, time.monotonic() - began, time.process_time() - cpu, _peak_mb(), said, finite)


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
