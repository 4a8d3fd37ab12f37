"""The command line: `python -m dlexp <overrides>` trains, `-m` sweeps, and a few verbs do the rest."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence

from dlexp import paths
from dlexp.cli import console
from dlexp.errors import (
    Stopped,
    UserError,
    describe_error,
    is_of_the_machine,
    nearest,
    of_long_name,
)
from dlexp.runs import signals


@signals.heard()
def main(argv: Sequence[str] | None = None) -> int:
    """Do what the command line asks and return the exit status: 2 for the user's mistake, said in
    one line.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    console.speak()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # σ on a terminal that has no σ is no reason to fail
            stream.reconfigure(errors="backslashreplace")
    try:
        os.environ.update(paths.substitutes())
        if words and words[0] in VERBS:
            return VERBS[words[0]](words[1:])
        if words and "=" not in words[0] and not words[0].startswith(("-", "~", "+")):
            wrong, hint = "is neither a command nor key=value", nearest(words[0], VERBS)
            raise UserError(
                wrong, key=words[0], where="command line", allowed=", ".join(VERBS), hint=hint
            )
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
            return _unheard(e)
        if isinstance(e, OSError) and e.errno == errno.ENAMETOOLONG:
            return _refused(of_long_name(e, words))
        if not is_of_the_machine(e):
            raise
        return _refused(describe_error(e), 1)


def _refused(wrong: object, status: int = 2) -> int:
    print(f"dlexp: error: {wrong}", file=sys.stderr)
    return status


def _unheard(e: OSError) -> int:
    """Whoever read our output has gone, `| head` or a closed terminal: the status a shell gives
    that.
    """
    for stream in (sys.stdout, sys.stderr):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return 128 + (signal.SIGPIPE if isinstance(e, BrokenPipeError) else signal.SIGHUP)


def resume(words: list[str]) -> int:
    """`resume <run or sweep>`: go on with a run; of a sweep, its own commands again, which train
    what is missing.
    """
    names = [word for word in words if not word.startswith("-")]
    flags = [word for word in words if word.startswith("-")]
    if {*flags} & {"--help", "-h"}:
        print(
            "python -m dlexp resume <run>: go on with a run that was cut short, to the bit the"
            " same.\npython -m dlexp resume <run> --anyway: also where code or arithmetic are"
            " others now; that is recorded.\npython -m dlexp resume <sweep> [--retry-failed]"
            " [--dry-run]: train what a sweep still misses.\n<run> and <sweep> are a name, an id, a"
            " folder, or last."
        )
        return 0
    if len(names) != 1:
        wrong = "say which run or sweep: its name, its id, its folder, or last"
        raise UserError(wrong, key="resume", where="command line")
    from dlexp import paths
    from dlexp.cli import summary, train
    from dlexp.runs import lifecycle
    from dlexp.storage.find import must_find
    from dlexp.storage.ledger import commands_of
    from dlexp.storage.records import is_sweep

    folder = must_find(names[0], "resume")
    if not is_sweep(folder):
        if others := [flag for flag in flags if flag != "--anyway"]:
            raise UserError("means nothing to a single run", key=others[0], where="command line")
        return summary.of_runs([lifecycle.resume(folder, anyway=bool(flags))])
    if "--anyway" in flags:
        wrong = "means nothing to a sweep, where what changed is another run"
        raise UserError(wrong, key="--anyway", where="command line")
    with paths.outputs_at(folder.resolve().parents[1]):
        return max(train.main([*command, *flags]) for command in commands_of(folder))


def replay(words: list[str]) -> int:
    """Train a recorded run again and compare its numbers."""
    from dlexp.runs import replay as again

    return again.replay(words)


def probe(words: list[str]) -> int:
    """Train a recorded run again under other observers."""
    from dlexp.runs import replay as again

    return again.probe(words)


def help_(words: list[str]) -> int:
    """`help`, `help adam`, `help optimizer`."""
    from dlexp.cli import help as pages

    print("\n\n".join(pages.details(word) for word in words) if words else pages.overview())
    return 0


def ui(words: list[str]) -> int:
    """Open MLflow on this folder's store."""
    from dlexp.tracking import ui as mlflow_ui

    return mlflow_ui.main(words)


def report(words: list[str]) -> int:
    """Compare the runs of sweeps again."""
    from dlexp.report import command

    return command.main(words)


def claims(words: list[str]) -> int:
    """Run the named studies and put their claims to the test."""
    from dlexp.sweeps import studies

    return studies.main(words)


def sync(words: list[str]) -> int:
    """Send MLflow what it has not got yet, of the runs named or of all under outputs/."""
    from dlexp.tracking import sync as tracking_sync

    return tracking_sync.main(words)


def doctor(words: list[str]) -> int:
    """End what was left half done, name what is damaged."""
    from dlexp.cli import doctor as mender

    return mender.main(words)


VERBS: dict[str, Callable[[list[str]], int]] = {
    "help": help_,
    "ui": ui,
    "sync": sync,
    "report": report,
    "claims": claims,
    "resume": resume,
    "replay": replay,
    "probe": probe,
    "doctor": doctor,
}
