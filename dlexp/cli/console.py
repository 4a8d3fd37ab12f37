"""What dlexp says while it works: warnings and errors, a line each on stderr."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress

from dlexp.redaction import Formatter

log = logging.getLogger("dlexp")


class Terminal(logging.Handler):
    """`dlexp: warning: …` on whatever stderr is now; a traceback follows only where the defect is
    ours.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """One line, and a traceback if there is one."""
        said = Formatter().format(record)
        with suppress(OSError):  # a terminal that was closed ends no run
            print(f"dlexp: {record.levelname.lower()}: {said}", file=sys.stderr)


def speak() -> None:
    """Warnings go to the terminal, as one line each."""
    if not any(isinstance(handler, Terminal) for handler in log.handlers):
        log.addHandler(Terminal(logging.WARNING))
        log.propagate = False
