"""The options of the config group `tracking`: whether and where runs are sent."""

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

    If `uri` or `experiment` is not set, MLflow's own variables MLFLOW_TRACKING_URI and
    MLFLOW_EXPERIMENT_NAME decide for new runs and sweeps. The defaults are the store under the
    outputs folder, and the experiment `dlexp`.

    `uri` must not hold a password, nor what may be one (a user name, anything after `?`), because a
    run records its configuration. MLflow and the databases read it from the environment.
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
    """Raises `FieldError` for an invalid address of a store."""
    if not re.match(r"(https?|sqlite|postgresql|mysql|mssql)(\+\w+)?://.", uri):
        wrong = (
            "must be a server or a database: http(s)://…, sqlite:///file.db, postgresql://…,"
            " mysql://…, mssql://…"
        )
        raise FieldError(wrong, key=key, value=redacted(uri))


def check_no_secret(uri: str, key: str) -> None:
    """Raises `FieldError` for an address that may hold a password."""
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
    """The run folder only; nothing is sent to MLflow."""


TRACKING: dict[str, type] = {"mlflow": MLflow, "none": NoTracking}


VARIABLES = {"uri": "MLFLOW_TRACKING_URI", "experiment": "MLFLOW_EXPERIMENT_NAME"}


def of_environment(*names: str) -> dict[str, str]:
    """These options in MLflow's own variables, as far as they are set.

    Raises `UserError` for an address that cannot be used, or one that holds a secret.
    """
    options = {
        name: value for name in names if (value := os.environ.get(VARIABLES[name], "").strip())
    }
    if "uri" in options:
        try:
            check_uri(options["uri"], VARIABLES["uri"])
            check_no_secret(options["uri"], VARIABLES["uri"])
        except FieldError as e:
            e.where, e.message = (
                "environment",
                f"{e.message}; or use tracking.uri=… or tracking=none",
            )
            raise
    return options


def usual_uri() -> str:
    """The store of new runs without an option. Raises `UserError` as `of_environment` does."""
    return of_environment("uri").get("uri") or store_uri(paths.outputs())


def to_json(settings: object, before: object = None) -> dict[str, Any] | None:
    """The record in `run.json` and `sweep.json`: the options and the store; None without MLflow.

    `before` is the record of a continued sweep: it keeps its store, whatever the environment is
    now. `environment` names the variables that decided. Raises `UserError` for a variable that
    cannot be used.
    """
    if not isinstance(settings, MLflow):
        return None
    explicit = {name: value for name in VARIABLES if (value := getattr(settings, name)) is not None}
    left = [name for name in VARIABLES if name not in explicit]
    if isinstance(before, Mapping) and before:
        known = {name: before.get(name) for name in left}
        # earlier versions recorded our own store in this form
        if "uri" in known and before.get("artifacts"):
            known["uri"] = address.OWN
        by = [
            VARIABLES[name] for name in left if VARIABLES[name] in (before.get("environment") or ())
        ]
    else:
        known = {**of_environment(*left)}
        by = [VARIABLES[name] for name in known]
    chosen = known | explicit
    uri = _recorded(str(chosen.get("uri") or address.OWN))
    store = {"uri": uri, "experiment": chosen.get("experiment") or "dlexp"}
    return asdict(settings) | store | ({"environment": by} if by else {})


def _recorded(uri: str) -> str:
    """An address as `run.json` keeps it; our own store's and a project's are relative."""
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
