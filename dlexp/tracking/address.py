"""Addresses of stores, in the form of MLflow and in the form that run folders record.

A store beside the runs is recorded relative to the outputs folder, so that a project can be moved,
renamed and copied: its runs then belong to the store beside them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlexp import paths
from dlexp.errors import UserError
from dlexp.paths import native

STORE, ARTIFACTS = "mlflow.db", "mlartifacts"  # under an outputs folder
BESIDE = (
    "sqlite:///{outputs}/"  # start of a recorded address that is relative to the outputs folder
)
OWN = BESIDE + STORE


def store_uri(outputs: Path) -> str:
    """The address of the SQLite store under an outputs folder.

    Raises `UserError` for a folder whose name would end or change the address.

    >>> store_uri(Path("/home/ann/outputs"))
    'sqlite:////home/ann/outputs/mlflow.db'
    """
    return _uri(outputs.absolute() / STORE)


def _uri(file: Path) -> str:
    path = os.fsencode(file.as_posix()).decode("utf-8", "surrogateescape")
    if "?" in path or "%" in path:
        wrong = (
            "an MLflow store cannot stand in a folder with ? or % in its name; set DLEXP_OUTPUTS to"
            " another one"
        )
        raise UserError(wrong, key="outputs", value=file.parent)
    return f"sqlite:///{path}"


def store_file(uri: str) -> Path | None:
    """The file of an SQLite store; None for any other address.

    >>> store_file("sqlite:////home/ann/outputs/mlflow.db").as_posix()
    '/home/ann/outputs/mlflow.db'
    >>> store_file("http://localhost:5000")
    """
    scheme, _, path = uri.partition(":///")
    return Path(native(path.partition("?")[0])) if scheme.startswith("sqlite") and path else None


def outputs_of(folder: Path) -> Path:
    """The outputs folder of a run or sweep; the current one if the folder is in none."""
    return paths.home(folder) or paths.outputs()


def to_record(uri: str, outputs: Path) -> str:
    """The recorded form of an address: relative, for an SQLite file in the folder that holds
    `outputs`.

    >>> to_record("sqlite:////home/ann/outputs/mlflow.db", Path("/home/ann/outputs"))
    'sqlite:///{outputs}/mlflow.db'
    >>> to_record("sqlite:////home/ann/mine.db", Path("/home/ann/outputs"))
    'sqlite:///{outputs}/../mine.db'
    >>> to_record("sqlite:////srv/runs.db", Path("/home/ann/outputs"))
    'sqlite:////srv/runs.db'
    """
    file, outputs = store_file(uri), outputs.absolute()
    if (
        file is None
        or "?" in uri
        or uri.startswith(BESIDE)
        or outputs.parent not in file.absolute().parents
    ):
        return uri
    relative = Path(os.path.relpath(file.absolute(), outputs)).as_posix()
    return BESIDE + os.fsencode(relative).decode("utf-8", "surrogateescape")


def recorded(uri: str, outputs: Path) -> str:
    """The address that `to_record` recorded, for the current outputs folder. Raises `UserError`.

    >>> recorded("sqlite:///{outputs}/../mine.db", Path("/srv/copy/outputs"))
    'sqlite:////srv/copy/mine.db'
    """
    if not uri.startswith(BESIDE):
        return uri
    return _uri(Path(os.path.normpath(outputs.absolute() / native(uri.removeprefix(BESIDE)))))


def asked_for(tracking: Mapping[str, Any], outputs: Path) -> str:
    """The store that the `tracking` of a `run.json` or `sweep.json` names.

    Earlier versions recorded the store under the outputs folder as an absolute path, and its
    artifacts' folder with it. Raises `UserError`, and `KeyError` if no address is recorded.
    """
    uri = str(tracking["uri"])
    return recorded(OWN if tracking.get("artifacts") else uri, outputs)
