"""A sweep at work: the jobs that are missing are trained in parallel, and each end is written down."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dlexp import paths, tracking
from dlexp.config import Setup
from dlexp.core.silent_keys import is_silent
from dlexp.errors import Stopped, UserError
from dlexp.storage import journal
from dlexp.storage.ledger import Ledger, LedgerEntry
from dlexp.storage.records import SweepDescription
from dlexp.storage.status import Status
from dlexp.sweeps import earlier
from dlexp.sweeps.identity import sweep_id
from dlexp.sweeps.job import Elsewhere, Job, Result, do, unobserved
from dlexp.sweeps.live import LiveLine
from dlexp.sweeps.plan import Plan
from dlexp.sweeps.planned import Planned, planned
from dlexp.sweeps.study import Study
from dlexp.sweeps.workers import Lost, Pool, Refused, cores
from dlexp.tracking.settings import to_json

log = logging.getLogger("dlexp")

GRACE = 5.0  # seconds to wait for a run that another process holds

Jobs = Sequence[tuple[Sequence[str], Setup]]


@dataclass
class Session:
    """What a command asks of its sweep, and what has become of it. Use it in a `with` block.

    `entries` are the ends of the jobs asked for, in their order; `folder` is the sweep's, None
    before there is one; `expected` is how many jobs there will be, where they come in batches;
    `parts` says of which parts the jobs are, in their order, and how many of each; `study` is the
    named study they belong to; `notes` are printed at the end; `tracked` is what MLflow has of the
    sweep, known when the `with` block has ended.
    """

    command: str = "python -m dlexp -m"
    dry_run: bool = False
    retry_failed: bool = False
    folder: Path | None = None
    entries: list[LedgerEntry] = field(default_factory=list)
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    trained: int = 0
    continued: int = 0
    anew: Counter[str] = field(default_factory=Counter)
    expected: int = 0
    searched: bool = False
    parts: Mapping[str, int] = field(default_factory=dict)
    study: Study | None = None
    notes: list[str] = field(default_factory=list)
    tracked: tracking.Outcome | None = None
    _description: SweepDescription | None = None
    _sender: tracking.Sender | None = None
    _ledger: Ledger | None = None
    _earlier: earlier.Members | None = None
    _pool: Pool | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *error: Any) -> None:
        failed, described = error[0] is not None, self._description
        if self._ledger is not None and described is not None and not failed:
            self._ledger.describe(replace(described, ended_ms=time.time_ns() // 1_000_000))
        sender = self._sender if self._sender is not None and self._sender.is_at_work() else None
        self._stack.close()  # the sweep is at rest: its sender sends the end, and ends
        if self.folder is not None and self._tracking and not failed:
            self.tracked = tracking.finish_sweep(self.folder, sender, self._tracking["wait"])

    def conduct(self, jobs: Jobs, plan: Plan, *, n_jobs: int | None) -> list[LedgerEntry]:
        """Train what is missing of these validated jobs; the entry of each, in order. May be called
        again with more.

        Raises `UserError` where another command is at work on the same sweep.
        """
        if n_jobs is not None and n_jobs < 1:
            raise UserError(
                "must be at least 1, or null for one per processor",
                key="hydra.launcher.n_jobs",
                value=n_jobs,
            )
        first = jobs[0][1]
        self.searched = plan.by != "grid"
        self.folder = paths.outputs() / "sweeps" / (first.sweep or self._called(plan))
        asked = self._with_earlier(planned(jobs))
        members = self._members([job.key for job in asked])
        unique = list({job.key: job for job in reversed(asked)}.values())[
            ::-1
        ]  # of jobs that repeat each other, the first
        before = Ledger(self.folder).description()
        shown = to_json(first.tracking, before.tracking if before else None)
        if self.dry_run:
            self._list(unique)
            return []
        ledger = self._hold(plan, first, members, shown)
        missing = self._missing(unique, ledger)
        if missing and self._sender is None and self._tracking:
            self._sender = tracking.start_sweep(self.folder)
        while missing:
            elsewhere = self._train(
                missing, ledger, already=len(unique) - len(missing), n_jobs=n_jobs or cores()
            )
            missing = self._missing([job for job in unique if job.key in elsewhere], ledger)
            if held := next((_place(job) for job in missing if not _is_free(job.folder)), ""):
                raise Stopped(
                    f"{held} is being trained by another process. When it has ended: {self.command}"
                )
        entries = [ledger.entries[job.key] for job in unique]
        self.entries += entries
        return entries

    def _with_earlier(self, jobs: list[Planned]) -> list[Planned]:
        """The jobs, those that an earlier version of dlexp has trained by their keys of then."""
        assert self.folder is not None
        if self._earlier is None:
            self._earlier = earlier.members(self.folder)
        return list(earlier.recognized(jobs, self._earlier)) if self._earlier else jobs

    def _missing(self, jobs: Iterable[Planned], ledger: Ledger) -> list[Job]:
        """The jobs that have no end yet, neither in the ledger nor in their folder."""
        assert self.folder is not None
        missing = []
        for job in jobs:
            ledger.adopt(job.key, job.folder, job.overrides)
            if not ledger.is_done(job.key, retry_failed=self.retry_failed):
                place = self.folder / "runs" / job.folder
                setup, shown = unobserved(job.setup), self._tracking
                missing.append(Job(setup, job.key, place, self.folder.name, job.held, shown))
        return missing

    @property
    def _tracking(self) -> Mapping[str, Any] | None:
        """The store that the sweep is sent to."""
        return self._description.tracking if self._description else None

    def _members(self, keys: Sequence[str]) -> dict[str, list[str]]:
        """The keys of each part. Parts may share runs; a job that repeats another of its own part
        is warned of.
        """
        members: dict[str, list[str]] = {}
        at = repeated = 0
        for name, n in (self.parts or {"": len(keys)}).items():
            members[name] = list(dict.fromkeys(keys[at : at + n]))
            repeated += n - len(members[name])
            at += n
        if repeated:
            log.warning("%d of %d jobs repeat another one and are left out", repeated, len(keys))
        return members

    def _called(self, plan: Plan) -> str:
        """The name of the folder of a sweep that was given none."""
        if self.study is None:
            return sweep_id(plan.fixed, plan.swept, plan.by)
        return (
            f"{self.study.name}-{sweep_id(plan.fixed, plan.swept, plan.by, self.study.digest)[:8]}"
        )

    def _hold(
        self,
        plan: Plan,
        first: Setup,
        members: Mapping[str, list[str]],
        shown: Mapping[str, Any] | None,
    ) -> Ledger:
        assert self.folder is not None
        if self._ledger is None:
            self._ledger = self._stack.enter_context(Ledger(self.folder).held())
        study = self.study if self.study is not None and self.study.words is not None else None
        self._description = SweepDescription(
            id=self.folder.name,
            name=first.sweep or (self.study.name if self.study else None),
            created_ms=int(Path(self.folder / "lock").stat().st_mtime * 1000),
            fixed=plan.fixed,
            sweeper=plan.by,
            axes=plan.swept,
            command=self.command,
            commands=[self.command.replace(" --retry-failed", "")],
            tracking=shown,
            ended_ms=None,
            study={"name": study.name, **(study.words or {})} if study else None,
            parts=members if study else {},
        )
        before = self._ledger.description()
        if before and first.sweep and _numeric(before.fixed) != _numeric(plan.fixed):
            log.warning(
                "sweep %s was also asked for with %s: its runs are compared with these",
                first.sweep,
                " ".join(sorted(_numeric(before.fixed))) or "nothing fixed",
            )
        self._ledger.describe(self._description)
        return self._ledger

    def _train(self, jobs: Sequence[Job], ledger: Ledger, *, already: int, n_jobs: int) -> set[str]:
        """Train the jobs; returns the keys of those that another process is training."""
        if self._pool is None:
            self._pool = self._stack.enter_context(Pool(n_jobs, do))
        already += len(self.entries)
        reason, left, elsewhere = "", len(jobs), set[str]()
        with LiveLine(max(self.expected, len(jobs) + already), already) as line:
            for number, result in self._pool.do(jobs, line.started, line.tick):
                if isinstance(result, Refused):
                    reason = reason or result.reason
                    self._pool.stop()
                    line.left_out(number)
                elif isinstance(result, Elsewhere):
                    elsewhere.add(jobs[number].key)
                    line.left_out(number)
                else:
                    entry = self._entry(jobs[number], result)
                    ledger.write(entry)
                    self.trained, left = self.trained + 1, left - 1
                    line.ended(number, entry.status)
        if reason:
            stopped = (
                f"the sweep was stopped: {reason}; {left} of {len(jobs)} runs were not trained"
            )
            raise Stopped(f"{stopped}. To train with what is there now: {self.command}")
        return elsewhere

    def _entry(self, job: Job, result: Result | Lost) -> LedgerEntry:
        folder, said = _place(job), tuple(job.setup.overrides)
        if isinstance(result, Lost):
            return LedgerEntry(job.key, Status.KILLED, folder, said, error=str(result))
        self.metrics[job.key] = result.metrics
        self.continued += result.continued > 0
        if result.anew:
            self.anew[result.anew] += 1
        cost = (round(result.seconds, 3), round(result.cpu_seconds, 3), round(result.peak_mb, 1))
        return LedgerEntry(job.key, result.status, folder, said, *cost, error=result.error)

    def _list(self, jobs: Sequence[Planned]) -> None:
        """Print the jobs, and which of them are done."""
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
    """Whether nobody trains the run. A worker whose command was killed needs a moment to end."""
    until = time.monotonic() + GRACE
    while journal.is_alive(folder):
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def _place(job: Job) -> str:
    """The folder of a job's run, in its sweep."""
    return f"runs/{job.folder.name}"


_current: list[Session] = []


def current() -> Session:
    """The session under way: Hydra makes its launcher itself, which finds here what the command
    asked for.
    """
    return _current[-1]


def enter(session: Session) -> ExitStack:
    """Make a session the current one, until the stack is closed."""
    stack = ExitStack()
    _current.append(session)
    stack.callback(_current.pop)
    stack.enter_context(session)
    return stack
