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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from filelock import Timeout

from dlexp import paths
from dlexp.errors import UserError, not_created
from dlexp.storage import atomic, journal
from dlexp.storage.lines import LONGEST

log = logging.getLogger("dlexp")

LEDGER, DESCRIPTION = "ledger.jsonl", "sweep.json"
RESULTS = ("FINISHED", "DIVERGED")  # how a run can end that need not be trained again


@dataclass(frozen=True)
class Entry:
    """How one run ended; `folder` is relative to the sweep's, the rest is what it took."""

    key: str
    status: str
    folder: str
    overrides: Sequence[str] = ()
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0
    error: str | None = None
    time_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)


def commands_of(folder: Path) -> list[list[str]]:
    """The words behind `python -m dlexp` that a sweep was asked for with, command by command.
    Raises `UserError`.
    """
    try:
        told = json.loads((folder / DESCRIPTION).read_text("utf-8"))
        return [shlex.split(command)[3:] for command in told.get("commands") or [told["command"]]]
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as e:
        raise UserError(
            f"cannot be read: {e or type(e).__name__}", key=str(folder / DESCRIPTION)
        ) from None


class Ledger:
    """The ledger of one sweep folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, Entry] = {}

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
                (self.folder / name).exists() for name in (DESCRIPTION, LEDGER, "runs")
            ):
                atomic.take_back(fresh)  # nothing could be written, say, as the disk is full

    def read(self) -> None:
        """Read all entries; a half-written last line is left out. Nothing is written."""
        path = self.folder / LEDGER
        content = path.read_bytes() if path.exists() else b""
        complete = content[: content.rfind(b"\n") + 1]
        for number, line in enumerate(complete.splitlines(), start=1):
            try:
                entry = Entry(**json.loads(line[: LONGEST + 1]))
                self.entries[entry.key] = entry
            except (ValueError, TypeError, RecursionError):
                log.warning(
                    "%s: line %d is damaged and left out: python -m dlexp doctor", path, number
                )

    def _cut(self) -> None:
        """Cut a half-written last line off, before the next is written."""
        path = self.folder / LEDGER
        paths.check_inside(path)
        content = path.read_bytes() if path.exists() else b"\n"
        if not content.endswith(b"\n"):
            os.truncate(path, content.rfind(b"\n") + 1)

    def write(self, entry: Entry) -> None:
        """Append how a run ended; it is on its way to the disk when this returns."""
        said = json.dumps(asdict(entry), ensure_ascii=False)
        # half a character, typed in another encoding
        if said != said.encode("utf-8", "replace").decode():
            said = json.dumps(asdict(entry))
        with (self.folder / LEDGER).open("a", encoding="utf-8") as file:
            file.write(said + "\n")
        self.entries[entry.key] = entry

    def describe(self, description: Mapping[str, Any]) -> None:
        """Write `sweep.json`; what was asked before (axes, parts, commands) stays and gains what is
        new.
        """
        path = self.folder / DESCRIPTION
        if before := self.description():
            axes = before["axes"] | {
                key: list(dict.fromkeys([*before["axes"].get(key, ()), *values]))
                for key, values in description["axes"].items()
            }
            asked = [*(before.get("commands") or [before["command"]]), *description["commands"]]
            description = {
                **description,
                "axes": axes,
                "created_ms": before["created_ms"],
                "commands": list(dict.fromkeys(asked)),
            }
            if "parts" in description:
                known = before.get("parts", {})
                description["parts"] = {
                    name: list(dict.fromkeys([*known.get(name, ()), *keys]))
                    for name, keys in description["parts"].items()
                }
        journal.write_atomically(path, json.dumps(description, indent=2, ensure_ascii=False) + "\n")

    def description(self) -> dict[str, Any]:
        """What `sweep.json` says; nothing before there is one."""
        try:
            found = json.loads((self.folder / DESCRIPTION).read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def is_done(self, key: str, *, retry_failed: bool) -> bool:
        """Whether a run need not be trained: it has a result, or has failed and is not to be tried
        again.
        """
        entry = self.entries.get(key)
        return entry is not None and (
            entry.status in RESULTS or (entry.status == "FAILED" and not retry_failed)
        )

    def adopt(self, key: str, name: str, overrides: Sequence[str]) -> None:
        """Write down a run whose result is not in the ledger yet. One that a process is at work on
        is left alone.
        """
        place = self.folder / "runs" / name
        if key in self.entries and self.entries[key].status in RESULTS:
            return
        paths.check_inside(place)
        if not place.is_dir() or journal.is_alive(place):
            return
        try:
            events, _ = journal.events(place)
        except (OSError, ValueError):
            return
        end = events[-1] if events else {}
        if end.get("event") == "finish" and end["status"] in RESULTS:
            self.write(
                Entry(
                    key,
                    end["status"],
                    f"runs/{name}",
                    tuple(overrides),
                    end["elapsed"],
                    error=end["error"],
                )
            )
