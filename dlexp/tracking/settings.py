"""The options of the config group `tracking`: where runs are shown."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dlexp import paths
from dlexp.core.fields import check_fields, described, non_negative
from dlexp.errors import FieldError
from dlexp.tracking import address, redacted, store_file, store_uri


@dataclass(frozen=True, kw_only=True)
class MLflow:
    """Mirror every run to MLflow: an SQLite store under the outputs folder, or the server at `uri`.

    Where `uri` or `experiment` is not set, MLflow's own variables MLFLOW_TRACKING_URI and
    MLFLOW_EXPERIMENT_NAME decide for new runs and sweeps; without them, it is the store under the
    outputs folder, and the experiment `dlexp`.

    No password stands in `uri`, nor what may be one (a user name, anything behind `?`), since a run
    writes down its configuration: MLflow and the databases take it from the environment.
    """

    uri: str | None = described(
        None,
        "the MLflow store, a server or a database; null: MLFLOW_TRACKING_URI, or the store under"
        " the outputs folder",
    )
    experiment: str | None = described(
        None, "MLflow's experiment for the runs; null: MLFLOW_EXPERIMENT_NAME, or dlexp"
    )
    model: bool = described(True, "whether the trained network is logged as a model")
    wait: float = described(
        non_negative(120.0),
        "seconds that the command waits at its end for what is not sent yet",
    )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.uri is not None:
            check_uri(self.uri, "uri")
            check_no_secret(self.uri, "uri")


def check_uri(uri: str, key: str) -> None:
    """Raises `FieldError` for what is no address of a store."""
    if not re.match(r"(https?|sqlite|postgresql|mysql|mssql)(\+\w+)?://.", uri):
        wrong = (
            "must be a server or a database: http(s)://…, sqlite:///file.db, postgresql://…,"
            " mysql://…, mssql://…"
        )
        raise FieldError(wrong, key=key, value=redacted(uri))


def check_no_secret(uri: str, key: str) -> None:
    """Raises `FieldError` for an address with what may be a password."""
    if redacted(uri) != uri:
        wrong = (
            "holds what may be a password, which every run would write down: leave out what is ***"
            " here, and set "
        )
        own = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        if not uri.startswith("http"):
            own = "what the database reads itself, such as PGPASSWORD or a file of its client"
        raise FieldError(wrong + own, key=key, value=redacted(uri))


@dataclass(frozen=True, kw_only=True)
class NoTracking:
    """The run folder only; MLflow is not told."""


TRACKING: dict[str, type] = {"mlflow": MLflow, "none": NoTracking}


VARIABLES = {"uri": "MLFLOW_TRACKING_URI", "experiment": "MLFLOW_EXPERIMENT_NAME"}


def of_environment(*names: str) -> dict[str, str]:
    """What MLflow's own variables say of these options, as far as they are set.

    Raises `UserError` for an address that cannot be used, or one that holds a secret.
    """
    found = {
        name: value for name in names if (value := os.environ.get(VARIABLES[name], "").strip())
    }
    if "uri" in found:
        try:
            check_uri(found["uri"], VARIABLES["uri"])
            check_no_secret(found["uri"], VARIABLES["uri"])
        except FieldError as e:
            e.where, e.message = (
                "environment",
                f"{e.message}; or say tracking.uri=… or tracking=none",
            )
            raise
    return found


def usual_uri() -> str:
    """The store of new runs that are told no other. Raises `UserError` as `of_environment` does."""
    return of_environment("uri").get("uri") or store_uri(paths.outputs())


def to_json(settings: object, before: object = None) -> dict[str, Any] | None:
    """What `run.json` and `sweep.json` say of it: the options, and where the store is; None without
    MLflow.

    `before` is what a sweep that goes on has said: it keeps its store, whatever the environment
    says now. `environment` names the variables that decided. Raises `UserError` for a variable that
    cannot be used.
    """
    if not isinstance(settings, MLflow):
        return None
    asked = {name: value for name in VARIABLES if (value := getattr(settings, name)) is not None}
    left = [name for name in VARIABLES if name not in asked]
    if isinstance(before, Mapping) and before:
        known = {name: before.get(name) for name in left}
        # as earlier versions recorded the store of our own
        if "uri" in known and before.get("artifacts"):
            known["uri"] = address.OWN
        by = [
            VARIABLES[name] for name in left if VARIABLES[name] in (before.get("environment") or ())
        ]
    else:
        known = {**of_environment(*left)}
        by = [VARIABLES[name] for name in known]
    chosen = known | asked
    uri = _recorded(str(chosen.get("uri") or address.OWN))
    shown = {"uri": uri, "experiment": chosen.get("experiment") or "dlexp"}
    return asdict(settings) | shown | ({"environment": by} if by else {})


def _recorded(uri: str) -> str:
    """An address as `run.json` keeps it: our own store, and one named relative to the project,
    wherever they lie.
    """
    file, outputs = store_file(uri), paths.outputs()
    if file is None or uri.startswith(address.BESIDE):
        return uri
    if file == outputs / address.STORE:
        return address.OWN
    if file.is_absolute():
        return uri
    # the sender and `sync` may work in another folder
    absolute = f"sqlite:///{file.absolute().as_posix()}"
    return address.to_record(absolute, outputs)
