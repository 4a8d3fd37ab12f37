"""The ledger of a sweep: which runs it has, and how each ended.

    sweep.json     fixed overrides, axes, the command
    ledger.jsonl   one line per run that ended; the last line of a key counts
    runs/<name>/   the run folders
    lock           held by the command that works on the sweep

Only the holder of the lock writes. A run whose end is missing (the command was killed, or the run
was resumed alone) is found by its journal and added later; a run without an end is continued.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import Timeout

from dlexp import paths
from dlexp.errors import UserError, not_created
from dlexp.storage import atomic, journal, records
from dlexp.storage.lines import LONGEST
from dlexp.storage.records import SWEEP_FILE, SweepDescription
from dlexp.storage.status import Status

log = logging.getLogger("dlexp")

LEDGER = "ledger.jsonl"


@dataclass(frozen=True)
class LedgerEntry:
    """How one run ended; `folder` is relative to the sweep's."""

    key: str
    status: Status
    folder: str
    overrides: Sequence[str] = ()
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0
    error: str | None = None
    time_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)

    def line(self) -> str:
        """Its line in the ledger."""
        text = json.dumps(asdict(self), ensure_ascii=False)
        # half a character from another encoding
        if text != text.encode("utf-8", "replace").decode():
            text = json.dumps(asdict(self))
        return text + "\n"


def entry_of(line: bytes) -> LedgerEntry:
    """The entry of a line. Raises `ValueError` for a line that no sweep wrote."""
    try:
        values = json.loads(line[: LONGEST + 1])
        texts = key, folder = values["key"], values["folder"]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("its key or folder is no text")
        return LedgerEntry(
            key,
            Status(values["status"]),
            folder,
            tuple(map(str, values.get("overrides") or ())),
            seconds=float(values.get("seconds") or 0),
            cpu_seconds=float(values.get("cpu_seconds") or 0),
            peak_mb=float(values.get("peak_mb") or 0),
            error=str(error) if (error := values.get("error")) is not None else None,
            time_ms=int(values.get("time_ms") or 0),
        )
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as e:
        raise ValueError(f"is damaged: {e}") from None


@dataclass(frozen=True)
class Entries:
    """The content of a ledger from a byte offset on.

    `damaged` are the numbers (from 1) of the lines that cannot be read, `end` is the offset after
    the last complete line.
    """

    entries: list[LedgerEntry]
    damaged: list[int]
    end: int

    def latest(self) -> dict[str, LedgerEntry]:
        """The last entry of each key, which counts."""
        return {entry.key: entry for entry in self.entries}


def read(folder: Path, offset: int = 0) -> Entries:
    """Read a sweep's ledger; a missing file is empty, a half-written last line is left out."""
    try:
        with (folder / LEDGER).open("rb") as file:
            file.seek(offset)
            text = file.read()
    except FileNotFoundError:
        text = b""
    complete = text[: text.rfind(b"\n") + 1]
    entries: list[LedgerEntry] = []
    damaged: list[int] = []
    for number, line in enumerate(complete.splitlines(), start=1):
        try:
            if line.strip():
                entries.append(entry_of(line))
        except ValueError:
            damaged.append(number)
    return Entries(entries, damaged, offset + len(complete))


def commands_of(folder: Path) -> list[list[str]]:
    """The words of each command of a sweep, after `python -m dlexp`. Raises `UserError`."""
    try:
        commands = [shlex.split(command)[3:] for command in SweepDescription.read(folder).commands]
        if not commands:
            raise ValueError("it names no command")
        return commands
    except (OSError, ValueError) as e:
        wrong = e.message if isinstance(e, UserError) else str(e)
        raise UserError(f"cannot be read: {wrong}", key=str(folder / SWEEP_FILE)) from None


class Ledger:
    """The ledger of one sweep folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, LedgerEntry] = {}

    @contextmanager
    def held(self) -> Iterator[Ledger]:
        """Take the lock, create the folder, read the entries. Raises `UserError` if it is held."""
        fresh = atomic.missing(self.folder)
        try:
            lock = atomic.lock(paths.made(self.folder) / "lock")
            # a check whether the sweep is alive holds it briefly
            lock.acquire(timeout=0.3)
        except Timeout:
            raise UserError(f"another command is at work on this sweep: {self.folder}") from None
        except OSError as e:
            raise not_created(e, self.folder, "sweep") from None
        try:
            self.read()
            self._cut()
            yield self
        finally:
            lock.release()
            if self.folder in fresh and not any(
                (self.folder / name).exists() for name in (SWEEP_FILE, LEDGER, "runs")
            ):
                atomic.take_back(fresh)  # nothing could be written: the disk is full, say

    def read(self) -> None:
        """Read all entries; a half-written last line is left out. Nothing is written."""
        content = read(self.folder)
        self.entries |= content.latest()
        for number in content.damaged:
            wrong = "%s: line %d is damaged and left out: python -m dlexp doctor"
            log.warning(wrong, self.folder / LEDGER, number)

    def _cut(self) -> None:
        """Cut off a half-written last line before the next is written."""
        path = self.folder / LEDGER
        paths.check_inside(path)
        content = path.read_bytes() if path.exists() else b"\n"
        if not content.endswith(b"\n"):
            os.truncate(path, content.rfind(b"\n") + 1)

    def write(self, entry: LedgerEntry) -> None:
        """Append an entry; it is handed to the system when this returns."""
        with (self.folder / LEDGER).open("a", encoding="utf-8") as file:
            file.write(entry.line())
        self.entries[entry.key] = entry

    def describe(self, description: SweepDescription) -> None:
        """Write `sweep.json`; axes, parts and commands of earlier calls are kept."""
        if before := self.description():
            description = description.extending(before)
        records.write(self.folder / SWEEP_FILE, description)

    def description(self) -> SweepDescription | None:
        """The content of `sweep.json`; None if it is missing or damaged."""
        try:
            return SweepDescription.read(self.folder)
        except (OSError, ValueError):
            return None

    def has_result(self, key: str) -> bool:
        """Whether a run ended with a result."""
        return key in self.entries and self.entries[key].status.is_result

    def is_done(self, key: str, *, retry_failed: bool) -> bool:
        """Whether a run is not trained again: it has a result, or failed and is not retried."""
        entry = self.entries.get(key)
        return entry is not None and (
            entry.status.is_result or (entry.status == Status.FAILED and not retry_failed)
        )

    def adopt(self, key: str, name: str, overrides: Sequence[str]) -> None:
        """Add a run's result that is missing in the ledger, unless a process trains the run."""
        folder = self.folder / "runs" / name
        if self.has_result(key):
            return
        paths.check_inside(folder)
        if not folder.is_dir() or journal.is_alive(folder):
            return
        try:
            events, _ = journal.events(folder)
        except (OSError, ValueError):
            return
        end = events[-1] if events else None
        if end is not None and end.status is not None and end.status.is_result:
            where, words = f"runs/{name}", tuple(overrides)
            self.write(LedgerEntry(key, end.status, where, words, end.elapsed, error=end.error))
