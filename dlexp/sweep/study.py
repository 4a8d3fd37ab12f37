"""A named study at the head of a sweep: what it is called, what it says and claims, which jobs belong to which part."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlexp.config import files_in_use
from dlexp.errors import UserError, nearest

WORDS = ("title", "shows", "parts", "figures", "claims", "quick", "cost")


@dataclass(frozen=True)
class Study:
    """`conf/experiment/<name>.yaml`: `words` is what stands under its key `study`, `digest` is of all the rest."""

    name: str
    digest: str
    words: Mapping[str, Any] | None

    @staticmethod
    def of(config: DictConfig) -> Study | None:
        """The study that was asked for, or None. Raises the `UserError` of a word, figure or claim that is wrong."""
        name = config.hydra.runtime.choices.get("experiment")
        if not name:
            return None
        words: Any = config.study
        words = OmegaConf.to_container(words, resolve=True) if OmegaConf.is_config(words) else words
        if words is not None:
            from dlexp.report.claims.spec import read  # most commands have no claims: a quarter second for nothing
            from dlexp.report.plots.study import check_figures

            parts = [str(part) for part in config.hydra.sweeper.get("parts") or ("all",)]
            try:
                _check(words, parts)
                read({"name": name, **words}, parts)
                check_figures(words.get("figures") or [], parts)
            except UserError as e:
                e.where = e.where or str(name)
                raise
        return Study(str(name), _digest(config, str(name)), words)


def _check(words: Any, parts: Collection[str]) -> None:
    if not isinstance(words, Mapping):
        raise UserError("must say title, shows, parts, figures, claims", key="study", value=words)
    for word in words:
        if word not in WORDS:
            allowed, hint = ", ".join(WORDS), nearest(str(word), WORDS)
            raise UserError("there is no such word", key=f"study.{word}", allowed=allowed, hint=hint)
    for part in words.get("parts") or {}:
        if part not in parts:
            allowed, hint = ", ".join(parts), nearest(str(part), parts)
            raise UserError("there is no such part", key="study.parts", value=part, allowed=allowed, hint=hint)


def _digest(config: DictConfig, name: str) -> str:
    """Of the study's file without its words: comments, titles and claims may change, what is trained may not."""
    said = []
    for _, path in files_in_use(config.hydra):
        if (path.parent.name, path.stem) == ("experiment", name):
            held: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
            said.append({key: value for key, value in held.items() if key != "study"})
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:16]
