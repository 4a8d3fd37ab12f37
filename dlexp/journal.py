"""The run folder: what was asked, what was measured, how it ended; the truth of a run, of which MLflow is a mirror.

    run.json        what was asked, and where it was run (written once, before the first step)
    journal.jsonl   one JSON object a line: start, then record | note …, then finish as the very last
    config.yaml     the complete configuration, as composed
    run.log         what was said
    figures/        pictures
    arrays/         what observers left for the figures of several runs (.npz, without pickle)
    network.npz     the trained network
    lock            held by the process that writes, as long as it lives

A number that is not finite stands in the journal as null: JSON has no word for it.
"""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dlexp.files import staged
from dlexp.trainer import Record

DESCRIPTION, EVENTS, LOCK = "run.json", "journal.jsonl", "lock"


def new_id() -> str:
    """A name no other run has: the second it began and six random digits."""
    return f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def slug(words: str) -> str:
    """Words as part of a folder's name.

    >>> slug("adam lr=0.1 s0 ../x")
    'adam-lr=0.1-s0-..-x'
    """
    return re.sub(r"[^\w.=+-]+", "-", words)[:80]


class Journal:
    """The one writer of a run folder. Every line is handed over at once, so a killed run keeps what it measured.

    Raises `FileExistsError` if the folder has a journal already, `OSError` where it cannot be written.
    """

    def __init__(self, folder: Path, description: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock = FileLock(folder / LOCK)
        self._lock.acquire(timeout=0)
        self._file = (folder / EVENTS).open("x", encoding="utf-8", errors="surrogateescape", buffering=1)
        self._began = time.monotonic()
        write_atomically(folder / DESCRIPTION, json.dumps(description, indent=2, ensure_ascii=False) + "\n")
        self._write("start", pid=os.getpid())

    def record(self, record: Record, event: str = "record") -> None:
        """One evaluation (`record`), or an observer's own measurements (`note`)."""
        finite = {name: value if math.isfinite(value) else None for name, value in record.metrics.items()}
        self._write(event, epoch=record.epoch, step=record.step, metrics=finite)

    def finish(self, status: str, error: str | None = None) -> None:
        """How it ended: the last line. Nothing is written afterwards, and the lock is free."""
        self._write("finish", status=status, error=error)
        os.fsync(self._file.fileno())
        self._file.close()
        self._lock.release()

    def _write(self, event: str, **news: Any) -> None:
        elapsed = round(time.monotonic() - self._began, 4)
        line = {"event": event, "time_ms": time.time_ns() // 1_000_000, "elapsed": elapsed, **news}
        self._file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")


def write_atomically(path: Path, text: str) -> None:
    """Old or new, never half: written beside its place, then moved there."""
    with staged(path) as file:
        file.write(text.encode("utf-8", "surrogateescape"))


def description(folder: Path) -> dict[str, Any]:
    """What `run.json` says. Raises `OSError` or `json.JSONDecodeError` where there is no run."""
    found: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    return found


def events(folder: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The complete lines from a byte offset on, and the offset behind the last of them."""
    with (folder / EVENTS).open("rb") as file:
        file.seek(offset)
        text = file.read()
    complete = text[: text.rfind(b"\n") + 1]
    return [json.loads(line) for line in complete.splitlines()], offset + len(complete)


def is_alive(folder: Path) -> bool:
    """Whether a process is writing this run now: it holds the lock, which the system frees when it dies."""
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True
