"""Fetches MLflow's copy of a run."""

from __future__ import annotations

import os
from pathlib import Path

from dlexp import paths
from dlexp.errors import UserError
from dlexp.storage import journal
from dlexp.storage.records import CONFIG_FILE, RUN_FILE
from dlexp.tracking import PATIENCE, SILENCE, artifacts, redacted, store_file, store_uri
from dlexp.tracking.settings import usual_uri

WANTED = (RUN_FILE, journal.EVENTS, CONFIG_FILE)


def run_folder(run_id: str, uri: str | None, into: Path) -> Path:
    """Fetch what describes a run into a folder. Raises `UserError` if it is incomplete."""
    for name, value in {**PATIENCE, **SILENCE, **paths.substitutes()}.items():
        os.environ.setdefault(name, value)
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    from dlexp.tracking.limits import limited

    own = store_uri(paths.outputs())
    where = uri or usual_uri()
    if where == own and not (paths.outputs() / "mlflow.db").is_file():
        raise UserError(f"there is no MLflow store in {paths.outputs()}", key="run", value=run_id)
    if (file := store_file(where)) is not None:
        artifacts.settle_if_possible(file)
    try:
        with limited():
            client = MlflowClient(where)
            client.get_run(run_id)
            for name in WANTED:
                client.download_artifacts(run_id, name, str(into))
    except (MlflowException, OSError) as e:
        reason = " ".join(str(e).replace(where, redacted(where)).split())
        raise UserError(
            f"cannot be fetched from {redacted(where)}: {reason}", key="run", value=run_id
        ) from None
    return into
