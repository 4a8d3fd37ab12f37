"""Checks what a study's file has under its key `study`: titles, parts, figures, claims."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlexp.errors import UserError, nearest

KEYS = ("title", "shows", "parts", "figures", "claims", "quick", "cost")
KEYS_OF_PART = ("title", "metric", "better", "tuned")


def description_of(config: DictConfig) -> dict[str, Any] | None:
    """The checked description of the study, None if there is none. Raises `UserError`."""
    name = str(config.hydra.runtime.choices.get("experiment") or "")
    node = config.get("study")
    if node is None:
        return None
    study: Any = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
    # imported here: most commands have no claims, and the import takes a quarter second
    from dlexp.report.claims.spec import read
    from dlexp.report.plots.study import check_figures

    parts = [str(part) for part in config.hydra.sweeper.get("parts") or ("all",)]
    try:
        _check(study, parts)
        read({"name": name, **study}, parts, None)
        check_figures(study.get("figures") or [], parts)
    except UserError as e:
        e.where = e.where or name
        raise
    return dict(study)


def _check(study: Any, parts: Collection[str]) -> None:
    study = _mapping(study, "study", KEYS)
    if study.get("title") is None:
        raise UserError("is missing", key="study.title")
    for key in ("title", "shows"):
        _text(study.get(key), f"study.{key}")
    cost = study.get("cost")
    if cost is not None and (
        isinstance(cost, bool) or not isinstance(cost, (int, float)) or not 0 < cost < 1e9
    ):
        raise UserError("must be a number > 0", key="study.cost", value=cost)
    for part, value in _parts(study.get("parts"), "study.parts", parts).items():
        own = _mapping(value, f"study.parts.{part}", KEYS_OF_PART)
        _text(own.get("title"), f"study.parts.{part}.title")
        for key, fits, allowed in (
            ("metric", _is_text, "the name of a metric"),
            ("better", ("high", "low").__contains__, "high, low"),
            ("tuned", (True, False).__contains__, "true, false"),
        ):
            _is(own.get(key), fits, f"study.parts.{part}.{key}", allowed)
    quick = _mapping(study.get("quick") or {}, "study.quick", ("params", "parts"))
    _mapping(quick.get("params") or {}, "study.quick.params")
    for part, value in _parts(quick.get("parts"), "study.quick.parts", parts).items():
        _mapping(value or {}, f"study.quick.parts.{part}")


def _mapping(value: Any, key: str, known: Collection[str] = ()) -> Mapping[str, Any]:
    """A mapping with no other keys than these."""
    allowed = ", ".join(known)
    if not isinstance(value, Mapping):
        raise UserError(
            f"must be keys with values{', of these: ' * bool(known)}{allowed}", key=key, value=value
        )
    for word in value if known else ():
        if word not in known:
            hint = nearest(str(word), known)
            raise UserError("there is no such key", key=f"{key}.{word}", allowed=allowed, hint=hint)
    return value


def _parts(value: Any, key: str, parts: Collection[str]) -> Mapping[str, Any]:
    by_part = _mapping(value or {}, key)
    for part in by_part:
        if part not in parts:
            allowed, hint = ", ".join(parts), nearest(str(part), parts)
            raise UserError(
                "there is no such part", key=key, value=part, allowed=allowed, hint=hint
            )
    return by_part


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is(value: Any, fits: Callable[[Any], bool], key: str, allowed: str) -> None:
    try:
        if value is None or fits(value):
            return
    except TypeError:  # what cannot be hashed
        pass
    raise UserError("does not fit", key=key, value=value, allowed=allowed)


def _text(value: Any, key: str) -> None:
    """Text in one language, or in both."""
    if isinstance(value, Mapping):
        _mapping(value, key, ("en", "zh"))
        if not all(map(_is_text, value.values())) or "en" not in value:
            raise UserError("must be text, or {en: text, zh: text}", key=key, value=value)
    elif value is not None and not _is_text(value):
        raise UserError("must be text, or {en: text, zh: text}", key=key, value=value)
