"""Log messages on the terminal: warnings and errors, one line each on stderr."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress

from dlexp.redaction import Formatter

log = logging.getLogger("dlexp")


class Terminal(logging.Handler):
    """Writes `dlexp: warning: …` to stderr; only our own defects have a traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, and the traceback if there is one."""
        message = Formatter().format(record)
        with suppress(OSError):  # a closed terminal must not end a run
            print(f"dlexp: {record.levelname.lower()}: {message}", file=sys.stderr)


def set_up() -> None:
    """Send warnings to the terminal, one line each."""
    if not any(isinstance(handler, Terminal) for handler in log.handlers):
        log.addHandler(Terminal(logging.WARNING))
        log.propagate = False
