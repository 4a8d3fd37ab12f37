"""Long-lived worker processes: a job that kills its worker costs that job and no other.

Workers come from a server process that has imported NumPy and dlexp already (where the platform has
that, else they start afresh), never import mlflow, and end with their parent, even if it is killed.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from dlexp.errors import describe_error, is_of_the_machine
from dlexp.plugins import discovery

Work = Callable[[Any], Any]
TICK = 1.0  # seconds between signs of life


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Lost:
    """A job whose worker died of it: killed by a signal, out of memory, `os._exit`."""

    exit_code: int | None

    def __str__(self) -> str:
        code = self.exit_code or 0
        return (
            f"the worker was killed by {signal.Signals(-code).name}"
            if code < 0
            else f"the worker exited with {code}"
        )


@dataclass(frozen=True)
class Refused:
    """A job that the worker cannot do as it was meant: its code or data are not what they were when
    it was planned.
    """

    reason: str


class Worker:
    """One process, and the pipe to it."""

    def __init__(self, context: Any, work: Work) -> None:
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, work), daemon=True)
        try:
            self.process.start()
        except (
            ConnectionError,
            EOFError,
        ) as e:  # the server process has ended, or could never begin
            raise OSError(errno.EAGAIN, "cannot be started", "a worker process") from e
        theirs.close()
        self.job: int | None = None

    def give(self, number: int, job: Any) -> None:
        """Hand it a job."""
        self.job = number
        self.pipe.send(job)

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


class Pool:
    """`n` workers that do `work`; a dead one is replaced. Use it in a `with` block."""

    def __init__(self, n: int, work: Work) -> None:
        method = (
            "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        )
        self._context = multiprocessing.get_context(method)
        if method == "forkserver":
            self._context.set_forkserver_preload(["dlexp.sweeps.job"])
        self._n, self._work, self._stopped = n, work, False
        self._workers: list[Worker] = []

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def do(
        self,
        jobs: Sequence[Any],
        started: Callable[[int], None],
        tick: Callable[[], None] = lambda: None,
    ) -> Iterator[tuple[int, Any]]:
        """Do all jobs, and yield each one's number and result as it comes: what `work` returned, or
        `Lost`.

        `started` is told each number, `tick` is called about once a second while nothing ends.
        """
        waiting = list(range(len(jobs)))[::-1]
        self._stopped = False
        while (waiting and not self._stopped) or any(w.job is not None for w in self._workers):
            while waiting and not self._stopped and (idle := self._idle()) is not None:
                number = waiting.pop()
                started(number)
                try:
                    idle.give(number, jobs[number])
                except OSError:  # it died while idle
                    idle.job = None
                    waiting.append(number)
                    self._bury(idle)
            yield from self._news(tick)

    def stop(self) -> None:
        """Hand out no more of the jobs; those under way are done."""
        self._stopped = True

    def _idle(self) -> Worker | None:
        for worker in self._workers:
            if worker.job is None:
                return worker
        if len(self._workers) < self._n:
            self._workers.append(Worker(self._context, self._work))
            return self._workers[-1]
        return None

    def _news(self, tick: Callable[[], None]) -> Iterator[tuple[int, Any]]:
        """Wait for a result or a death."""
        busy = {w.pipe: w for w in self._workers if w.job is not None}
        while not (ready := wait(list(busy), TICK)):
            tick()
        for pipe in ready:
            worker = busy[pipe]
            number = worker.job
            assert number is not None
            try:
                result = worker.pipe.recv()
            except (EOFError, OSError):
                worker.process.join(10)
                result = Lost(worker.process.exitcode)
                self._bury(worker)
            worker.job = None
            yield number, result

    def _bury(self, worker: Worker) -> None:
        worker.end()
        self._workers.remove(worker)


def serve(pipe: Connection, work: Work) -> None:
    """A worker's life: take a job, do it, send the result; until the command that it works for is
    gone.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    try:
        _serve(pipe, work)
    except (EOFError, ConnectionError):
        return
    except Exception as e:
        if not is_of_the_machine(e):
            raise
        print(f"dlexp: error: a worker ends: {describe_error(e)}", file=sys.stderr, flush=True)
        os._exit(1)


def _serve(pipe: Connection, work: Work) -> None:
    threading.Thread(target=_die_with_parent, daemon=True).start()
    with discovery.quietly():  # the parent has said which are left out
        discovery.discover()
    while True:
        try:
            job = pipe.recv()
        except (EOFError, ConnectionError):
            raise
        except Exception as e:  # a plugin's file or class is there no more
            pipe.send(Refused(f"what it needs cannot be imported: {type(e).__name__}: {e}"))
            continue
        pipe.send(work(job))


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
