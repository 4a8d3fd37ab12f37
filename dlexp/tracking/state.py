"""How far a run has been mirrored: the file `mlflow.json` in its folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from dlexp import journal

STATE = "mlflow.json"


@dataclass
class State:
    """Where a run is shown, how many lines of its journal are there, and what stood in the way last.

    `done` says that everything the folder held was sent, artifacts and model too. A sweep has a state as well: the lines
    are its ledger's, `mark` is the digest of whatever else was sent. In a sweep's runs, `mark` is the sweep's run_id.
    """

    uri: str = ""
    experiment_id: str | None = None
    run_id: str | None = None
    sent: int = 0
    done: bool = False
    error: str | None = None
    mark: str | None = None

    def save(self, folder: Path) -> None:
        """Write it, old or new, never half."""
        journal.write_atomically(folder / STATE, json.dumps(asdict(self), indent=2) + "\n")


def load(folder: Path) -> State:
    """The state of a run; that of one never sent where there is none, or a damaged one: sending again does no harm."""
    try:
        found = json.loads((folder / STATE).read_text(encoding="utf-8"))
        known = {f.name: found[f.name] for f in fields(State) if f.name != "mark"}
        state = State(**known, mark=found.get("mark"))
        return state if isinstance(state.sent, int) and isinstance(state.uri, str) else State()
    except (OSError, ValueError, KeyError, TypeError):
        return State()


def is_complete(folder: Path) -> bool:
    """Whether MLflow has all there is of a run, which has ended."""
    state = load(folder)
    try:
        return state.done and state.sent == len(journal.events(folder)[0])
    except (OSError, ValueError):
        return state.done


def redacted(uri: str) -> str:
    """The address without its password.

    >>> redacted("postgresql://ann:secret@db.example:5432/runs")
    'postgresql://ann:***@db.example:5432/runs'
    >>> redacted("sqlite:////home/ann/outputs/mlflow.db")
    'sqlite:////home/ann/outputs/mlflow.db'
    """
    try:
        password = urlsplit(uri).password
    except ValueError:
        return uri
    return uri.replace(f":{password}@", ":***@", 1) if password else uri
