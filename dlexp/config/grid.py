"""The jobs of a sweep: what each of its parts sweeps and fixes, and all combinations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from dlexp.config.plan import Jobs, Plan, pairs_of
from dlexp.config.where import where
from dlexp.core.seeds import TUNING, seeds_needed
from dlexp.errors import UserError

Swept = Mapping[str, Any]  # keys with their values, as a file has them
ALL = "all"  # the only part of a sweep without parts


def plans_of(base: DictConfig) -> dict[str, Plan]:
    """What each part of a sweep sweeps and fixes; a sweep without parts has one, called `all`.

    Later words win: `hydra.sweeper.params`, then the part's own, then the command line.
    """
    params, parts, by = _in_file(base)
    typed: Any = OmegaConf.to_container(base.hydra.overrides.task, resolve=False)
    if base.quick:
        study: Any = OmegaConf.to_container(base.study) if OmegaConf.is_dict(base.study) else {}
        params, parts = reduce_budget(study, params, parts)
    return {name: Plan.of_values({**params, **own}, by, typed) for name, own in parts.items()}


def own_plans_of(base: DictConfig) -> dict[str, Plan]:
    """The same from the study's file alone, without the command line."""
    params, parts, by = _in_file(base)
    return {name: Plan.of_values({**params, **own}, by) for name, own in parts.items()}


def plan_of(base: DictConfig) -> Plan:
    """What a sweep sweeps and what it fixes, in all its parts."""
    return Plan.union(list(plans_of(base).values()))


def grid(base: DictConfig) -> dict[str, Jobs]:
    """All combinations, part by part. Raises `UserError` if there are more than `max_jobs`."""
    plans = plans_of(base)
    pairs = {}
    for name, part in plans.items():
        for key in part.intervals:
            raise UserError(
                "a grid needs a list of values, not an interval: use hydra/sweeper=random or"
                " hydra/sweeper=tpe",
                key=key,
                value=part.swept[key][0],
                where=where(key, base.hydra.overrides.task),
            )
        pairs[name] = pairs_of(_own_zip(part, base.zip))
    size = sum(part.size(pairs[name]) for name, part in plans.items())
    if size > base.max_jobs:
        raise UserError(
            f"the sweep has {size:,} jobs; max_jobs={base.max_jobs} is the limit", key="max_jobs"
        )
    if not any(part.swept for part in plans.values()):
        raise UserError(
            "-m asks for a sweep, but no key has several values: give one several, as in seed=0,1,2"
        )
    return {name: part.jobs(pairs[name]) for name, part in plans.items()}


def _in_file(base: DictConfig) -> tuple[dict[str, Any], dict[str, Any], str]:
    sweeper: Any = OmegaConf.to_container(base.hydra.sweeper, resolve=False)
    params, parts = sweeper.get("params") or {}, sweeper.get("parts") or {ALL: {}}
    return params, parts, base.hydra.runtime.choices["hydra/sweeper"]


def _own_zip(part: Plan, usual: Any) -> Any:
    """What a part pairs: its own `zip`, else the configuration's."""
    words = [word for word in part.fixed if word.startswith("zip=")]
    if words:
        (override,) = OverridesParser.create().parse_overrides(words)
        return override.value()
    return OmegaConf.to_container(usual) if OmegaConf.is_config(usual) else usual


def reduce_budget(
    study: Swept, params: Swept, parts: Mapping[str, Swept]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The budget of `quick=true`: the study's own `quick` part.

    If it sets no seeds, the fewest that can decide the claims are used, and never more than the
    study has.
    """
    quick = _mapping(study.get("quick"))
    claims = study.get("claims")
    claims = claims if isinstance(claims, list) else []
    tuned = any(_mapping(claim).get("tuned") for claim in claims)
    fewest = seeds_needed(max(len(claims), 1)) + TUNING * tuned
    fewer = {"seed": f"range({fewest})", **_mapping(quick.get("params"))}
    changed = _mapping(quick.get("parts"))
    made = {}
    for name, own in parts.items():
        now = {**own, **_mapping(changed.get(name))}
        full, wanted = {**params, **own}.get("seed"), {**params, **fewer, **now}["seed"]
        now.pop("seed", None)
        if full is not None:  # otherwise every run has the seed of the configuration
            now["seed"] = wanted if _count(wanted) <= _count(full) else full
        made[name] = now
    return {key: value for key, value in {**params, **fewer}.items() if key != "seed"}, made


def _mapping(value: Any) -> Swept:
    """The mapping, or an empty one: mistakes in a study are reported elsewhere."""
    return value if isinstance(value, Mapping) else {}


def _count(seeds: Any) -> int:
    return len(Plan.of_values({"seed": seeds}, "grid").swept.get("seed", ("",)))
