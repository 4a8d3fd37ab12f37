"""The log of a run, also in its own `run.log`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlexp import paths
from dlexp.errors import UserError, is_of_the_machine
from dlexp.redaction import Formatter

log = logging.getLogger("dlexp")


class _Log(logging.FileHandler):
    """A log file that is given up when it cannot be written; the run continues."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Do nothing: logging would print a traceback."""


def in_the_way(e: OSError, path: str | Path) -> OSError | UserError:
    """The error to raise if a run's file cannot be written: of the machine, or of the user."""
    if is_of_the_machine(e):
        return e
    return UserError(f"cannot be written: {e.strerror or e}", key=str(path))


@contextmanager
def logged_to(path: Path) -> Iterator[None]:
    """Inside, the log is also written to a file."""
    try:
        paths.check_inside(path)
        handler = _Log(path, encoding="utf-8", errors="surrogateescape")
    except OSError as e:
        raise in_the_way(e, path) from None
    handler.setFormatter(Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    before = log.level
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
        handler.close()
