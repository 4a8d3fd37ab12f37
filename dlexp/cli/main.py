"""The command line: overrides train, `-m` sweeps; `dlexp/cli/commands/` holds the verbs."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Sequence

from dlexp import paths
from dlexp.cli import console
from dlexp.errors import (
    Stopped,
    UserError,
    describe_error,
    is_of_the_machine,
    of_long_name,
)
from dlexp.runs import signals


@signals.heard()
def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit status: 2 for a user's mistake, in one line."""
    words = list(sys.argv[1:] if argv is None else argv)
    console.set_up()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a terminal without σ must not make a run fail
            stream.reconfigure(errors="backslashreplace")
    try:
        os.environ.update(paths.substitutes())
        if words and "=" not in words[0] and not words[0].startswith(("-", "~", "+")):
            from dlexp.cli import verbs  # it imports click, which training does not need

            return verbs.run(words[0], words[1:])
        from dlexp.cli import train

        return train.main(words)
    except (UserError, Stopped) as e:
        return _refused(e, 2 if isinstance(e, UserError) else 1)
    except KeyboardInterrupt as e:
        return signals.exit_status(e)
    except Exception as e:
        if isinstance(e, BrokenPipeError) or (
            isinstance(e, OSError) and e.errno == errno.EIO and e.filename is None
        ):
            return _output_closed(e)
        if isinstance(e, OSError) and e.errno == errno.ENAMETOOLONG:
            return _refused(of_long_name(e, words))
        if not is_of_the_machine(e):
            raise
        return _refused(describe_error(e), 1)


def _refused(wrong: object, status: int = 2) -> int:
    print(f"dlexp: error: {wrong}", file=sys.stderr)
    return status


def _output_closed(e: OSError) -> int:
    """The exit status that a shell gives after the reader of our output has gone (`| head`)."""
    for stream in (sys.stdout, sys.stderr):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return 128 + (signal.SIGPIPE if isinstance(e, BrokenPipeError) else signal.SIGHUP)
