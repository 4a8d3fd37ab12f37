"""The named study of a sweep: its name, the description in its file, and a digest of the rest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dlexp.config import files_in_use, grid
from dlexp.errors import UserError
from dlexp.sweeps.study_changes import changes
from dlexp.sweeps.study_file import description_of


@dataclass(frozen=True)
class NamedStudy:
    """`conf/experiment/<name>.yaml`: its `description` (the key `study`) and a `digest` of the
    rest.

    The description is None if there is none. It gains a key `changes`: how the training differs
    from the file.
    """

    name: str
    digest: str
    description: Mapping[str, Any] | None

    @staticmethod
    def of(config: DictConfig) -> NamedStudy | None:
        """The chosen study, or None. Raises `UserError` for a wrong key, figure or claim."""
        name = config.hydra.runtime.choices.get("experiment")
        if not name:
            return None
        files = _files(config, str(name))
        description = description_of(config)
        if description is not None:
            own, now = grid.own_plans_of(config), grid.plans_of(config)
            changed = changes(own, now, OmegaConf.load(files[0]) if files else None)
            description = {**description, "changes": changed} if changed else description
        return NamedStudy(str(name), _digest(files), description)


def refuse_single(config: Any, hydra: Any) -> None:
    """Raises `UserError` if one run would be trained from a file with a sweep or with claims."""
    name, sweeper = hydra.runtime.choices.get("experiment"), hydra.sweeper
    if name and (config.get("study") is not None or sweeper.get("params") or sweeper.get("parts")):
        wrong = "is a study; this command would train one run of it and ignore its claims"
        hint = "its file lacks mode: MULTIRUN under hydra; or add -m"
        raise UserError(f"{wrong}: {hint}", key="experiment", value=name)


def _files(config: DictConfig, name: str) -> list[Path]:
    """The files of this name among those in use."""
    paths = [path for _, path in files_in_use(config.hydra)]
    return [path for path in paths if (path.parent.name, path.stem) == ("experiment", name)]


def _digest(files: list[Path]) -> str:
    """The digest of the study's files without their `study` key, which changes no training."""
    contents = []
    for path in files:
        content: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        contents.append({key: value for key, value in content.items() if key != "study"})
    return hashlib.sha256(json.dumps(contents, sort_keys=True, default=str).encode()).hexdigest()[
        :16
    ]
