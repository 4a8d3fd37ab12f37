"""How far a run has been mirrored: the file `mlflow.json` in its folder."""

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
    """What went wrong; of what is not a message to the user, with its kind.

    >>> reason(KeyError("id")), reason(UserError("is damaged", key="run.json"))
    ("KeyError: 'id'", 'run.json: is damaged')
    """
    return str(e) if isinstance(e, UserError) else f"{type(e).__name__}: {e}"


class Refused(Exception):
    """MLflow cannot take this run until somebody does something; the message says what."""


@dataclass
class State:
    """Where a run is shown, how many lines of its journal are there, and what stood in the way
    last.

    `done` says that everything the folder held was sent, artifacts and model too. A sweep has a
    state as well: `sent` counts its runs, `mark` is a digest of what was sent. In a run of a sweep,
    `mark` is the sweep's `run_id`.

    `last` is a digest of the last line that was sent: by it, a journal that was cut back by hand is
    known. From then on MLflow is asked what it has (`ask`), since the same measurements may stand
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
        """So many lines of the journal are there."""
        self.sent, self.last = sent, _digest(events[sent - 1]) if sent else None

    def fits(self, events: Sequence[JournalEvent]) -> bool:
        """Whether the journal begins with the lines that were sent."""
        if not 0 < self.sent <= len(events):
            return self.sent == 0
        return self.last in (None, _digest(events[self.sent - 1]))

    def save(self, folder: Path) -> None:
        """Write it, old or new, never half."""
        uri = address.to_record(self.uri, address.outputs_of(folder))
        write_atomically(
            folder / MIRROR_FILE, json.dumps(asdict(self) | {"uri": uri}, indent=2) + "\n"
        )


def _digest(event: JournalEvent) -> str:
    return hashlib.sha256(json.dumps(event.recorded).encode()).hexdigest()[:16]


def load(folder: Path) -> State:
    """The state of a run; that of one never sent where there is none, or a damaged one: sending
    again does no harm.
    """
    try:
        found = read_object(folder / MIRROR_FILE)
        later = ("mark", "last", "ask")  # than the first of these files
        state = State(
            **{
                f.name: found[f.name]
                for f in fields(State)
                if f.name in found or f.name not in later
            }
        )
        if isinstance(state.sent, int) and isinstance(state.uri, str):
            state.uri = _here(state.uri, folder)
            return state
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return State()


def _here(uri: str, folder: Path) -> str:
    """The store that a folder was sent to, as it is to be reached now.

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
            shown = description_of(folder).tracking or {}
            if redacted(str(shown["uri"])) == uri:
                return redacted(address.asked_for(shown, home))
    return address.recorded(uri, home)


def is_complete(folder: Path) -> bool:
    """Whether MLflow has all there is of a run that has ended, or of a sweep."""
    state = load(folder)
    if is_sweep(folder):
        return state.done and not state.error and state.mark == mark(folder)
    try:
        events, _ = journal.events(folder)
        return state.done and state.sent == len(events) and state.fits(events)
    except (OSError, ValueError):
        return state.done


def mark(sweep: Path) -> str:
    """A digest of all that is sent of a sweep beside its runs: what it says, which runs it has, its
    report.
    """
    digest = hashlib.sha256()
    try:
        told = read_object(sweep / SWEEP_FILE)
        told["ended_ms"] = told.get("ended_ms") is not None  # asked again, it ends at another time
        digest.update(json.dumps(told, sort_keys=True).encode())
    except (OSError, ValueError):
        digest.update(b"damaged")
    for file in [sweep / LEDGER, *sorted((sweep / REPORT).rglob("*"))]:
        if file.is_file():
            digest.update(str(file.relative_to(sweep)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
