"""Jobs in long-lived processes of this machine; a job that kills its process affects no other job.

Processes come from a fork server that has imported NumPy and dlexp (or start afresh on platforms
without one), never import mlflow, and end with their parent, even if it is killed.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

from dlexp.errors import describe_error, is_of_the_machine
from dlexp.plugins import discovery
from dlexp.sweeps import launcher
from dlexp.sweeps.launcher import JobLost, JobRefused

J = TypeVar("J")
R = TypeVar("R")


class LocalProcesses(Generic[J, R]):
    """A launcher whose jobs are done by `work` in local processes. Use it in a `with` block."""

    def __init__(self, work: Callable[[J], R]) -> None:
        methods = multiprocessing.get_all_start_methods()
        self._context = multiprocessing.get_context(
            "forkserver" if "forkserver" in methods else "spawn"
        )
        if "forkserver" in methods:
            self._context.set_forkserver_preload(["dlexp.sweeps.worker", __name__])
        self._work = work
        self._processes: list[_Process] = []

    def __enter__(self) -> LocalProcesses[J, R]:
        return self

    def __exit__(self, *error: object) -> None:
        while self._processes:
            self._kill(self._processes[-1])

    def submit(self, jobs: Sequence[J]) -> list[_Task]:
        """Give each job to an idle process or a new one. Raises `OSError` if none can start."""
        return [self._start(job) for job in jobs]

    def ended(self, tasks: Sequence[_Task]) -> list[_Task]:
        """Those whose process has sent a result or has died."""
        ready = wait([task.process.pipe for task in tasks], launcher.WAIT)
        return [task for task in tasks if task.process.pipe in ready]

    def result(self, task: _Task) -> R | JobRefused | JobLost:
        """The return value of `work`. Raises `JobLost` if the process died."""
        process = task.process
        try:
            result: R | JobRefused = process.pipe.recv()
        except (EOFError, OSError):
            lost = JobLost(process.death())
            self._kill(process)
            return lost
        process.busy = False
        return result

    def cancel(self, task: _Task) -> None:
        """Kill its process."""
        if task.process in self._processes:
            self._kill(task.process)

    def _start(self, job: J) -> _Task:
        while True:
            process = next((p for p in self._processes if not p.busy), None) or self._new_process()
            process.busy = True
            try:
                process.pipe.send(job)
            except OSError:  # it died while it was idle
                self._kill(process)
            else:
                return _Task(process)

    def _new_process(self) -> _Process:
        try:
            process = _Process(self._context, self._work)
        except (ConnectionError, EOFError) as e:  # the fork server has ended, or did not start
            raise OSError(errno.EAGAIN, "cannot be started", "a worker process") from e
        self._processes.append(process)
        return process

    def _kill(self, process: _Process) -> None:
        process.end()
        self._processes.remove(process)


class _Process:
    """One process, and the pipe to it."""

    def __init__(self, context: Any, work: Callable[[Any], Any]) -> None:
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, work), daemon=True)
        self._process.start()
        theirs.close()
        self.busy = False

    def death(self) -> str:
        """The message that says how it died."""
        self._process.join(10)
        code = self._process.exitcode or 0
        if code < 0:
            return f"the worker was killed by {signal.Signals(-code).name}"
        return f"the worker exited with {code}"

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.join()
        self.pipe.close()


@dataclass(frozen=True, eq=False)
class _Task:
    """The handle of a job that a process does."""

    process: _Process


def serve(pipe: Connection, work: Callable[[Any], Any]) -> None:
    """The loop of a process: receives jobs and sends their results, until its parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the parent
    try:
        _serve(pipe, work)
    except (EOFError, ConnectionError):
        return
    except Exception as e:
        if not is_of_the_machine(e):
            raise
        print(f"dlexp: error: a worker ends: {describe_error(e)}", file=sys.stderr, flush=True)
        os._exit(1)


def _serve(pipe: Connection, work: Callable[[Any], Any]) -> None:
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with discovery.quietly():  # the parent has printed which plugins are left out
        discovery.discover()
    while True:
        try:
            job = pipe.recv()
        except (EOFError, ConnectionError):
            raise
        except Exception as e:  # the file or the class of a plugin is no longer there
            reason = f"what it needs cannot be imported: {type(e).__name__}: {e}"
            pipe.send(JobRefused(reason))
            continue
        pipe.send(work(job))


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
