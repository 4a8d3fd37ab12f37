"""A job of a sweep and its result, as values: a launcher takes the one and returns the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from dlexp.config import Setup
from dlexp.config.where import asks_for
from dlexp.runs import provenance
from dlexp.storage import atomic
from dlexp.storage.status import Status
from dlexp.sweeps.identity import Ingredients, run_key
from dlexp.sweeps.launcher import JobLost, JobRefused


class PlannedJob(NamedTuple):
    """A validated job, with the code and the data that it must be trained with.

    `folder` is the name of its run folder in the sweep: its key and a readable name.
    """

    key: str
    overrides: Sequence[str]
    setup: Setup
    ingredients: Ingredients
    folder: str


@dataclass(frozen=True)
class Job:
    """What to train, with its code and data, and the run folder; `tracking` is the sweep's."""

    setup: Setup
    key: str
    folder: Path
    sweep: str
    ingredients: Ingredients
    tracking: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class JobResult:
    """How a job ended, its cost (seconds, CPU seconds, peak memory in MB) and its metrics.

    `resumed_at` is the step of the checkpoint that it continued from, 0 for none; `restarted` is
    the reason why an unfinished run was trained from the start.
    """

    status: Status
    seconds: float
    cpu_seconds: float
    peak_mb: float
    error: str | None
    metrics: dict[str, float]
    resumed_at: int = 0
    restarted: str = ""


@dataclass(frozen=True)
class JobElsewhere:
    """Another process trains the job's run, for example `python -m dlexp resume`."""


JobOutcome = JobResult | JobRefused | JobElsewhere | JobLost


def plan_jobs(jobs: Iterable[tuple[Sequence[str], Setup]]) -> list[PlannedJob]:
    """The jobs with their keys. Raises `OSError` for a data file that cannot be read."""
    planned = []
    for overrides, setup in jobs:
        ingredients = Ingredients.of(setup.experiment)
        key = run_key(setup.experiment, ingredients)
        folder = f"{key}-{atomic.slug(provenance.run_name(setup.experiment))}"
        planned.append(PlannedJob(key, overrides, setup, ingredients, folder))
    return planned


def without_default_observers(setup: Setup) -> Setup:
    """The setup as a sweep trains it: a run draws figures only if observers were chosen."""
    chosen = asks_for("observer", setup.overrides, setup.files)
    return setup if chosen else replace(setup, experiment=replace(setup.experiment, observer=()))
