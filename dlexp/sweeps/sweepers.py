"""What `hydra/sweeper=` chooses: every combination, or a search."""

from __future__ import annotations

from dlexp.config import Composition, grid
from dlexp.sweeps import search, validate
from dlexp.sweeps.session import Session
from dlexp.sweeps.study import Study


def conduct(sweep: Composition, session: Session) -> None:
    """Validate all jobs of a sweep, then train those that are missing. Raises `UserError`."""
    config, n_jobs = sweep.config, sweep.config.hydra.launcher.n_jobs
    if sweep.sweeper != "grid":
        asked = config.hydra.sweeper
        options = search.Options(asked.n_trials, asked.seed, asked.metric)
        search.conduct(sweep.sweeper, sweep, session, options, n_jobs)
        return
    parts = grid.grid(config)
    session.parts = {name: len(jobs) for name, jobs in parts.items()}
    session.study = Study.of(config)
    jobs = validate.jobs(sweep, [job for part in parts.values() for job in part])
    if session.study is not None and session.study.words is not None:
        from dlexp.sweeps import (
            expected,
        )  # most sweeps have no claims: a quarter second for nothing

        expected.check(session.study, jobs, session.parts, list(config.hydra.overrides.task))
    session.conduct(jobs, grid.plan_of(config), n_jobs=n_jobs)
