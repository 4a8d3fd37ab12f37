"""The progress of mirroring a run: the file `mlflow.json` in its folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from dlexp.errors import UserError
from dlexp.redaction import redacted
from dlexp.storage import journal
from dlexp.storage.atomic import write_atomically
from dlexp.storage.find import MIRROR_FILE
from dlexp.storage.ledger import LEDGER
from dlexp.storage.lines import JournalEvent
from dlexp.storage.records import SWEEP_FILE, description_of, is_sweep, read_object
from dlexp.tracking import address

REPORT = "report"  # in a sweep's folder


def reason(e: BaseException) -> str:
    """The reason of a failure; with its type, unless it is a message to the user.

    >>> reason(KeyError("id")), reason(UserError("is damaged", key="run.json"))
    ("KeyError: 'id'", 'run.json: is damaged')
    """
    return str(e) if isinstance(e, UserError) else f"{type(e).__name__}: {e}"


class Refused(Exception):
    """MLflow cannot take this run until a person acts; the message says how."""


@dataclass
class State:
    """The store of a run, how many lines of its journal were sent, and the latest failure.

    `done` says that everything the folder held was sent, artifacts and model too. A sweep has a
    state as well: `sent` counts its runs, `mark` is a digest of what was sent. In a run of a sweep,
    `mark` is the sweep's `run_id`.

    `last` is a digest of the last line that was sent: by it, a journal that was cut back by hand is
    recognized. From then on MLflow is asked what it has (`ask`), as the same measurements may be
    there with other times.
    """

    uri: str = ""
    experiment_id: str | None = None
    run_id: str | None = None
    sent: int = 0
    done: bool = False
    error: str | None = None
    mark: str | None = None
    last: str | None = None
    ask: bool = False

    def count(self, events: Sequence[JournalEvent], sent: int) -> None:
        """Count lines of the journal as sent."""
        self.sent, self.last = sent, _digest(events[sent - 1]) if sent else None

    def fits(self, events: Sequence[JournalEvent]) -> bool:
        """Whether the journal begins with the lines that were sent."""
        if not 0 < self.sent <= len(events):
            return self.sent == 0
        return self.last in (None, _digest(events[self.sent - 1]))

    def save(self, folder: Path) -> None:
        """Write it atomically."""
        uri = address.to_record(self.uri, address.outputs_of(folder))
        write_atomically(
            folder / MIRROR_FILE, json.dumps(asdict(self) | {"uri": uri}, indent=2) + "\n"
        )


def _digest(event: JournalEvent) -> str:
    return hashlib.sha256(json.dumps(event.recorded).encode()).hexdigest()[:16]


def load(folder: Path) -> State:
    """The state of a run; a missing or damaged file counts as never sent, which is harmless."""
    try:
        values = read_object(folder / MIRROR_FILE)
        later = ("mark", "last", "ask")  # this field is newer than the first of these files
        state = State(
            **{
                f.name: values[f.name]
                for f in fields(State)
                if f.name in values or f.name not in later
            }
        )
        if isinstance(state.sent, int) and isinstance(state.uri, str):
            state.uri = _here(state.uri, folder)
            return state
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return State()


def _here(uri: str, folder: Path) -> str:
    """The store that a folder was sent to, by its present address.

    Earlier versions noted the store under the outputs folder by its absolute path, as they did in
    `run.json`.
    """
    home = address.outputs_of(folder)
    if (
        uri.startswith("sqlite")
        and not uri.startswith(address.BESIDE)
        and uri != address.store_uri(home)
    ):
        with suppress(OSError, ValueError, KeyError):
            tracking = description_of(folder).tracking or {}
            if redacted(str(tracking["uri"])) == uri:
                return redacted(address.asked_for(tracking, home))
    return address.recorded(uri, home)


def is_complete(folder: Path) -> bool:
    """Whether MLflow has everything of an ended run, or of a sweep."""
    state = load(folder)
    if is_sweep(folder):
        return state.done and not state.error and state.mark == mark(folder)
    try:
        events, _ = journal.events(folder)
        return state.done and state.sent == len(events) and state.fits(events)
    except (OSError, ValueError):
        return state.done


def mark(sweep: Path) -> str:
    """A digest of all that is sent of a sweep beside its runs: description, runs, report."""
    digest = hashlib.sha256()
    try:
        description = read_object(sweep / SWEEP_FILE)
        # the time itself changes when the command is repeated
        description["ended_ms"] = description.get("ended_ms") is not None
        digest.update(json.dumps(description, sort_keys=True).encode())
    except (OSError, ValueError):
        digest.update(b"damaged")
    for file in [sweep / LEDGER, *sorted((sweep / REPORT).rglob("*"))]:
        if file.is_file():
            digest.update(str(file.relative_to(sweep)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
