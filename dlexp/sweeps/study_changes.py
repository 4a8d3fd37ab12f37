"""How a command's training differs from the study's file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlexp.config.plan import Plan, as_typed
from dlexp.core.silent_keys import SILENT, root

NO_NUMBERS = (*SILENT, "quick", "study", "experiment")  # changing these changes no number


def changes(
    own: Mapping[str, Plan], now: Mapping[str, Plan], file: Any
) -> dict[str, list[dict[str, str]]]:
    """How the training `now` differs from the study's `own` plans and `file`, part by part.

    The texts are in English and Chinese. More seeds are no difference: they extend the study.
    """
    changed = {}
    for name, plan in now.items():
        before = _values(own[name])
        differences = []
        for key, values in _values(plan).items():
            if root(key) in NO_NUMBERS:
                continue
            was = before.get(key) or _in_file(file, key)
            if was != values and (difference := _difference(key, was, values)):
                differences.append(difference)
        if differences:
            changed[name] = differences
    return changed


def _in_file(file: Any, key: str) -> tuple[str, ...] | None:
    """The value that the study's file gives a key outside of its sweep."""
    value = OmegaConf.select(file, key) if isinstance(file, DictConfig) else None
    if value is None or OmegaConf.is_dict(value):
        return None
    return (
        _canonical(
            as_typed(OmegaConf.to_container(value) if OmegaConf.is_config(value) else value)
        ),
    )


def _values(plan: Plan) -> dict[str, tuple[str, ...]]:
    fixed = dict(word.partition("=")[::2] for word in plan.fixed)
    both = {**{key: (value,) for key, value in fixed.items()}, **plan.swept}
    return {key: tuple(_canonical(value) for value in values) for key, values in both.items()}


def _canonical(value: str) -> str:
    """A canonical form of a value: `1` and `1.0` are equal."""
    try:
        return f"{float(value):.12g}"
    except ValueError:
        return "".join(value.split())


def _difference(
    key: str, was: tuple[str, ...] | None, now: tuple[str, ...]
) -> dict[str, str] | None:
    if key == "seed":
        a, b = len(was or ("0",)), len(now)
        return {"en": f"{b} of {a} seeds", "zh": f"{a} 个种子中的 {b} 个"} if b < a else None
    if was is not None and len(was) > 1 and {*now} < {*was}:
        return {
            "en": f"{len(now)} of {len(was)} values of {key}",
            "zh": f"{key} 的 {len(was)} 个值中的 {len(now)} 个",
        }
    values = ",".join(now)
    if was is None:
        return {"en": f"{key}={values}", "zh": f"{key}={values}"}
    if key in ("epochs", "steps") and len(was) == len(now) == 1 and _less(now[0], was[0]):
        return {"en": f"{now[0]} of {was[0]} {key}", "zh": f"{key}：{was[0]} 中的 {now[0]}"}
    before = ",".join(was)
    return {
        "en": f"{key}={values} (the study: {before})",
        "zh": f"{key}={values}（研究：{before}）",
    }


def _less(a: str, b: str) -> bool:
    try:
        return float(a) < float(b)
    except ValueError:
        return False
