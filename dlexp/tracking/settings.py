"""The options of the config group `tracking`: where runs are shown."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from dlexp import places
from dlexp.errors import FieldError
from dlexp.fields import check_fields, non_negative
from dlexp.tracking import store_file, store_uri


@dataclass(frozen=True, kw_only=True)
class MLflow:
    """Mirror every run to MLflow: an SQLite store under the outputs folder, or the server at `uri`.

    `experiment` is MLflow's name for the group of runs, `model` says whether the trained network is logged as a model,
    `wait` how many seconds the command waits at its end for what is still to be sent.
    """

    uri: str | None = None
    experiment: str = "dlexp"
    model: bool = True
    wait: float = non_negative(120.0)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.uri is not None and not re.match(r"(https?|sqlite|postgresql|mysql|mssql)(\+\w+)?://.", self.uri):
            wrong = (
                "must be a server or a database: http(s)://…, sqlite:///file.db, postgresql://…, mysql://…, mssql://…"
            )
            raise FieldError(wrong, key="uri", value=self.uri)


@dataclass(frozen=True, kw_only=True)
class NoTracking:
    """The run folder only; MLflow is not told."""


TRACKING: dict[str, type] = {"mlflow": MLflow, "none": NoTracking}


def told(settings: object) -> dict[str, Any] | None:
    """What `run.json` and `sweep.json` say of it: the options, and where the store is; None without MLflow."""
    if not isinstance(settings, MLflow):
        return None
    uri = settings.uri or store_uri(places.outputs())
    if (file := store_file(uri)) is not None:
        uri = f"sqlite:///{file.absolute().as_posix()}"  # the sender and `sync` may work in another folder
    artifacts = None if settings.uri else str(places.outputs() / "mlartifacts")
    return asdict(settings) | {"uri": uri, "artifacts": artifacts}
