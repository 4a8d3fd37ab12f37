"""Hydra finds its launchers and sweepers in packages called `hydra_plugins`; these hand over to `dlexp.sweep`.

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
    """`hydra/launcher=local`: parallel processes on this machine; `n_jobs` of them, None for one per processor."""

    _target_: str = "hydra_plugins.dlexp_sweeps.LocalLauncher"
    n_jobs: Optional[int] = None  # noqa: UP045


@dataclass
class GridConf:
    """`hydra/sweeper=grid`: every combination of the swept values."""

    _target_: str = "hydra_plugins.dlexp_sweeps.GridSweeper"
    params: Optional[Dict[str, str]] = field(default_factory=dict)  # noqa: UP006, UP045


ConfigStore.instance().store(group="hydra/launcher", name="local", node=LocalConf, provider="dlexp")
ConfigStore.instance().store(group="hydra/sweeper", name="grid", node=GridConf, provider="dlexp")


class LocalLauncher(Launcher):
    """Validates every job, then trains those that are missing, in parallel."""

    def __init__(self, n_jobs: Optional[int] = None) -> None:  # noqa: UP045
        self.n_jobs = n_jobs

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Conduct the jobs; each return value holds the run's latest metrics by name."""
        from dlexp.sweep import validate
        from dlexp.sweep.session import current

        plan = validate.plan_of(self.config)
        jobs = validate.jobs(self.hydra_context.config_loader, self.config, job_overrides)
        session = current()
        entries = session.conduct(jobs, plan, n_jobs=self.n_jobs)
        return [
            JobReturn(
                overrides=list(entry.overrides),
                status=JobStatus.COMPLETED,
                _return_value=session.metrics.get(entry.key, {}) | {"status": entry.status},
            )
            for entry in entries
        ]


class GridSweeper(Sweeper):
    """The product of all swept values; keys named in `zip` advance together."""

    def __init__(self, params: Optional[Dict[str, str]] = None) -> None:  # noqa: UP006, UP045
        self.params = params or {}

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from hydra.core.plugins import Plugins

        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: List[str]) -> Any:  # noqa: UP006
        """Launch all combinations at once."""
        from dlexp.sweep import validate

        assert self.config is not None
        assert self.launcher is not None
        return self.launcher.launch(validate.grid(self.config), initial_job_idx=0)
