"""Opens MLflow's store and finds the experiment, also if several processes do so at once.

A new SQLite store is made beside its place, under a lock, and moved there when it is complete:
processes that create the same store together crash each other, and a killed one would leave half a
store. It stays in SQLite's default journal mode: write-ahead logging gains little with one writer
and can damage a store on a network file system (https://www.sqlite.org/wal.html).
"""

from __future__ import annotations

import errno
import os
import re
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlexp import paths, shell
from dlexp.errors import describe_error, is_of_memory, is_of_the_machine
from dlexp.redaction import clean
from dlexp.storage import atomic
from dlexp.tracking import SYNC, artifacts, page, redacted, store_file
from dlexp.tracking.address import ARTIFACTS
from dlexp.tracking.state import Refused

if TYPE_CHECKING:
    from mlflow.entities import Experiment
    from mlflow.tracking import MlflowClient

MAGIC = b"SQLite format 3\x00"


@dataclass(frozen=True)
class Store:
    """An open store, and the experiment of the runs."""

    uri: str
    client: MlflowClient
    experiment_id: str


def open_store(uri: str, experiment: str) -> Store:
    """Open the store at `uri` (a missing SQLite file is created) and the experiment in it.

    The files of a new experiment are beside an SQLite file, or where the server puts them. A store
    that was moved or copied is corrected first: nothing is written to its former place. Raises
    `Refused` for what a repetition cannot cure, and MLflow's exceptions.
    """
    file = store_file(uri)
    if file is not None:
        file = file.absolute()
        paths.made(file.parent)
        for place in (file, file.parent / ARTIFACTS):
            paths.check_inside(place)
    from mlflow.tracking import MlflowClient  # it takes seconds

    if (
        file is not None and not file.parent.is_dir()
    ):  # moved meanwhile: it must not be created again
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file.parent))
    with _alone(file):
        if file is not None:
            _ready(file)
            artifacts.settle(file)
        if not uri.startswith(("http://", "https://")):
            _be_brief()
        client = MlflowClient(uri)
        return Store(uri, client, _experiment(client, experiment, file and file.parent / ARTIFACTS))


def _alone(file: Path | None) -> AbstractContextManager[Any]:
    return atomic.lock(file.with_name(f"{file.name}.lock")) if file is not None else nullcontext()


def _ready(file: Path) -> None:
    """Create the store's file completely or not at all; refuse another kind of file."""
    from mlflow.tracking import MlflowClient

    if file.exists():
        with file.open("rb") as stream:
            if stream.read(len(MAGIC)) not in (MAGIC, b""):
                raise Refused(f"{file} is not an SQLite database")
        return
    staged = file.with_name(f"{file.name}.new")
    staged.unlink(missing_ok=True)
    MlflowClient(f"sqlite:///{staged}").search_experiments(max_results=1)
    artifacts.keep_beside(staged)
    staged.replace(file)


def _be_brief() -> None:
    """Let MLflow try three times to reach a database, not ten, which takes a hundred seconds."""
    from mlflow.store.db import utils

    utils.MAX_RETRY_COUNT = 3


def _experiment(client: MlflowClient, name: str, folder: Path | None) -> str:
    """The experiment's id; it is created if missing, also if others create it at the same time."""
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        location = folder.as_uri() if folder else None
        try:
            return str(
                client.create_experiment(
                    name, artifact_location=location, tags=page.tags(time.time_ns() // 1_000_000)
                )
            )
        except MlflowException as e:
            if e.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            experiment = client.get_experiment_by_name(name)
    return _usable(experiment, name)


def _usable(experiment: Experiment | None, name: str) -> str:
    if experiment is None or experiment.lifecycle_stage != "active":
        wrong = (
            f"the experiment {name!r} was deleted in MLflow; restore it there, or choose another"
            " tracking.experiment"
        )
        raise Refused(wrong)
    return str(experiment.experiment_id)


def _of_another_version(revision: str, uri: str) -> str:
    """What to do about a store with tables of another revision.

    An older store can be upgraded; MLflow cannot downgrade a newer one.
    """
    from mlflow.store import db_migrations
    from mlflow.version import VERSION

    file, where = store_file(uri), redacted(uri)
    known = any(Path(str(db_migrations.__file__)).parent.glob(f"versions/{revision}_*.py"))
    if known or revision == "None":
        copied = f"{shell.join(['cp', str(file), f'{file}.before'])} && " if file else ""
        upgrade = shell.join(["python", "-m", "mlflow", "db", "upgrade", where])
        return (
            f"the store was made by an older MLflow: `{copied}{upgrade} && {SYNC}` brings it up to"
            " date"
        )
    wrong = (
        f"the store was made by a newer MLflow (its revision {revision} is unknown to MLflow"
        f" {VERSION})"
    )
    wrong += ": only that version can write to it"
    if file is None:
        return f"{wrong}; choose another database with tracking.uri=…"
    moved = shell.join(["mv", str(file), f"{file}.newer"])
    return f"{wrong}; `{moved} && {SYNC}` moves it away and fills a new one"


def explain(e: BaseException, uri: str) -> tuple[str, bool]:
    """The error of MLflow in one line, and whether a repetition cannot help."""
    where, text = redacted(uri), " ".join(str(e).split())
    code = str(getattr(e, "error_code", ""))
    if isinstance(e, Refused):
        return clean(text), True
    if is_of_memory(e):
        return f"MLflow could not be reached at {where}: {describe_error(e)}", True
    if is_of_the_machine(e):
        return describe_error(e), getattr(e, "errno", None) == errno.ELOOP
    if isinstance(e, ImportError):
        return f"MLflow needs a Python package to reach {where}: {clean(text)}", True
    if experiment := re.search(
        r"found version (\w+), but expected|locate revision identified by '(\w+)'", text
    ):
        return _of_another_version(experiment[1] or experiment[2], uri), True
    if re.search("error code (401|403)", text) or code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
        return (
            (f"MLflow at {where} requires MLFLOW_TRACKING_USERNAME and _PASSWORD, or _TOKEN"),
            True,
        )
    if "error code 404" in text:
        return f"the server at {where} is not an MLflow server", True
    if slow := re.search(r"did not answer within [\d.]+ s", text):
        return f"MLflow at {where} {slow[0]}", False
    if large := re.search("an answer of more than [\\d,]+ bytes", text):
        return f"the server at {where} is not an MLflow server: it sends {large[0]}", True
    if reason := re.search(
        "Connection refused|timed out|Name or service not known|No route to host", text
    ):
        return f"cannot reach MLflow at {where}: {reason[0].lower()}", False
    text = clean(text.replace(uri, where))
    return f"MLflow at {where} says: {text[:160]}", code in (
        "INVALID_PARAMETER_VALUE",
        "ENDPOINT_NOT_FOUND",
    )
