"""Follows a run folder: reads its journal, sends it to MLflow, and repeats failed calls."""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from dlexp import paths
from dlexp.errors import is_of_the_machine
from dlexp.redaction import clean
from dlexp.storage import journal
from dlexp.storage.lines import JournalEvent
from dlexp.storage.records import RUN_FILE, Description, RunDescription, SweepDescription
from dlexp.tracking import address, redacted, state as states
from dlexp.tracking.mirror import Mirror
from dlexp.tracking.state import Refused
from dlexp.tracking.store import Store, explain, open_store

LIVE = 1.0  # seconds between batches of a run under way
TRIES = 3  # for an ended run; a run in progress is tried as long as it lives
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)  # seconds after the first, second … failure in a row
OTHERS = 60.0  # seconds to wait until another sender finishes an ended run


D = TypeVar("D", RunDescription, SweepDescription)


class Stores:
    """The stores opened so far."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], Store] = {}

    def get(self, uri: str, experiment: str) -> Store:
        """The store at `uri`, opened once.

        Garbage collection is paused meanwhile, which makes the import of MLflow a fifth faster, and
        does not examine its objects later.
        """
        if (uri, experiment) not in self._open:
            gc.disable()
            try:
                self._open[uri, experiment] = open_store(uri, experiment)
            finally:
                gc.enable()
                gc.freeze()
        return self._open[uri, experiment]


class RunFollower:
    """Sends one run folder until its end. `over`: it is sent, or it cannot be."""

    def __init__(self, folder: Path, stores: Stores) -> None:
        self.folder, self.stores = folder, stores
        self.over = self._ended = False
        self.uri = ""
        self.mirror: Mirror | None = None
        self.events: list[JournalEvent] = []
        self._offset = self._failures = 0
        self._next, self._give_up_waiting = 0.0, time.monotonic() + OTHERS
        self._lock = FileLock(folder / "mlflow.lock")

    def look(self) -> None:
        """Send what is new, if it is time; note failures, and repeat as long as it may help."""
        ended = True
        if not self.folder.is_dir():  # it was moved: nothing is written to its former place
            print(f"{self.folder}: no longer exists", flush=True)
            self.over = True
        try:
            if not self.over and self._is_only_sender():
                ended = self._read()
                if ended and not self._ended:  # start over
                    self._ended, self._failures, self._next = True, 0, 0.0
                if time.monotonic() >= self._next:
                    self._send(ended)
                    self.over, self._failures = ended, 0
                    self._next = time.monotonic() + LIVE
        except Exception as e:
            self._failed(e, ended)
        if self.over:
            self.release()

    def release(self) -> None:
        """Allow other senders to work on the run."""
        self._lock.release()

    def _is_only_sender(self) -> bool:
        """Whether no other sender works on this run; wait for one that may be ending."""
        if self._lock.is_locked:
            return True
        paths.check_inside(self.folder / "mlflow.lock")
        try:
            self._lock.acquire(timeout=0)
            return True
        except Timeout:
            if journal.is_alive(self.folder):
                self._give_up_waiting = time.monotonic() + OTHERS
            else:
                self.over = (
                    states.is_complete(self.folder) or time.monotonic() > self._give_up_waiting
                )
        if self.over:
            print(f"{self.folder}: skipped, another sender is working on it", flush=True)
        return False

    def _read(self) -> bool:
        """Read what is new in the journal; return whether it was the end."""
        try:
            # before the journal is read, so that all lines of a dead writer are read
            alive = journal.is_alive(self.folder)
            news, self._offset = journal.events(self.folder, self._offset)
            self.events += news
            return not alive or (bool(self.events) and self.events[-1].kind == "finish")
        except (OSError, ValueError) as e:
            raise Refused(f"the journal cannot be read: {states.reason(e)}") from None

    def _send(self, ended: bool) -> None:
        if self.mirror is None:
            self.mirror = self._open()
        self.mirror.send(self.events)
        if ended:
            self.mirror.finish(self.events)

    def _open(self) -> Mirror:
        description = self._described(RunDescription.read, RUN_FILE)
        return Mirror(self.folder, self._store(description), self.uri, description, self.events)

    def _described(self, read: Callable[[Path], D], file: str) -> D:
        """The folder's description. Raises `Refused` if it is unreadable, or not for MLflow."""
        try:
            description = read(self.folder)
            tracking = description.tracking or {}
            home = address.outputs_of(self.folder)
            self.uri = address.asked_for(tracking, home) if tracking else ""
        except (OSError, ValueError, KeyError) as e:
            raise Refused(f"{file} cannot be read: {states.reason(e)}") from None
        if not tracking:
            what = "run" if file == RUN_FILE else "sweep"
            raise Refused(f"the {what} was made with tracking=none")
        return description

    def _store(self, description: Description) -> Store:
        tracking = description.tracking or {}
        return self.stores.get(self.uri, str(tracking.get("experiment", "dlexp")))

    def _failed(self, e: Exception, ended: bool) -> None:
        """Note a failure; try again later, unless that cannot help."""
        self._failures += 1
        self._next = time.monotonic() + WAITS[min(self._failures, len(WAITS)) - 1]
        theirs = type(e).__module__.startswith(("mlflow", "requests", "sqlalchemy"))
        if theirs or is_of_the_machine(e) or isinstance(e, (Refused, OSError, ImportError)):
            message, final = explain(e, self.uri)
        else:
            traceback.print_exc()
            message, final = (
                f"the sender failed, tracking.log says where: {type(e).__name__}: {clean(str(e))}",
                True,
            )
        self.over = final or (ended and self._failures >= TRIES)
        print(f"{self.folder}: {message}", flush=True)
        state = self.mirror.state if self.mirror else states.load(self.folder)
        state.uri, state.error = state.uri or redacted(self.uri), message
        try:
            state.save(self.folder)
        except OSError as full:
            print(f"{self.folder}: {full}", flush=True)
