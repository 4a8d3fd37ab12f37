"""Foreign files are imported: what they do to others meanwhile is undone, and told.

Against negligence, not malice: whoever writes a plugin may do whatever Python may.
"""

from __future__ import annotations

import builtins
import io
import logging
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


def _set_environment(before: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(before)


def _working_folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:  # it is gone
        return ""


def _set_working_folder(before: str) -> None:
    if before:
        os.chdir(before)


def _umask() -> int:
    before = os.umask(0o077)  # it cannot be asked for otherwise
    os.umask(before)
    return before


def _random_states() -> tuple[Any, ...]:
    """Python's global random state and NumPy's, as values that can be compared."""
    state: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    inner = {name: np.asarray(value).tolist() for name, value in state["state"].items()}
    return random.getstate(), np.random.mtrand.get_bit_generator(), {**state, "state": inner}


def _set_random_states(before: tuple[Any, ...]) -> None:
    random.setstate(before[0])
    np.random.mtrand.set_bit_generator(before[1])
    np.random.set_state(before[2])  # noqa: NPY002


def _handlers() -> list[Any]:
    return [signal.getsignal(number) for number in SIGNALS]


def _set_handlers(before: list[Any]) -> None:
    for number, handler in zip(SIGNALS, before, strict=True):
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(number, handler)


SIGNALS = [
    s
    for s in signal.Signals
    if s.name
    in (
        "SIGINT",
        "SIGTERM",
        "SIGHUP",
        "SIGQUIT",
        "SIGPIPE",
        "SIGALRM",
        "SIGCHLD",
        "SIGUSR1",
        "SIGUSR2",
    )
]
# What all share: how to ask for it, and how to put it back.
SHARED: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "the working folder": (_working_folder, _set_working_folder),
    "the environment": (lambda: dict(os.environ), _set_environment),
    "the global random state": (_random_states, _set_random_states),
    "NumPy's way with errors": (np.geterr, lambda kinds: np.seterr(**kinds)),
    "the handlers of signals": (_handlers, _set_handlers),
    "what is logged": (lambda: logging.root.manager.disable, logging.disable),
    "the rights of new files": (_umask, os.umask),
    "how deep calls may go": (sys.getrecursionlimit, sys.setrecursionlimit),
    "where errors are written": (lambda: sys.stderr, lambda stream: setattr(sys, "stderr", stream)),
}
INTERRUPTIONS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
# of sys: how modules are found; more may be added, nothing taken away
PATHS = ("path", "meta_path", "path_hooks")


class Isolation:
    """Inside, nobody ends the process, nor keeps it from ending: a thread that is started is not
    waited for.
    """

    def __init__(self) -> None:
        self.interrupted = False  # by the user, not by somebody who raises KeyboardInterrupt
        self._handlers: dict[int, Callable[[int, Any], Any]] = {}
        self._process, self._thread = os.getpid(), threading.get_ident()
        self._before = {what: ask() for what, (ask, _) in SHARED.items()}
        self._builtins = builtins.__dict__.copy()
        self._paths = {name: (getattr(sys, name), list(getattr(sys, name))) for name in PATHS}

    def __enter__(self) -> Isolation:
        self._exit, self._start = os._exit, threading.Thread.start
        self._active = True
        os._exit = self._refuse_exit  # type: ignore[assignment]
        threading.Thread.start = lambda thread: self._start_unawaited(thread)  # type: ignore
        if threading.current_thread() is threading.main_thread():
            heard = {number: signal.getsignal(number) for number in INTERRUPTIONS}
            self._handlers = {
                number: handler for number, handler in heard.items() if callable(handler)
            }
            for number in self._handlers:
                signal.signal(number, self._interrupt)
            self._before["the handlers of signals"] = _handlers()
        return self

    def __exit__(self, *_: object) -> None:
        self._active = False
        os._exit, threading.Thread.start = self._exit, self._start  # type: ignore[method-assign]
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._interrupt:
                signal.signal(number, handler)

    def admit(self, file: str, load: Callable[[], Any], say: Callable[[str], None]) -> None:
        """Call what imports a file, and say what it did beside; raises what that raises."""
        heard, out, threads = _Heard(file), sys.stdout, set(threading.enumerate())
        sys.stdout = heard
        try:
            load()
        finally:
            changed = builtins.__dict__ != self._builtins
            builtins.__dict__.update(self._builtins)  # first of all: nothing works without them
            sys.stdout = out
            said = ["it changes Python's builtins, which are put back"] if changed else []
            said += self._put_back()
            if text := " ".join(heard.getvalue().split()):
                said.append(
                    f"line {heard.line} prints {text[:60]!r}"
                    if heard.line
                    else f"it prints {text[:60]!r}"
                )
            if started := set(threading.enumerate()) - threads:
                said.append(
                    f"it starts a thread, {next(iter(started)).name}, which nobody waits for"
                )
            for what in said:
                say(what)

    def _put_back(self) -> Iterator[str]:
        self._builtins = builtins.__dict__.copy()  # what was added, stays
        for name, (path, entries) in self._paths.items():
            now = getattr(sys, name)
            if not isinstance(now, list) or not all(entry in now for entry in entries):
                path[:] = entries
                setattr(sys, name, path)
                yield f"it takes something out of sys.{name}, which is put back"
        for what, (ask, put_back) in SHARED.items():
            if ask() != self._before[what]:
                put_back(self._before[what])
                yield f"it changes {what}, which is put back"

    def _refuse_exit(self, status: int) -> None:
        """What a plugin finds as `os._exit`; of a child process, and whoever keeps it, the true
        one.
        """
        if not self._active or os.getpid() != self._process:
            self._exit(status)
        raise SystemExit(f"os._exit({status})")

    def _start_unawaited(self, thread: threading.Thread) -> None:
        if self._active and threading.get_ident() == self._thread and not thread.is_alive():
            thread.daemon = True
        self._start(thread)

    def _interrupt(self, number: int, frame: Any) -> None:
        self.interrupted = True
        self._handlers[number](number, frame)


class _Heard(io.StringIO):
    """Stands where stdout was, and notes which line of a file speaks first."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.file, self.line = file, 0

    def write(self, text: str) -> int:
        frame = sys._getframe(1)
        while frame is not None and not self.line:
            if frame.f_code.co_filename == self.file:
                self.line = frame.f_lineno
            frame = frame.f_back  # type: ignore[assignment]
        return super().write(text)
