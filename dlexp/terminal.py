"""What dlexp says while it works: warnings and errors, a line each on stderr."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress

log = logging.getLogger("dlexp")


class Terminal(logging.Handler):
    """`dlexp: warning: …` on whatever stderr is now; a traceback follows only where the defect is ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line, and a traceback if there is one."""
        trace = f"\n{logging.Formatter().formatException(record.exc_info)}" if record.exc_info else ""
        with suppress(OSError):  # a terminal that was closed ends no run
            print(f"dlexp: {record.levelname.lower()}: {record.getMessage()}{trace}", file=sys.stderr)


def speak() -> None:
    """Warnings go to the terminal, as one line each."""
    if not any(isinstance(handler, Terminal) for handler in log.handlers):
        log.addHandler(Terminal(logging.WARNING))
        log.propagate = False
