"""One job of a sweep, as a worker does it. What this file imports is what every worker has ready."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

from dlexp import lifecycle
from dlexp.config import Setup


@dataclass(frozen=True)
class Job:
    """What to train, and where its folder is to be."""

    setup: Setup
    key: str
    folder: Path
    sweep: str


@dataclass(frozen=True)
class Result:
    """How a job ended, with its latest metrics."""

    status: str
    seconds: float
    error: str | None
    metrics: dict[str, float]


def do(job: Job) -> Result:
    """Train it. Whatever goes wrong is in the result."""
    began = time.monotonic()
    try:
        run = lifecycle.perform(
            job.setup, place=lifecycle.Place(job.folder, job.key, {"dlexp.sweep": job.sweep}, alone=False)
        )
    except Exception as e:
        return Result("FAILED", time.monotonic() - began, f"{type(e).__name__}: {e}", {})
    finite = {name: value for name, value in run.metrics.items() if math.isfinite(value)}
    error = f"{type(run.error).__name__}: {run.error}" if run.error else None
    return Result(run.status, time.monotonic() - began, error, finite)


def unobserved(setup: Setup) -> Setup:
    """The setup as a sweep trains it: without a run's own figures, unless observers were asked for."""
    asked = any(o.lstrip("+").partition("=")[0].partition(".")[0] == "observer" for o in setup.overrides)
    return setup if asked else replace(setup, experiment=replace(setup.experiment, observer=()))
