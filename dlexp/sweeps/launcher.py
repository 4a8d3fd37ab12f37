"""The protocol of launchers (where jobs run), and the loop that keeps `n_jobs` jobs running.

Grid sweeps, searches and studies use this loop. A launcher starts jobs, waits for them, returns
their results and cancels them. Ledger, statuses, retries and mirroring do not depend on the
launcher.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

WAIT = 1.0  # seconds that `Launcher.ended` may wait

J = TypeVar("J")  # a job
H = TypeVar("H", bound=Hashable)  # the launcher's handle of a job in flight
R = TypeVar("R")  # a job's result
J_contra = TypeVar("J_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True)
class JobLost:
    """A job ended without a result: its process was killed, or its machine failed."""

    reason: str


@dataclass(frozen=True)
class JobRefused:
    """A job cannot be done as planned: its code or its data have changed since."""

    reason: str


class Launcher(Protocol[J_contra, H, R_co]):
    """Runs jobs: in processes of this machine, or on a cluster."""

    def submit(self, jobs: Sequence[J_contra]) -> Sequence[H]:
        """Start or queue these jobs and return a handle for each, without waiting."""
        ...

    def ended(self, handles: Sequence[H]) -> Sequence[H]:
        """Wait up to about WAIT seconds for one of these jobs; return those that have ended."""
        ...

    def result(self, handle: H) -> R_co:
        """The result of an ended job, also of a failed one. Raises `JobLost` without one."""
        ...

    def cancel(self, handle: H) -> None:
        """Stop a job, which may have ended already."""
        ...


def n_cores() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_jobs(
    launcher: Launcher[J, H, R],
    jobs: Sequence[J],
    n_jobs: int,
    *,
    on_start: Callable[[int], None],
    on_end: Callable[[int, R], None],
    on_wait: Callable[[], None] = lambda: None,
) -> None:
    """Run all jobs in their order, at most `n_jobs` at a time.

    `on_start` gets the number of each job, `on_end` its number and result; `on_wait` is called
    about once a second while no job ends. After a `JobRefused` no other job is submitted; the
    running ones are completed. Any exception here, such as Ctrl-C, cancels the running jobs.
    """
    waiting = deque(range(len(jobs)))
    in_flight: dict[H, int] = {}
    try:
        while waiting or in_flight:
            free = min(n_jobs - len(in_flight), len(waiting))
            if batch := [waiting.popleft() for _ in range(free)]:
                handles = launcher.submit([jobs[number] for number in batch])
                in_flight.update(zip(handles, batch, strict=True))
                for number in batch:
                    on_start(number)
            ended = launcher.ended([*in_flight])
            for handle in ended:
                result = launcher.result(handle)
                if isinstance(result, JobRefused):
                    waiting.clear()
                on_end(in_flight.pop(handle), result)
            if not ended:
                on_wait()
    except BaseException:
        for handle in in_flight:
            launcher.cancel(handle)
        raise
