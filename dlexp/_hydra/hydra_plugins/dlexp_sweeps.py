"""Hydra finds its launchers and sweepers in packages called `hydra_plugins`; these hand over to
`dlexp.sweep`.

No `from __future__ import annotations` here: the dataclasses below are read by Hydra's scanner.
"""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence  # noqa: UP035

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class LocalConf:
    """`hydra/launcher=local`: parallel processes on this machine; `n_jobs` of them, None for one
    per processor.
    """

    _target_: str = "hydra_plugins.dlexp_sweeps.LocalLauncher"
    n_jobs: Optional[int] = None  # noqa: UP045


@dataclass
class GridConf:
    """`hydra/sweeper=grid`: every combination of the swept values; or of several parts, each with
    its own.

    `params` are swept (or fixed) in every part, `parts.<name>` in that part; the command line
    overrules both.
    """

    _target_: str = "hydra_plugins.dlexp_sweeps.GridSweeper"
    params: Optional[Dict[str, str]] = field(default_factory=dict)  # noqa: UP006, UP045
    parts: Optional[Dict[str, Dict[str, Any]]] = field(default_factory=dict)  # noqa: UP006, UP045


@dataclass
class RandomConf:
    """`hydra/sweeper=random`: `n_trials` drawn with `seed`; the best is told by `metric`, one of
    the validation's.
    """

    _target_: str = "hydra_plugins.dlexp_sweeps.RandomSweeper"
    n_trials: int = 20
    seed: int = 0
    metric: Optional[str] = None  # noqa: UP045
    params: Optional[Dict[str, str]] = field(default_factory=dict)  # noqa: UP006, UP045


@dataclass
class TPEConf(RandomConf):
    """`hydra/sweeper=tpe`: `n_trials`, drawn where the results so far promise most."""

    _target_: str = "hydra_plugins.dlexp_sweeps.TPESweeper"


ConfigStore.instance().store(group="hydra/launcher", name="local", node=LocalConf, provider="dlexp")
ConfigStore.instance().store(group="hydra/sweeper", name="grid", node=GridConf, provider="dlexp")
ConfigStore.instance().store(
    group="hydra/sweeper", name="random", node=RandomConf, provider="dlexp"
)
ConfigStore.instance().store(group="hydra/sweeper", name="tpe", node=TPEConf, provider="dlexp")


class LocalLauncher(Launcher):
    """Validates every job, then trains those that are missing, in parallel."""

    def __init__(self, n_jobs: Optional[int] = None) -> None:  # noqa: UP045
        self.n_jobs = n_jobs

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.hydra_context, self.config = hydra_context, config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs; each return value holds the run's latest metrics by name."""
        from dlexp.sweeps import validate
        from dlexp.sweeps.session import current
        from dlexp.sweeps.study import NamedStudy

        plan = validate.plan_of(self.config)
        session = current()
        session.study = NamedStudy.of(self.config)
        jobs = validate.jobs(self.hydra_context.config_loader, self.config, job_overrides)
        if session.study is not None and session.study.description is not None:
            # imported here since most sweeps have no claims, and this takes a quarter second
            from dlexp.sweeps import claim_checks

            claim_checks.check(
                session.study, jobs, session.parts, list(self.config.hydra.overrides.task)
            )
        entries = session.run(jobs, plan, n_jobs=self.n_jobs)
        return [
            JobReturn(
                overrides=list(entry.overrides),
                status=JobStatus.COMPLETED,
                _return_value=session.metrics.get(entry.key, {}) | {"status": entry.status},
            )
            for entry in entries
        ]


class GridSweeper(Sweeper):
    """The product of all swept values, or the union of several products; keys named in `zip`
    advance together.
    """

    def __init__(
        self,
        params: Optional[Dict[str, str]] = None,  # noqa: UP006, UP045
        parts: Optional[Dict[str, Dict[str, Any]]] = None,  # noqa: UP006, UP045
    ) -> None:
        self.params, self.parts = params or {}, parts or {}

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        from hydra.core.plugins import Plugins

        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: List[str]) -> Any:  # noqa: UP006
        """Launch all combinations at once."""
        from dlexp.sweeps import validate
        from dlexp.sweeps.session import current

        assert self.config is not None
        assert self.launcher is not None
        jobs = validate.grid(self.config)
        current().parts = {name: len(part) for name, part in jobs.items()}
        return self.launcher.launch(
            [job for part in jobs.values() for job in part], initial_job_idx=0
        )


class RandomSweeper(GridSweeper):
    """Trials drawn from intervals and lists, and the best of them told."""

    strategy = "random"

    def __init__(
        self,
        n_trials: int,
        seed: int,
        metric: Optional[str] = None,  # noqa: UP045
        params: Optional[Dict[str, str]] = None,  # noqa: UP006, UP045
    ) -> None:
        super().__init__(params)
        self.n_trials, self.seed, self.metric = n_trials, seed, metric

    def sweep(self, arguments: List[str]) -> None:  # noqa: UP006
        """Launch as many trials as the strategy knows of, until all are done."""
        from dlexp.errors import UserError
        from dlexp.sweeps import search
        from dlexp.sweeps.session import current

        assert self.config is not None
        if not isinstance(self.launcher, LocalLauncher):
            chosen = self.config.hydra.runtime.choices["hydra/launcher"]
            raise UserError(
                "a search needs hydra/launcher=local", key="hydra/launcher", value=chosen
            )
        options = search.Options(self.n_trials, self.seed, self.metric)
        loader = self.launcher.hydra_context.config_loader
        search.run(self.strategy, self.config, loader, current(), options, self.launcher.n_jobs)


class TPESweeper(RandomSweeper):
    """Trials drawn where the results so far promise most."""

    strategy = "tpe"
