"""Ctrl-C, SIGTERM and SIGHUP: the first signal waits for the end of the step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Terminated(KeyboardInterrupt):
    """SIGTERM, or SIGHUP of a closed terminal; handled like Ctrl-C."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.strsignal(number))


def number_of(error: KeyboardInterrupt) -> int:
    """The signal behind an interruption: SIGINT for Ctrl-C."""
    return error.number if isinstance(error, Terminated) else signal.SIGINT


def exit_status(error: KeyboardInterrupt) -> int:
    """The exit status after such a signal: 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP."""
    return 128 + number_of(error)


def _terminate(number: int, frame: object) -> None:
    raise Terminated(number)


@contextmanager
def heard() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise `Terminated`, as Ctrl-C raises `KeyboardInterrupt`.

    Signals that this process ignores (`nohup`) or handles otherwise are unchanged; so are other
    threads.
    """
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        numbers = (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP"))
        default = [n for n in numbers if n is not None and signal.getsignal(n) is signal.SIG_DFL]
        before = {number: signal.signal(number, _terminate) for number in default}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Interruption:
    """A signal's request to stop; without patience, it is raised at once."""

    def __init__(self) -> None:
        self.requested: KeyboardInterrupt | None = None
        self.patient = False

    def __call__(self, number: int, frame: object) -> None:
        """The signals' handler."""
        error = KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)
        if self.requested is not None or not self.patient:
            raise error
        self.requested = error

    @contextmanager
    def patience(self) -> Iterator[None]:
        """Inside, a signal waits for the end of the step."""
        self.patient = True
        try:
            yield
        finally:
            self.patient = False

    def raise_if_requested(self) -> None:
        """Raise the requested interruption, if there is one."""
        if self.requested is not None:
            raise self.requested


@contextmanager
def deferred_signals() -> Iterator[Interruption]:
    """Inside, an interruption can wait (in the main thread, where signals can be handled).

    Signals that this process ignores (`nohup`) or handles otherwise are unchanged.
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
