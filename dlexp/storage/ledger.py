"""A sweep's memory: which runs it has, and how each ended.

    sweep.json     what was asked: fixed overrides, axes, the command
    ledger.jsonl   one line per run that ended, appended; the last line of a key counts
    runs/<name>/   the run folders
    lock           held by the command that is at work on the sweep

Only the holder of the lock writes. A run whose end is not in the ledger (the command was killed in
that moment, or the run was resumed by itself) is found by its journal and written down later; a run
without an end goes on.
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
    """How one run ended; `folder` is relative to the sweep's, the rest is what it took."""

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
        """The line of the ledger that says so."""
        text = json.dumps(asdict(self), ensure_ascii=False)
        # half a character, typed in another encoding
        if text != text.encode("utf-8", "replace").decode():
            text = json.dumps(asdict(self))
        return text + "\n"


def entry_of(line: bytes) -> LedgerEntry:
    """What a line of a ledger says. Raises `ValueError` for what no sweep ever wrote."""
    try:
        found = json.loads(line[: LONGEST + 1])
        texts = key, folder = found["key"], found["folder"]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("its key or folder is no text")
        return LedgerEntry(
            key,
            Status(found["status"]),
            folder,
            tuple(map(str, found.get("overrides") or ())),
            seconds=float(found.get("seconds") or 0),
            cpu_seconds=float(found.get("cpu_seconds") or 0),
            peak_mb=float(found.get("peak_mb") or 0),
            error=str(error) if (error := found.get("error")) is not None else None,
            time_ms=int(found.get("time_ms") or 0),
        )
    except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as e:
        raise ValueError(f"is damaged: {e}") from None


@dataclass(frozen=True)
class Entries:
    """The complete lines of a ledger from a byte offset on: what they say, the numbers of the
    damaged ones (from 1), and the offset behind the last.
    """

    entries: list[LedgerEntry]
    damaged: list[int]
    end: int

    def latest(self) -> dict[str, LedgerEntry]:
        """The last entry of each key, which counts."""
        return {entry.key: entry for entry in self.entries}


def read(folder: Path, offset: int = 0) -> Entries:
    """Read a sweep's ledger; a half-written last line is left out. Raises `OSError`, but not where
    there is no ledger yet.
    """
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
    """The words behind `python -m dlexp` that a sweep was asked for with, command by command.
    Raises `UserError`.
    """
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
        """Hold the sweep: create its folder and read what it has. Raises `UserError` while another
        command holds it.
        """
        fresh = atomic.missing(self.folder)
        try:
            lock = atomic.lock(paths.made(self.folder) / "lock")
            # whoever asks whether the sweep is alive holds it for an instant
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
                atomic.take_back(fresh)  # nothing could be written, say, as the disk is full

    def read(self) -> None:
        """Read all entries; a half-written last line is left out. Nothing is written."""
        found = read(self.folder)
        self.entries |= found.latest()
        for number in found.damaged:
            log.warning(
                "%s: line %d is damaged and left out: python -m dlexp doctor",
                self.folder / LEDGER,
                number,
            )

    def _cut(self) -> None:
        """Cut a half-written last line off, before the next is written."""
        path = self.folder / LEDGER
        paths.check_inside(path)
        content = path.read_bytes() if path.exists() else b"\n"
        if not content.endswith(b"\n"):
            os.truncate(path, content.rfind(b"\n") + 1)

    def write(self, entry: LedgerEntry) -> None:
        """Append how a run ended; it is on its way to the disk when this returns."""
        with (self.folder / LEDGER).open("a", encoding="utf-8") as file:
            file.write(entry.line())
        self.entries[entry.key] = entry

    def describe(self, description: SweepDescription) -> None:
        """Write `sweep.json`; what was asked before (axes, parts, commands) stays and gains what is
        new.
        """
        if before := self.description():
            description = description.extending(before)
        records.write(self.folder / SWEEP_FILE, description)

    def description(self) -> SweepDescription | None:
        """What `sweep.json` says; None where there is none, or it is damaged."""
        try:
            return SweepDescription.read(self.folder)
        except (OSError, ValueError):
            return None

    def has_result(self, key: str) -> bool:
        """Whether a run ended with a result."""
        return key in self.entries and self.entries[key].status.is_result

    def is_done(self, key: str, *, retry_failed: bool) -> bool:
        """Whether a run need not be trained: it has a result, or has failed and is not to be tried
        again.
        """
        entry = self.entries.get(key)
        return entry is not None and (
            entry.status.is_result or (entry.status == Status.FAILED and not retry_failed)
        )

    def adopt(self, key: str, name: str, overrides: Sequence[str]) -> None:
        """Write down a run whose result is not in the ledger yet. One that a process is at work on
        is left alone.
        """
        place = self.folder / "runs" / name
        if self.has_result(key):
            return
        paths.check_inside(place)
        if not place.is_dir() or journal.is_alive(place):
            return
        try:
            events, _ = journal.events(place)
        except (OSError, ValueError):
            return
        end = events[-1] if events else None
        if end is not None and end.status is not None and end.status.is_result:
            self.write(
                LedgerEntry(
                    key,
                    end.status,
                    f"runs/{name}",
                    tuple(overrides),
                    end.elapsed,
                    error=end.error,
                )
            )
