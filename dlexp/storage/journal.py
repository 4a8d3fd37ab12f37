"""The run folder: what was chosen, what was measured, how it ended. MLflow has a copy.

    run.json        configuration and machine (written once, before the first step)
    journal.jsonl   one JSON object per line: start, record | note …, finish; resume after each
                    interruption
    config.yaml     the complete configuration, as composed
    run.log         the log
    figures/        images
    arrays/         arrays of observers, for figures of several runs (.npz, without pickle)
    checkpoints/    the state to continue from (last.npz), the best network (best.npz)
    network.npz     the trained network
    probes/         the run with other observers, each in its own run folder
    lock            held by the writing process while it lives

A number that is not finite is null in the journal, because JSON cannot express it.
"""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from dlexp import paths
from dlexp.core.records import Record
from dlexp.errors import DataError, not_created
from dlexp.storage import records as descriptions
from dlexp.storage.atomic import is_held, lock, named, new_folder, write_atomically
from dlexp.storage.lines import BadLine, JournalEvent, event_of, line_of
from dlexp.storage.records import RUN_FILE, RunDescription
from dlexp.storage.status import Status

EVENTS, LOCK, PROBES = "journal.jsonl", "lock", "probes"
# seconds to wait for a lock: a check whether a run is alive holds it briefly
PATIENCE = 0.3


class Differs(ArithmeticError):
    """A resumed run measures other numbers than before: code, data or machine have changed."""

    def __init__(
        self, step: int, before: Mapping[str, float | None], now: Mapping[str, float | None]
    ) -> None:
        differing = (n for n in {**before, **now} if before.get(n) != now.get(n))
        name = next(differing, "the order of events")
        change = f"{name} was {before.get(name)}, is {now.get(name)}"
        super().__init__(f"resumed, it is another run: at step {step}, {change}")


class Journal:
    """The writer of a run folder. Lines are written at once, so a killed run keeps them.

    Raises `FileExistsError` if there is a journal already, `OSError` if it cannot be written.
    """

    def __init__(self, folder: Path, description: RunDescription) -> None:
        self._open(paths.made(folder), "x")
        try:
            descriptions.write(folder / RUN_FILE, description)
            self._write("start", pid=os.getpid())
        except OSError:
            self.close()
            raise

    def _open(self, folder: Path, mode: str) -> None:
        self.folder, self.measured = folder, 0
        paths.check_inside(folder / EVENTS)
        self._lock: FileLock = lock(folder / LOCK)
        try:
            self._lock.acquire(timeout=PATIENCE)
        except Timeout:
            raise BlockingIOError(f"{folder} is being written") from None
        self._file = (folder / EVENTS).open(
            mode, encoding="utf-8", errors="surrogateescape", buffering=1
        )
        self._began = time.monotonic()
        self._ahead: deque[JournalEvent] = deque()
        self._mixed = False

    @classmethod
    def resumed(cls, folder: Path) -> Journal:
        """The journal of an interrupted run, to continue it.

        Raises `BlockingIOError` while another process writes it.
        """
        book = cls.__new__(cls)
        book._open(folder, "a")
        before, end = events(folder)
        os.truncate(folder / EVENTS, end)  # a half-written line of a killed run
        book._began -= before[-1].elapsed if before else 0.0
        return book

    def go_on(self, measured: int, step: int, changes: Sequence[str] = ()) -> list[Record]:
        """Continue a run that had measured so much when it was saved; returns those records.

        Later measurements are kept: they are repeated and must be the same, unless there are
        `changes`. Raises `DataError` for a journal that has lost measurements.
        """
        known = [e for e in events(self.folder)[0] if e.is_measurement]
        if len(known) < measured:
            wrong = f"has {len(known)} measurements, and the checkpoint counts {measured}"
            raise DataError(wrong, key=str(self.folder / EVENTS))
        self.measured = measured
        self._ahead.extend(known[measured:])
        self._mixed = bool(changes)
        self._write("resume", pid=os.getpid(), step=step, changes=list(changes))
        return records_of(known[:measured])

    def record(self, record: Record, event: str = "record") -> None:
        """One evaluation (`record`), or an observer's own measurements (`note`).

        Raises `Differs` if a resumed run measures other numbers, `TooLong` for too many.
        """
        finite = {k: v if math.isfinite(v) else None for k, v in record.metrics.items()}
        self.measured += 1
        if self._ahead:
            known = self._ahead.popleft()
            now = known.metrics if self._mixed else finite
            if (known.kind, known.step, known.metrics) != (event, record.step, now):
                raise Differs(record.step, known.metrics, finite)
        else:
            self._write(event, epoch=record.epoch, step=record.step, metrics=finite)

    def sync(self) -> None:
        """Flush all lines to disk."""
        with named(self.folder / EVENTS):
            os.fsync(self._file.fileno())

    def finish(self, status: Status, error: str | None = None, **more: object) -> None:
        """Write the last line: how the run ended. The file is closed and the lock is released."""
        try:
            self._write("finish", status=status, error=error, **more)
            self.sync()
        finally:
            self.close()

    def close(self) -> None:
        """Close the file and release the lock, without a last line."""
        with suppress(OSError):  # a failed write was reported already
            self._file.close()
        self._lock.release()

    def _write(self, event: str, **news: object) -> None:
        elapsed = round(time.monotonic() - self._began, 4)
        line = {"event": event, "time_ms": time.time_ns() // 1_000_000, "elapsed": elapsed, **news}
        with named(self.folder / EVENTS):
            self._file.write(line_of(line))


def begun(folder: Path, description: RunDescription, texts: Mapping[str, str]) -> Journal:
    """A new run folder with its journal and these files; nothing remains if this fails.

    Raises `OSError` for the machine's state, such as a full disk, else `UserError`.
    """
    try:
        with new_folder(folder):
            book = Journal(folder, description)
            try:
                for name, text in texts.items():
                    write_atomically(folder / name, text)
            except OSError:
                book.close()
                raise
            return book
    except OSError as e:
        raise not_created(e, folder, "run") from None


def _record(event: JournalEvent) -> Record:
    metrics = {name: math.nan if value is None else value for name, value in event.metrics.items()}
    return Record(event.epoch, event.step, metrics)


def records(folder: Path) -> list[Record]:
    """The evaluations in a journal."""
    return records_of(events(folder)[0])


def records_of(events: Iterable[JournalEvent]) -> list[Record]:
    """The evaluations among events."""
    return [_record(event) for event in events if event.kind == "record"]


def changes(events: Sequence[JournalEvent]) -> list[str]:
    """The changes with which a run was resumed; empty for a run that was not."""
    return list(dict.fromkeys(change for event in events for change in event.changes))


def events(folder: Path, offset: int = 0) -> tuple[list[JournalEvent], int]:
    """The events from a byte offset on, and the offset after the last complete line.

    Raises `OSError`, and `DataError` for a line that no run wrote, with its number.
    """
    with (folder / EVENTS).open("rb") as file:
        file.seek(offset)
        text = file.read()
    complete = text[: text.rfind(b"\n") + 1]
    events: list[JournalEvent] = []
    for line in complete.splitlines():
        try:
            events.append(event_of(line))
        except BadLine as e:
            number = len((folder / EVENTS).read_bytes()[:offset].splitlines()) + len(events) + 1
            raise DataError(f"line {number} {e}", key=str(folder / EVENTS)) from None
    return events, offset + len(complete)


def is_alive(folder: Path) -> bool:
    """Whether a process is writing this run now: it holds the lock. Nothing is written.

    Nothing is written to find that out.
    """
    return is_held(folder / LOCK)
