"""A running sweep: trains the missing jobs and records how each ended."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dlexp import paths, tracking
from dlexp.config import Setup
from dlexp.config.plan import Plan
from dlexp.core.silent_keys import is_silent
from dlexp.errors import Stopped, UserError
from dlexp.storage import journal
from dlexp.storage.ledger import Ledger, LedgerEntry
from dlexp.storage.records import SweepDescription
from dlexp.storage.status import Status
from dlexp.sweeps import earlier
from dlexp.sweeps.identity import sweep_id
from dlexp.sweeps.job import (
    Job,
    JobElsewhere,
    JobOutcome,
    JobResult,
    PlannedJob,
    plan_jobs,
    without_default_observers,
)
from dlexp.sweeps.launcher import JobLost, JobRefused, Launcher, n_cores, run_jobs
from dlexp.sweeps.launchers.local import LocalProcesses
from dlexp.sweeps.progress import ProgressLine
from dlexp.sweeps.study import NamedStudy
from dlexp.sweeps.worker import train_job
from dlexp.tracking.settings import to_json

log = logging.getLogger("dlexp")

GRACE = 5.0  # seconds to wait for a run that another process has locked

Jobs = Sequence[tuple[Sequence[str], Setup]]
JobLauncher = Launcher[Job, Any, JobOutcome]


def local_processes() -> AbstractContextManager[JobLauncher]:
    """The launcher that trains jobs in processes of this machine."""
    return LocalProcesses(train_job)


@dataclass
class Session:
    """The work of a command on its sweep. Use it in a `with` block.

    `launcher` creates the launcher; `entries` are the ledger's entries of the jobs, in their order;
    `folder` is the sweep's, None until it exists; `trained` counts the jobs that this command
    trained, `resumed` those continued from a checkpoint, `restarted` those that could not be, by
    the reason; `total` is the number of jobs, if they come in batches; `parts` maps the parts to
    their numbers of jobs, in order; `study` is the named study; `notes` are printed at the end;
    `tracked` is the state of MLflow's copy, known after the `with` block.
    """

    command: str = "python -m dlexp -m"
    dry_run: bool = False
    retry_failed: bool = False
    launcher: Callable[[], AbstractContextManager[JobLauncher]] = local_processes
    folder: Path | None = None
    entries: list[LedgerEntry] = field(default_factory=list)
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    trained: int = 0
    resumed: int = 0
    restarted: Counter[str] = field(default_factory=Counter)
    total: int = 0
    searched: bool = False
    parts: Mapping[str, int] = field(default_factory=dict)
    study: NamedStudy | None = None
    notes: list[str] = field(default_factory=list)
    tracked: tracking.Outcome | None = None
    _description: SweepDescription | None = None
    _sender: tracking.Sender | None = None
    _ledger: Ledger | None = None
    _earlier: earlier.Members | None = None
    _launcher: JobLauncher | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: Any) -> None:
        failed, description, settings = error[0] is not None, self._description, self._tracking
        if self._ledger is not None and description is not None and not failed:
            self._ledger.describe(replace(description, ended_ms=time.time_ns() // 1_000_000))
        sender = self._sender if self._sender is not None and self._sender.is_at_work() else None
        self._stack.close()  # releases the lock: the sender sends the end of the sweep and ends
        if self.folder is not None and settings and not failed:
            self.tracked = tracking.finish_sweep(self.folder, sender, settings["wait"])

    def run(self, jobs: Jobs, plan: Plan, *, n_jobs: int | None) -> list[LedgerEntry]:
        """Train the missing ones of these validated jobs; return each job's entry. Can be called
        again.

        Raises `UserError` if another command works on the same sweep, and `Stopped` if jobs cannot
        be trained as they were planned.
        """
        if n_jobs is not None and n_jobs < 1:
            raise UserError(
                "must be at least 1, or null for one per processor",
                key="hydra.launcher.n_jobs",
                value=n_jobs,
            )
        first = jobs[0][1]
        self.searched = plan.by != "grid"
        self.folder = paths.outputs() / "sweeps" / (first.sweep or self._default_name(plan))
        planned = self._with_earlier_keys(plan_jobs(jobs))
        members = self._members([job.key for job in planned])
        # of equal jobs, the first
        unique = list({job.key: job for job in reversed(planned)}.values())[::-1]
        before = Ledger(self.folder).description()
        settings = to_json(first.tracking, before.tracking if before else None)
        if self.dry_run:
            self._list(unique)
            return []
        ledger = self._hold(plan, first, members, settings)
        missing = self._missing(unique, ledger)
        if missing and self._sender is None and settings:
            self._sender = tracking.start_sweep(self.folder)
        while missing:
            elsewhere = self._train(
                missing, ledger, done=len(unique) - len(missing), n_jobs=n_jobs or n_cores()
            )
            missing = self._missing([job for job in unique if job.key in elsewhere], ledger)
            if busy := next((_path(job) for job in missing if not _is_free(job.folder)), ""):
                raise Stopped(
                    f"{busy} is being trained by another process. When it has ended: {self.command}"
                )
        entries = [ledger.entries[job.key] for job in unique]
        self.entries += entries
        return entries

    def _with_earlier_keys(self, jobs: list[PlannedJob]) -> list[PlannedJob]:
        """The jobs; those that an earlier version of dlexp has trained keep their keys."""
        assert self.folder is not None
        if self._earlier is None:
            self._earlier = earlier.members(self.folder)
        return list(earlier.recognized(jobs, self._earlier)) if self._earlier else jobs

    @property
    def _tracking(self) -> Mapping[str, Any] | None:
        """The store that the sweep is sent to."""
        return self._description.tracking if self._description else None

    def _missing(self, jobs: Iterable[PlannedJob], ledger: Ledger) -> list[Job]:
        """The jobs without an end in the ledger and in their folder."""
        assert self.folder is not None
        missing = []
        for job in jobs:
            ledger.adopt(job.key, job.folder, job.overrides)
            if not ledger.is_done(job.key, retry_failed=self.retry_failed):
                folder = self.folder / "runs" / job.folder
                setup, settings = (
                    without_default_observers(job.setup),
                    self._tracking,
                )
                name = self.folder.name
                missing.append(Job(setup, job.key, folder, name, job.ingredients, settings))
        return missing

    def _members(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """The keys of each part; parts may share runs. Warns of jobs repeated within a part."""
        members: dict[str, list[str]] = {}
        at = repeated = 0
        for name, n in (self.parts or {"": len(keys)}).items():
            members[name] = list(dict.fromkeys(keys[at : at + n]))
            repeated += n - len(members[name])
            at += n
        if repeated:
            log.warning("%d of %d jobs repeat another one and are left out", repeated, len(keys))
        return members

    def _default_name(self, plan: Plan) -> str:
        """The name of the folder of an unnamed sweep."""
        if self.study is None:
            return sweep_id(plan.fixed, plan.swept, plan.by)
        study, digest = self.study.name, self.study.digest
        return f"{study}-{sweep_id(plan.fixed, plan.swept, plan.by, digest)[:8]}"

    def _hold(
        self,
        plan: Plan,
        first: Setup,
        members: Mapping[str, list[str]],
        settings: Mapping[str, Any] | None,
    ) -> Ledger:
        """Lock the sweep and write its description."""
        assert self.folder is not None
        if self._ledger is None:
            self._ledger = self._stack.enter_context(Ledger(self.folder).held())
        study = None
        if self.study is not None and self.study.description is not None:
            study = {"name": self.study.name, **self.study.description}
        self._description = SweepDescription(
            id=self.folder.name,
            name=first.sweep or (self.study.name if self.study else None),
            created_ms=int(Path(self.folder / "lock").stat().st_mtime * 1000),
            fixed=plan.fixed,
            sweeper=plan.by,
            axes=plan.swept,
            command=self.command,
            commands=[self.command.replace(" --retry-failed", "")],
            tracking=settings,
            ended_ms=None,
            study=study,
            parts=members if study else {},
        )
        before = self._ledger.description()
        if before and first.sweep and _numeric(before.fixed) != _numeric(plan.fixed):
            log.warning(
                "sweep %s was also run with %s: its runs are compared with these",
                first.sweep,
                " ".join(sorted(_numeric(before.fixed))) or "nothing fixed",
            )
        self._ledger.describe(self._description)
        return self._ledger

    def _train(self, jobs: Sequence[Job], ledger: Ledger, *, done: int, n_jobs: int) -> set[str]:
        """Train the jobs after `done` others; return the keys that other processes train."""
        if self._launcher is None:
            self._launcher = self._stack.enter_context(self.launcher())
        done += len(self.entries)
        reasons: list[str] = []
        elsewhere: set[str] = set()
        trained = 0

        def end(number: int, outcome: JobOutcome) -> None:
            nonlocal trained
            if isinstance(outcome, JobRefused):
                reasons.append(outcome.reason)
                line.left_out(number)
            elif isinstance(outcome, JobElsewhere):
                elsewhere.add(jobs[number].key)
                line.left_out(number)
            else:
                entry = self._entry(jobs[number], outcome)
                ledger.write(entry)
                self.trained, trained = self.trained + 1, trained + 1
                line.ended(number, entry.status)

        with ProgressLine(max(self.total, len(jobs) + done), done) as line:
            run_jobs(
                self._launcher,
                jobs,
                n_jobs,
                on_start=line.started,
                on_end=end,
                on_wait=line.refresh,
            )
        if reasons:
            left = len(jobs) - trained
            raise Stopped(
                f"the sweep was stopped: {reasons[0]}; {left} of {len(jobs)} runs were not trained."
                f" To train with the current files: {self.command}"
            )
        return elsewhere

    def _entry(self, job: Job, outcome: JobResult | JobLost) -> LedgerEntry:
        """The ledger's entry of an ended job; the session counts it."""
        folder, overrides = _path(job), tuple(job.setup.overrides)
        if isinstance(outcome, JobLost):
            return LedgerEntry(job.key, Status.KILLED, folder, overrides, error=outcome.reason)
        self.metrics[job.key] = outcome.metrics
        self.resumed += outcome.resumed_at > 0
        if outcome.restarted:
            self.restarted[outcome.restarted] += 1
        return LedgerEntry(
            job.key,
            outcome.status,
            folder,
            overrides,
            round(outcome.seconds, 3),
            round(outcome.cpu_seconds, 3),
            round(outcome.peak_mb, 1),
            error=outcome.error,
        )

    def _list(self, jobs: Sequence[PlannedJob]) -> None:
        """Print the jobs, and whether each is done."""
        assert self.folder is not None
        ledger = Ledger(self.folder)
        ledger.read()
        done = {job.key: ledger.is_done(job.key, retry_failed=self.retry_failed) for job in jobs}
        for job in jobs:
            print(f"{'done' if done[job.key] else 'to do'}  {' '.join(job.overrides)}")
        print(f"{len(jobs)} jobs, {sum(done.values())} done: {self.folder}")


def _numeric(overrides: Sequence[str]) -> set[str]:
    """The overrides that can change a number."""
    return {o for o in overrides if not is_silent(o)}


def _is_free(folder: Path) -> bool:
    """Whether no process trains the run; a worker of a killed command ends in a moment."""
    until = time.monotonic() + GRACE
    while journal.is_alive(folder):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def _path(job: Job) -> str:
    """The folder of a job's run, relative to the sweep."""
    return f"runs/{job.folder.name}"
