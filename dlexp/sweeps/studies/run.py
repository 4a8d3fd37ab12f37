"""Studies at work: each is a command of its own, as many at once as there are processors."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlexp.runs.signals import Terminated, number_of
from dlexp.storage.records import read_object
from dlexp.sweeps.studies.catalogue import Named
from dlexp.sweeps.workers import cores

WRONG = 2  # the exit status of a command that was asked for something wrong: nothing was trained
# seconds after Ctrl-C, in which the commands, which a terminal tells as well, may end by themselves
GRACE = 5.0


@dataclass(frozen=True)
class Outcome:
    """How a study's command ended; `verdicts` are those of its verdicts.json, None where there is
    none.
    """

    study: Named
    status: int
    seconds: float
    said: str
    verdicts: Sequence[Mapping[str, Any]] | None
    page: Path | None

    @property
    def failed(self) -> bool:
        """Whether anything went wrong: a run that failed, or no verdict."""
        return bool(self.status) or self.verdicts is None


class Interrupted(Terminated):
    """Ctrl-C, SIGTERM or SIGHUP; `done` are the studies that had ended before."""

    def __init__(self, done: Sequence[Outcome], number: int) -> None:
        self.done = done
        super().__init__(number)


@dataclass
class _Work:
    """What is going on, in all threads."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    commands: dict[str, subprocess.Popen[str] | None] = field(default_factory=dict)
    ended: dict[str, Outcome] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)

    def stop(self, number: int) -> None:
        """Start nothing more, and wait for the commands, which have been told by the terminal, or
        are told now.

        A terminal does not send SIGTERM, so they are told at once. They may ignore SIGINT (of a
        shell's background).
        """
        with self.lock:
            self.stopped.set()
            open_ = [command for command in self.commands.values() if command is not None]
        until = time.monotonic() + (0.0 if number == signal.SIGTERM else GRACE)
        for command in open_:
            try:
                command.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                command.send_signal(signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)


def conduct(studies: Sequence[Named], overrides: Sequence[str], *, quick: bool) -> list[Outcome]:
    """Run studies, as many at once as there are processors, the longest first; a line on stderr as
    each ends.

    Raises `Interrupted` at Ctrl-C, SIGTERM and SIGHUP.
    """
    from tqdm import tqdm

    n = min(len(studies), cores())
    work = _Work()
    with tqdm(
        total=len(studies),
        unit="study",
        file=sys.stderr,
        disable=None,
        dynamic_ncols=True,
        leave=False,
    ) as bar:

        def one(study: Named) -> None:
            with work.lock:
                if work.stopped.is_set():
                    return
                work.commands[study.name] = None
                bar.set_postfix_str(", ".join(work.commands))
            outcome = run(study, overrides, quick=quick, workers=max(1, cores() // n), work=work)
            with work.lock:
                del work.commands[study.name]
                bar.set_postfix_str(", ".join(work.commands), refresh=False)
                if work.stopped.is_set() and outcome.failed:
                    return
                work.ended[study.name] = outcome
                bar.update()
                bar.write(
                    f"{study.name}: {counted(outcome)}, {outcome.seconds:.0f} s", file=sys.stderr
                )

        with ThreadPoolExecutor(n) as pool:
            try:
                for _ in pool.map(one, sorted(studies, key=lambda s: -s.cost)):
                    pass
            except KeyboardInterrupt as e:
                number = number_of(e)
                work.stop(number)
                pool.shutdown(wait=True, cancel_futures=True)
                raise Interrupted(
                    [work.ended[s.name] for s in studies if s.name in work.ended], number
                ) from None
    return [work.ended[study.name] for study in studies]


def run(
    study: Named, overrides: Sequence[str], *, quick: bool, workers: int, work: _Work | None = None
) -> Outcome:
    """One study, as a command of its own, which says in which folder its sweep and its report are."""
    began = time.monotonic()
    done = _ended(command_of(study, overrides, quick=quick, workers=workers), study.name, work)
    folder = _folder(done.stdout) if done.returncode != WRONG else None
    verdicts = folder and _verdicts(folder / "report" / "verdicts.json")
    page = folder / "report" / "report.html" if folder and verdicts else None
    said = what_failed(done.stderr, done.stdout, done.returncode)
    return Outcome(study, done.returncode, time.monotonic() - began, said, verdicts or None, page)


def command_of(study: Named, overrides: Sequence[str], *, quick: bool, workers: int) -> list[str]:
    """What is typed to run a study."""
    own = ["--config-dir", str(study.home)] if study.home else []
    extra = [*(["quick=true", "tracking=none"] if quick else []), *overrides]
    launcher = f"hydra.launcher.n_jobs={workers}"
    return [sys.executable, "-m", "dlexp", *own, f"experiment={study.name}", launcher, *extra]


def _ended(
    command: Sequence[str], name: str, work: _Work | None
) -> subprocess.CompletedProcess[str]:
    """A command that has ended. Its letters are UTF-8 whatever the terminal's: they hold the
    folder's name.
    """
    said = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=said,
    ) as child:
        if work is not None:
            with work.lock:
                work.commands[name] = child
                if work.stopped.is_set():  # meanwhile
                    child.terminate()
        out, err = child.communicate()
    return subprocess.CompletedProcess(command, child.returncode, out, err)


def _folder(out: str) -> Path | None:
    """The folder of the sweep, as the command says it; None where it has made no report of it.

    >>> _folder("sweep     7 finished\\nfolder    outputs/sweeps/a b-1\\nreport  x"), _folder("report    no run ended")
    (PosixPath('outputs/sweeps/a b-1'), None)
    """
    lines = out.splitlines()
    # why there is none; an older one may lie there
    if any(line.startswith("report    ") for line in lines):
        return None
    said = [line.removeprefix("folder    ") for line in lines if line.startswith("folder    ")]
    return Path(said[0]) if said else None


def _verdicts(path: Path) -> list[dict[str, Any]] | None:
    try:
        found: list[dict[str, Any]] = read_object(path)["claims"]
    except (OSError, ValueError, KeyError):
        return None
    return found


def what_failed(err: str, out: str, status: int = 0) -> str:
    """The line of a command that says what went wrong: its error, its failed run or report, else
    its last word.

    >>> what_failed("dlexp: error: no\\n 10%|#   | 1/10 [00:01<?, ?run/s]\\n", "")
    'error: no'
    >>> what_failed("", "", -9)
    'it was killed by signal 9'
    """
    lines = [
        line.strip()
        for line in err.splitlines()
        if line.strip() and not re.search(r"\d+%\||run/s|s/run", line)
    ]
    errors = [line.removeprefix("dlexp: ") for line in lines if line.startswith("dlexp: error: ")]
    told = [line.strip() for line in out.splitlines() if line.strip()]
    failed = [
        " ".join(line.split())
        for line in told
        if line.startswith(("failed ", "killed ", "report    "))
    ]
    if status <= 0:
        silent = f"it was killed by signal {-status}" if status else "it has written no verdicts"
        return next(iter([*errors[-1:], *failed[:1]]), silent)
    return next(iter([*errors[-1:], *failed[:1], *lines[-1:], *told[-1:]]), "it said nothing")


def counted(outcome: Outcome) -> str:
    """`2 SUPPORTED, 1 INCONCLUSIVE`, or what failed."""
    if outcome.status or outcome.verdicts is None:
        return f"failed: {outcome.said}"
    counts = Counter(str(v["verdict"]) for v in outcome.verdicts)
    return ", ".join(f"{n} {status}" for status, n in counts.items())
