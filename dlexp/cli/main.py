"""The command line: `python -m dlexp <overrides>` trains, `-m` sweeps, and a few verbs do the rest."""

from __future__ import annotations

import argparse
import errno
import io
import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from dlexp import paths, shell
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

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from dlexp.runs.run import Run
    from dlexp.sweeps.session import Session


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
        return train(words)
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


class Parser(argparse.ArgumentParser):
    """argparse, with our way of saying what is wrong."""

    def error(self, message: str) -> NoReturn:
        """One line instead of a usage page."""
        raise UserError(message, where="command line")


def train(words: list[str]) -> int:
    """Compose with Hydra, validate, train: once, or with -m for every combination."""
    parser = Parser(prog="python -m dlexp", add_help=False, allow_abbrev=False)
    parser.add_argument("--help", "-h", action="store_true")
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--multirun", "-m", action="store_true")
    parser.add_argument("--cfg", "-c", choices=["job", "hydra", "all"])
    parser.add_argument("--package", "-p")
    parser.add_argument("--resolve", action="store_true")
    told = ["all", "config", "defaults", "defaults-tree", "plugins", "searchpath"]
    parser.add_argument("--info", "-i", nargs="?", const="all", choices=told)
    parser.add_argument("--config-dir", "-cd")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--retry-failed", action="store_true")
    parser.add_argument("overrides", nargs="*")
    asked = parser.parse_intermixed_args(words)
    if asked.help:
        return help_([])
    if asked.version:
        from dlexp import __version__

        print(f"dlexp {__version__}")
        return 0

    from dlexp import config
    from dlexp.config import application, overrides

    application.check_flags(asked)
    config.register()
    asked.overrides = overrides.normalize(overrides.typed(asked.overrides))
    overrides.check(asked.overrides)
    from dlexp.cli import summary
    from dlexp.sweeps import session as sweeps

    command = shlex.join(["python", "-m", "dlexp", *words])
    session = sweeps.Session(command, dry_run=asked.dry_run, retry_failed=asked.retry_failed)
    runs: list[Run] = []
    mistakes: list[Exception] = []
    try:
        with sweeps.enter(session):
            application.run(asked, lambda cfg: train_one(cfg, session, runs, mistakes))
            # while the sweep is still held, so that it is sent to MLflow too
            compared = summary.comparison(session)
    except KeyboardInterrupt:
        if session.folder is not None:
            done = f"interrupted: {session.trained} runs trained"
            print(
                f"{done}; the rest: {shell.command('resume', session.folder.name)}", file=sys.stderr
            )
        raise
    except Exception as e:
        if said := config.explain(e, asked.overrides):
            raise said from None
        raise
    if mistakes:
        raise mistakes[0]
    return summary.of_sweep(session, compared) if session.folder else summary.of_runs(runs)


def train_one(
    cfg: DictConfig, session: Session, runs: list[Run], mistakes: list[Exception]
) -> None:
    """One job of Hydra's. What goes wrong is kept: Hydra would add words of its own to it, with
    passwords in clear.
    """
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import OmegaConf

    from dlexp import config
    from dlexp.cli import summary
    from dlexp.runs import lifecycle
    from dlexp.sweeps import study

    hydra = HydraConfig.get()
    try:
        study.refuse_single(cfg, hydra)
        # an override may itself say ${…}
        typed: Any = OmegaConf.to_container(hydra.overrides.task, resolve=False)
        setup = config.build(cfg, typed, config.files_in_use(hydra))
        if session.dry_run:
            print(summary.planned(setup))
            return
        run = lifecycle.perform(setup)
    except Exception as e:
        mistakes.append(e)
        return
    runs.append(run)


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
    from dlexp.cli import summary
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
        return max(train([*command, *flags]) for command in commands_of(folder))


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
