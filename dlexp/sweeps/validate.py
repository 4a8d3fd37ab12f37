"""From Hydra's configuration of a multirun to jobs that are known to be right, before the first of
them starts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from dlexp.config import Setup, build, explain, files_in_use
from dlexp.config.where import COMMAND_LINE, where
from dlexp.errors import UserError
from dlexp.runs.provenance import one_blas_thread
from dlexp.runs.run import Run
from dlexp.sweeps.plan import Jobs, Plan, pairs_of
from dlexp.sweeps.quick import reduce_budget
from dlexp.sweeps.study_file import description_of

ALL = "all"  # the part that a sweep without parts consists of


def plans_of(config: DictConfig) -> dict[str, Plan]:
    """What each part of a multirun sweeps and fixes; without parts there is one, called `all`.

    Later words overrule: `hydra.sweeper.params`, then the part's own, then the command line.
    """
    params, parts, by = _asked(config)
    typed: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
    if config.quick:
        params, parts = reduce_budget(description_of(config) or {}, params, parts)
    return {name: Plan.of_values({**params, **own}, by, typed) for name, own in parts.items()}


def own_plans_of(config: DictConfig) -> dict[str, Plan]:
    """The same as the study's file says it, whatever was typed."""
    params, parts, by = _asked(config)
    return {name: Plan.of_values({**params, **own}, by) for name, own in parts.items()}


def _asked(config: DictConfig) -> tuple[dict[str, Any], dict[str, Any], str]:
    sweeper: Any = OmegaConf.to_container(config.hydra.sweeper, resolve=False)
    params, parts = sweeper.get("params") or {}, sweeper.get("parts") or {ALL: {}}
    return params, parts, config.hydra.runtime.choices["hydra/sweeper"]


def plan_of(config: DictConfig) -> Plan:
    """What a multirun sweeps and what it fixes, in all its parts."""
    return Plan.union(list(plans_of(config).values()))


def grid(config: DictConfig) -> dict[str, Jobs]:
    """Every combination, part by part. Raises `UserError` above `max_jobs`, before one of them is
    made.
    """
    plans = plans_of(config)
    pairs = {}
    for name, plan in plans.items():
        for key in plan.intervals:
            wrong = (
                "an interval has no list of values for a grid: say hydra/sweeper=random or"
                " hydra/sweeper=tpe"
            )
            raise UserError(
                wrong,
                key=key,
                value=plan.swept[key][0],
                where=where(key, config.hydra.overrides.task),
            )
        pairs[name] = pairs_of(_own_zip(plan, config.zip))
    size = sum(plan.size(pairs[name]) for name, plan in plans.items())
    if size > config.max_jobs:
        raise UserError(
            f"the sweep has {size:,} jobs; max_jobs={config.max_jobs} is the limit", key="max_jobs"
        )
    if not any(plan.swept for plan in plans.values()):
        raise UserError(
            "-m sweeps, and nothing is swept: give a key several values, as in seed=0,1,2"
        )
    return {name: plan.jobs(pairs[name]) for name, plan in plans.items()}


def _own_zip(plan: Plan, usual: Any) -> Any:
    """What a part pairs: its own `zip`, else the configuration's."""
    said = [o for o in plan.fixed if o.startswith("zip=")]
    if said:
        (override,) = OverridesParser.create().parse_overrides(said)
        return override.value()
    return OmegaConf.to_container(usual) if OmegaConf.is_config(usual) else usual


def jobs(
    loader: Any, config: DictConfig, job_overrides: Jobs | Sequence[Sequence[str]]
) -> list[tuple[list[str], Setup]]:
    """Each job's overrides and setup. Raises the `UserError` of the first that is wrong.

    Data are loaded and networks laid out once for every different combination of the parts that can
    be refused then. Jobs that differ in their seed alone are composed once.
    """
    made = []
    tried: set[Any] = set()
    siblings: dict[tuple[str, ...], Setup | None] = {}
    for words in job_overrides:
        overrides = list(words)
        seeds, rest = _seed_apart(overrides)
        sibling = siblings.get(rest) if len(seeds) == 1 else None
        if sibling is not None:
            setup = sibling.reseeded(int(seeds[0]), overrides)
        else:
            setup, seedless = composed(loader, config, overrides)
            siblings[rest] = setup if seedless else None
        try:
            _try(setup, tried)
        except UserError as e:
            raise _placed(e, config) from None
        made.append((overrides, setup))
    return made


def _placed(error: UserError, config: DictConfig) -> UserError:
    """A job's mistake at its place: a job's overrides hold what the study's file sweeps, which
    nobody typed.
    """
    overrides: Any = OmegaConf.to_container(config.hydra.overrides, resolve=False)
    typed = [
        word.replace("hydra.sweeper.params.", "")
        for word in (*overrides["task"], *overrides["hydra"])
    ]
    study = config.hydra.runtime.choices.get("experiment")
    if (
        study
        and error.key
        and error.where == COMMAND_LINE
        and where(error.key, typed) != COMMAND_LINE
    ):
        error.where = f"experiment/{study}.yaml"
    return error


def _seed_apart(overrides: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """The values given to the seed, as far as they are plain numbers, and the other overrides."""
    plain = [o for o in overrides if re.fullmatch(r"seed=\d{1,18}", o)]
    return [o.partition("=")[2] for o in plain], tuple(o for o in overrides if o not in plain)


def composed(loader: Any, config: DictConfig, overrides: list[str]) -> tuple[Setup, bool]:
    """One job's setup by Hydra, and whether its seed stands in the configuration for itself only."""
    try:
        cfg = loader.load_sweep_config(config, overrides)
        files = files_in_use(cfg.hydra)
        with open_dict(cfg):
            del cfg["hydra"]
        return build(cfg, overrides, files), not re.search(
            r"\$\{[^}]*\bseed\b", OmegaConf.to_yaml(cfg)
        )
    except Exception as e:
        if said := explain(e, overrides):
            raise _placed(said, config) from None
        raise


def _try(setup: Setup, tried: set[Any]) -> None:
    e = setup.experiment
    parts = (
        e.objective,
        e.data,
        e.model,
        e.normalization,
        e.regularizer,
        e.batch_size,
        e.early_stopping,
        e.dtype,
        e.observer,
    )
    if parts not in tried:
        tried.add(parts)
        try:
            with one_blas_thread():
                setup.checked(Run(e, e.trainer()))
        except UserError as error:
            raise setup.with_location(error) from None
