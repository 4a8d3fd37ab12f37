"""A named study at the head of a sweep: its name, what its file describes, and a digest of what it
trains.
"""

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
    """`conf/experiment/<name>.yaml`: `description` is what stands under its key `study`, None if
    nothing does; `digest` is of all the rest.

    The description gains a key `changes`: what is trained otherwise than the file says.
    """

    name: str
    digest: str
    description: Mapping[str, Any] | None

    @staticmethod
    def of(config: DictConfig) -> NamedStudy | None:
        """The study that was chosen, or None. Raises the `UserError` of a key, figure or claim that
        is wrong.
        """
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
    """Raises `UserError` where one run would be trained of a file that sweeps, or that claims
    something.
    """
    name, sweeper = hydra.runtime.choices.get("experiment"), hydra.sweeper
    if name and (config.get("study") is not None or sweeper.get("params") or sweeper.get("parts")):
        wrong = "is a study, and this would train one run of it and drop its claims"
        hint = "its file lacks mode: MULTIRUN under hydra; or say -m"
        raise UserError(f"{wrong}: {hint}", key="experiment", value=name)


def _files(config: DictConfig, name: str) -> list[Path]:
    """The files of this name among those in use."""
    paths = [path for _, path in files_in_use(config.hydra)]
    return [path for path in paths if (path.parent.name, path.stem) == ("experiment", name)]


def _digest(files: list[Path]) -> str:
    """Of the study's files without their descriptions: comments, titles and claims may change, what
    is trained may not.
    """
    contents = []
    for path in files:
        content: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
        contents.append({key: value for key, value in content.items() if key != "study"})
    return hashlib.sha256(json.dumps(contents, sort_keys=True, default=str).encode()).hexdigest()[
        :16
    ]
