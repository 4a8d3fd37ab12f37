"""Runs studies, each as a command of its own, as many at once as there are processors."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlexp.runs.signals import Terminated, number_of
from dlexp.sweeps.launcher import WAIT, n_cores, run_jobs
from dlexp.sweeps.studies.catalogue import CatalogueEntry
from dlexp.sweeps.studies.outcome import StudyOutcome

# seconds after Ctrl-C in which the commands may end by themselves
GRACE = 5.0
TERMINAL = {signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)}
POLL = 0.05  # seconds between checks of the commands


class Interrupted(Terminated):
    """Ctrl-C, SIGTERM or SIGHUP; `done` are the studies that had ended before."""

    def __init__(self, done: Sequence[StudyOutcome], number: int) -> None:
        self.done = done
        super().__init__(number)


@dataclass(eq=False)
class StudyCommand:
    """A running command of a study, and its output."""

    study: CatalogueEntry
    process: subprocess.Popen[bytes]
    out: Path
    err: Path
    began: float = field(default_factory=time.monotonic)


class StudyCommands:
    """The launcher of studies, with `workers` processes each; `folder` receives their output."""

    def __init__(
        self, folder: Path, overrides: Sequence[str], *, quick: bool, workers: int
    ) -> None:
        self.folder, self.overrides, self.quick, self.workers = folder, overrides, quick, workers
        self.cancelled: list[StudyCommand] = []
        self._deadline: float | None = None  # for commands that may end by themselves

    def submit(self, studies: Sequence[CatalogueEntry]) -> list[StudyCommand]:
        """Start a command for each study."""
        return [self._start(study) for study in studies]

    def ended(self, commands: Sequence[StudyCommand]) -> list[StudyCommand]:
        """Those that have ended, after a second at most."""
        until = time.monotonic() + WAIT
        while True:
            ended = [command for command in commands if command.process.poll() is not None]
            if ended or time.monotonic() > until:
                return ended
            time.sleep(POLL)

    def result(self, command: StudyCommand) -> StudyOutcome:
        """The result of a command."""
        seconds = time.monotonic() - command.began
        status = command.process.wait()
        out, err = (path.read_text("utf-8", "replace") for path in (command.out, command.err))
        done = subprocess.CompletedProcess(command.process.args, status, out, err)
        return StudyOutcome.of(command.study, done, seconds)

    def cancel(self, command: StudyCommand) -> None:
        """Ask a command to end; its result, which waits for that, may still be good.

        A terminal sends Ctrl-C to the command as well, which then ends by itself. SIGTERM is sent
        to this process only.
        """
        if self._deadline is None:
            error = sys.exception()  # that interrupted the loop
            by_terminal = isinstance(error, KeyboardInterrupt) and number_of(error) in TERMINAL
            self._deadline = time.monotonic() + (GRACE if by_terminal else 0.0)
        self.cancelled.append(command)
        try:
            command.process.wait(max(0.0, self._deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            command.process.terminate()

    def _start(self, study: CatalogueEntry) -> StudyCommand:
        words = command_of(study, self.overrides, quick=self.quick, workers=self.workers)
        # files, since a full pipe would block the command
        out, err = (self.folder / f"{study.name}.{stream}" for stream in ("out", "err"))
        # the output has the folder's name, so its encoding must not depend on the terminal
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(words, stdout=stdout, stderr=stderr, env=environment)
        return StudyCommand(study, process, out, err)


def run_studies(
    studies: Sequence[CatalogueEntry], overrides: Sequence[str], *, quick: bool
) -> list[StudyOutcome]:
    """Run studies in parallel, the longest first, and print a line as each ends.

    Raises `Interrupted` at Ctrl-C, SIGTERM and SIGHUP.
    """
    from tqdm import tqdm

    n = min(len(studies), n_cores())
    queue = sorted(studies, key=lambda study: -study.cost)
    workers = max(1, n_cores() // n)
    outcomes: dict[str, StudyOutcome] = {}
    running: list[str] = []

    def start(number: int) -> None:
        running.append(queue[number].name)
        bar.set_postfix_str(", ".join(running))

    def end(number: int, outcome: StudyOutcome) -> None:
        running.remove(queue[number].name)
        bar.set_postfix_str(", ".join(running), refresh=False)
        outcomes[outcome.study.name] = outcome
        bar.update()
        bar.write(
            f"{outcome.study.name}: {outcome.summary()}, {outcome.seconds:.0f} s", file=sys.stderr
        )

    with (
        tempfile.TemporaryDirectory(prefix="dlexp-studies-") as folder,
        tqdm(
            total=len(studies),
            unit="study",
            file=sys.stderr,
            disable=None,
            dynamic_ncols=True,
            leave=False,
        ) as bar,
    ):
        launcher = StudyCommands(Path(folder), overrides, quick=quick, workers=workers)
        try:
            run_jobs(launcher, queue, n, on_start=start, on_end=end, on_wait=bar.refresh)
        except KeyboardInterrupt as e:
            late = [launcher.result(command) for command in launcher.cancelled]
            outcomes |= {outcome.study.name: outcome for outcome in late if not outcome.failed}
            done = [outcomes[study.name] for study in studies if study.name in outcomes]
            raise Interrupted(done, number_of(e)) from None
    return [outcomes[study.name] for study in studies]


def command_of(
    study: CatalogueEntry, overrides: Sequence[str], *, quick: bool, workers: int
) -> list[str]:
    """The command that runs a study."""
    own = ["--config-dir", str(study.home)] if study.home else []
    extra = [*(["quick=true", "tracking=none"] if quick else []), *overrides]
    launcher = f"hydra.launcher.n_jobs={workers}"
    return [sys.executable, "-m", "dlexp", *own, f"experiment={study.name}", launcher, *extra]
