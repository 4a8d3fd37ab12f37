"""The options of the config group `tracking`: where runs are shown."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from dlexp import places
from dlexp.errors import FieldError
from dlexp.fields import check_fields, non_negative
from dlexp.tracking import address, redacted, store_file, store_uri


@dataclass(frozen=True, kw_only=True)
class MLflow:
    """Mirror every run to MLflow: an SQLite store under the outputs folder, or the server at `uri`.

    No password stands in `uri`, nor what may be one (whoever asks a server, anything behind `?`), since a run writes
    down what it was asked: MLflow and the databases take it from the environment. `experiment` is MLflow's name for the
    group of runs, `model` says whether the trained network is logged as a model, `wait` how many seconds the command
    waits at its end for what is still to be sent.
    """

    uri: str | None = None
    experiment: str = "dlexp"
    model: bool = True
    wait: float = non_negative(120.0)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.uri is None:
            return
        check_uri(self.uri, "uri")
        if redacted(self.uri) != self.uri:
            wrong = (
                "holds what may be a password, which every run would write down: leave out what is *** here, and set "
            )
            own = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
            if not self.uri.startswith("http"):
                own = "what the database reads itself, such as PGPASSWORD or a file of its client"
            raise FieldError(wrong + own, key="uri", value=redacted(self.uri))


def check_uri(uri: str, key: str) -> None:
    """Raises `FieldError` for what is no address of a store."""
    if not re.match(r"(https?|sqlite|postgresql|mysql|mssql)(\+\w+)?://.", uri):
        wrong = "must be a server or a database: http(s)://…, sqlite:///file.db, postgresql://…, mysql://…, mssql://…"
        raise FieldError(wrong, key=key, value=redacted(uri))


@dataclass(frozen=True, kw_only=True)
class NoTracking:
    """The run folder only; MLflow is not told."""


TRACKING: dict[str, type] = {"mlflow": MLflow, "none": NoTracking}


def told(settings: object) -> dict[str, Any] | None:
    """What `run.json` and `sweep.json` say of it: the options, and where the store is; None without MLflow."""
    if not isinstance(settings, MLflow):
        return None
    uri = settings.uri or store_uri(places.outputs())
    if (file := store_file(uri)) is not None and not file.is_absolute():
        uri = f"sqlite:///{file.absolute().as_posix()}"  # the sender and `sync` may work in another folder
        return asdict(settings) | {"uri": address.to_record(uri, places.outputs())}
    own = settings.uri is None or file == places.outputs() / address.STORE
    return asdict(settings) | {"uri": address.OWN if own else uri}
