"""The options of `hydra/sweeper=`: a grid of all combinations, or a search."""

from __future__ import annotations

from dlexp.config import Composition, grid
from dlexp.sweeps import search, validate
from dlexp.sweeps.session import Session
from dlexp.sweeps.study import NamedStudy


def conduct(sweep: Composition, session: Session) -> None:
    """Validate all jobs of a sweep, then train the missing ones. Raises `UserError`."""
    config, n_jobs = sweep.config, sweep.config.hydra.launcher.n_jobs
    if sweep.sweeper != "grid":
        sweeper = config.hydra.sweeper
        options = search.Options(sweeper.n_trials, sweeper.seed, sweeper.metric)
        search.run(sweep.sweeper, sweep, session, options, n_jobs)
        return
    parts = grid.grid(config)
    session.parts = {name: len(jobs) for name, jobs in parts.items()}
    session.study = NamedStudy.of(config)
    jobs = validate.jobs(sweep, [job for part in parts.values() for job in part])
    if session.study is not None and session.study.description is not None:
        # imported here: most sweeps have no claims, and the import takes a quarter second
        from dlexp.sweeps import claim_checks

        claim_checks.check(session.study, jobs, session.parts, list(config.hydra.overrides.task))
    session.run(jobs, grid.plan_of(config), n_jobs=n_jobs)
