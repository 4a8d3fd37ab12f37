"""A named study at the head of a sweep: what it is called, what it says and claims, which jobs
belong to which part.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlexp.config import files_in_use, grid
from dlexp.errors import UserError, nearest
from dlexp.sweeps import budget

WORDS = ("title", "shows", "parts", "figures", "claims", "quick", "cost")
OF_PART = ("title", "metric", "better", "tuned")


@dataclass(frozen=True)
class Study:
    """`conf/experiment/<name>.yaml`: `words` is what stands under its key `study`, `digest` is of
    all the rest.

    Among the words stands, under `changes`, what is trained otherwise than the file says.
    """

    name: str
    digest: str
    words: Mapping[str, Any] | None

    @staticmethod
    def of(config: DictConfig) -> Study | None:
        """The study that was asked for, or None. Raises the `UserError` of a word, figure or claim
        that is wrong.
        """
        name = config.hydra.runtime.choices.get("experiment")
        if not name:
            return None
        words = words_of(config)
        if words is not None:
            changed = budget.changes(
                grid.own_plans_of(config), grid.plans_of(config), _file(config, str(name))
            )
            words = {**words, "changes": changed} if changed else words
        return Study(str(name), _digest(config, str(name)), words)


def words_of(config: DictConfig) -> dict[str, Any] | None:
    """What a study says, looked through; None where it says nothing. Raises `UserError`."""
    name = str(config.hydra.runtime.choices.get("experiment") or "")
    held = config.get("study")
    if held is None:
        return None
    words: Any = OmegaConf.to_container(held, resolve=True) if OmegaConf.is_config(held) else held
    from dlexp.report.claims.spec import (
        read,  # most commands have no claims: a quarter second for nothing
    )
    from dlexp.report.plots.study import check_figures

    parts = [str(part) for part in config.hydra.sweeper.get("parts") or ("all",)]
    try:
        _check(words, parts)
        read({"name": name, **words}, parts, None)
        check_figures(words.get("figures") or [], parts)
    except UserError as e:
        e.where = e.where or name
        raise
    return dict(words)


def refuse_single(config: Any, hydra: Any) -> None:
    """Raises `UserError` where one run would be trained of a file that sweeps, or that claims
    something.
    """
    name, sweeper = hydra.runtime.choices.get("experiment"), hydra.sweeper
    if name and (config.get("study") is not None or sweeper.get("params") or sweeper.get("parts")):
        wrong = "is a study, and this would train one run of it and drop its claims"
        hint = "its file lacks mode: MULTIRUN under hydra; or say -m"
        raise UserError(f"{wrong}: {hint}", key="experiment", value=name)


def _check(words: Any, parts: Collection[str]) -> None:
    words = _mapping(words, "study", WORDS)
    if words.get("title") is None:
        raise UserError("is missing", key="study.title")
    for key in ("title", "shows"):
        _text(words.get(key), f"study.{key}")
    cost = words.get("cost")
    if cost is not None and (
        isinstance(cost, bool) or not isinstance(cost, (int, float)) or not 0 < cost < 1e9
    ):
        raise UserError("must be a number > 0", key="study.cost", value=cost)
    for part, told in _parts(words.get("parts"), "study.parts", parts).items():
        told = _mapping(told, f"study.parts.{part}", OF_PART)
        _text(told.get("title"), f"study.parts.{part}.title")
        for word, fits, allowed in (
            ("metric", _is_text, "the name of a metric"),
            ("better", ("high", "low").__contains__, "high, low"),
            ("tuned", (True, False).__contains__, "true, false"),
        ):
            _is(told.get(word), fits, f"study.parts.{part}.{word}", allowed)
    quick = _mapping(words.get("quick") or {}, "study.quick", ("params", "parts"))
    _mapping(quick.get("params") or {}, "study.quick.params")
    for part, told in _parts(quick.get("parts"), "study.quick.parts", parts).items():
        _mapping(told or {}, f"study.quick.parts.{part}")


def _mapping(value: Any, key: str, known: Collection[str] = ()) -> Mapping[str, Any]:
    """A mapping with no other words than these."""
    allowed = ", ".join(known)
    if not isinstance(value, Mapping):
        raise UserError(
            f"must be keys with values{', of these: ' * bool(known)}{allowed}", key=key, value=value
        )
    for word in value if known else ():
        if word not in known:
            hint = nearest(str(word), known)
            raise UserError(
                "there is no such word", key=f"{key}.{word}", allowed=allowed, hint=hint
            )
    return value


def _parts(value: Any, key: str, parts: Collection[str]) -> Mapping[str, Any]:
    told = _mapping(value or {}, key)
    for part in told:
        if part not in parts:
            allowed, hint = ", ".join(parts), nearest(str(part), parts)
            raise UserError(
                "there is no such part", key=key, value=part, allowed=allowed, hint=hint
            )
    return told


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


def _file(config: DictConfig, name: str) -> DictConfig:
    """What the study's own file holds."""
    for _, path in files_in_use(config.hydra):
        if (path.parent.name, path.stem) == ("experiment", name):
            held = OmegaConf.load(path)
            return held if isinstance(held, DictConfig) else OmegaConf.create({})
    return OmegaConf.create({})


def _digest(config: DictConfig, name: str) -> str:
    """Of the study's file without its words: comments, titles and claims may change, what is
    trained may not.
    """
    said = []
    for _, path in files_in_use(config.hydra):
        if (path.parent.name, path.stem) == ("experiment", name):
            held: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
            said.append({key: value for key, value in held.items() if key != "study"})
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]
