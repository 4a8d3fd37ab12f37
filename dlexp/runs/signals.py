"""Ctrl-C, SIGTERM and a closed terminal: the first waits for the end of the step under way, the
second does not.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Terminated(KeyboardInterrupt):
    """SIGTERM, or SIGHUP of a terminal that is closed: the same as Ctrl-C, from somebody else."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.strsignal(number))


def number_of(error: KeyboardInterrupt) -> int:
    """The signal behind an interruption: SIGINT for Ctrl-C."""
    return error.number if isinstance(error, Terminated) else signal.SIGINT


def exit_status(error: KeyboardInterrupt) -> int:
    """What a shell says of a process that such a signal ended: 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP."""
    return 128 + number_of(error)


def _terminate(number: int, frame: object) -> None:
    raise Terminated(number)


@contextmanager
def heard() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP are raised as `Terminated`, as Ctrl-C is raised as
    `KeyboardInterrupt`.

    A signal that this process ignores (`nohup`) or handles in its own way stays as it is, and so
    does every other thread than the main one.
    """
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        ours = [
            number
            for name in ("SIGTERM", "SIGHUP")
            if (number := getattr(signal, name, None)) is not None
        ]
        before = {
            n: signal.signal(n, _terminate) for n in ours if signal.getsignal(n) is signal.SIG_DFL
        }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Interruption:
    """What was asked for by signals, and not yet done. Where there is no patience, it is done at
    once.
    """

    def __init__(self) -> None:
        self.asked: KeyboardInterrupt | None = None
        self.patient = False

    def __call__(self, number: int, frame: object) -> None:
        """The signals' handler."""
        error = KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)
        if self.asked is not None or not self.patient:
            raise error
        self.asked = error

    @contextmanager
    def patience(self) -> Iterator[None]:
        """Inside are steps that are worth being ended first."""
        self.patient = True
        try:
            yield
        finally:
            self.patient = False

    def raise_if_requested(self) -> None:
        """Raise what was asked for, if anything was."""
        if self.asked is not None:
            raise self.asked


@contextmanager
def deferred_signals() -> Iterator[Interruption]:
    """Inside, an interruption may be waited with (where signals can be caught: in the main thread).

    A process that ignores Ctrl-C or the end of its terminal (`nohup`), or has its own way with
    them, goes on to.
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    numbers = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        numbers.append(signal.SIGINT)
    # not on Windows
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) in (
        signal.SIG_DFL,
        _terminate,
    ):
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, interruption) for number in numbers}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
