"""The smaller budget of a study, `quick=true`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlexp.report.paired import seeds_needed
from dlexp.report.tuned import TUNING
from dlexp.sweeps.plan import Plan

Values = Mapping[str, Any]  # keys with their values, as a file writes them


def reduce_budget(
    study: Values, params: Values, parts: Mapping[str, Values]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The params and the parts that remain, as `quick` in the study says.

    Where it says nothing about seeds, there are as few as can decide the claims; there are never
    more than the study has. `study` is what the file says under its key `study`, checked.
    """
    quick = study.get("quick") or {}
    claims = study.get("claims") or ()
    needed = seeds_needed(max(len(claims), 1))
    needed += TUNING * any(claim.get("tuned") for claim in claims)
    quick_params = {"seed": f"range({needed})", **(quick.get("params") or {})}
    quick_parts = quick.get("parts") or {}
    reduced = {}
    for name, own in parts.items():
        values = {**own, **(quick_parts.get(name) or {})}
        full = {**params, **own}.get("seed")
        few = {**params, **quick_params, **values}["seed"]
        values.pop("seed", None)
        if full is not None:  # else every run has the one seed of the configuration
            values["seed"] = few if _n_seeds(few) <= _n_seeds(full) else full
        reduced[name] = values
    shared = {key: value for key, value in {**params, **quick_params}.items() if key != "seed"}
    return shared, reduced


def _n_seeds(seeds: Any) -> int:
    return len(Plan.of_values({"seed": seeds}, "grid").swept.get("seed", ("",)))
