"""Undoes and reports what the import of a plugin does to the rest of the process.

This protects against mistakes, not against malice.
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
    except OSError:  # it was removed
        return ""


def _set_working_folder(before: str) -> None:
    if before:
        os.chdir(before)


def _umask() -> int:
    before = os.umask(0o077)  # there is no other way to read it
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


INTERRUPTIONS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
OTHERS = ("SIGQUIT", "SIGPIPE", "SIGALRM", "SIGCHLD", "SIGUSR1", "SIGUSR2")
SIGNALS = [*INTERRUPTIONS, *(s for s in signal.Signals if s.name in OTHERS)]
# state of the process: how to read it, and how to restore it
SHARED: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "the working folder": (_working_folder, _set_working_folder),
    "the environment": (lambda: dict(os.environ), _set_environment),
    "the global random state": (_random_states, _set_random_states),
    "NumPy's handling of errors": (np.geterr, lambda kinds: np.seterr(**kinds)),
    "the signal handlers": (_handlers, _set_handlers),
    "what is logged": (lambda: logging.root.manager.disable, logging.disable),
    "the permissions of new files": (_umask, os.umask),
    "the recursion limit": (sys.getrecursionlimit, sys.setrecursionlimit),
    "where errors are written": (lambda: sys.stderr, lambda stream: setattr(sys, "stderr", stream)),
}
# lists of sys that find modules; entries may be added, but not removed
PATHS = ("path", "meta_path", "path_hooks")


class Isolation:
    """Inside, plugins cannot end the process or keep it alive: their threads are not waited for."""

    def __init__(self) -> None:
        self.interrupted = False  # by the user, not by a plugin that raises KeyboardInterrupt
        self._handlers: dict[int, Callable[[int, Any], Any]] = {}
        self._process, self._thread = os.getpid(), threading.get_ident()
        self._before = {what: read() for what, (read, _) in SHARED.items()}
        self._builtins = builtins.__dict__.copy()
        self._paths = {name: (getattr(sys, name), list(getattr(sys, name))) for name in PATHS}

    def __enter__(self) -> Isolation:
        self._exit, self._start = os._exit, threading.Thread.start
        self._active = True
        os._exit = self._refuse_exit  # type: ignore[assignment]
        threading.Thread.start = lambda thread: self._start_unawaited(thread)  # type: ignore
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in INTERRUPTIONS}
            self._handlers = {n: handler for n, handler in handlers.items() if callable(handler)}
            for number in self._handlers:
                signal.signal(number, self._interrupt)
            self._before["the signal handlers"] = _handlers()
        return self

    def __exit__(self, *_: object) -> None:
        self._active = False
        os._exit, threading.Thread.start = self._exit, self._start  # type: ignore[method-assign]
        for number, handler in self._handlers.items():
            if signal.getsignal(number) == self._interrupt:
                signal.signal(number, handler)

    def admit(self, file: str, load: Callable[[], Any], report: Callable[[str], None]) -> None:
        """Import a file and `report` its side effects; raises what the import raises."""
        captured, out, threads = _Captured(file), sys.stdout, set(threading.enumerate())
        sys.stdout = captured
        try:
            load()
        finally:
            changed = builtins.__dict__ != self._builtins
            builtins.__dict__.update(self._builtins)  # first: nothing works without them
            sys.stdout = out
            effects = ["it changes Python's builtins, which are restored"] if changed else []
            effects += self._restore()
            if text := " ".join(captured.getvalue().split()):
                where = f"line {captured.line}" if captured.line else "it"
                effects.append(f"{where} prints {text[:60]!r}")
            for thread in [*(set(threading.enumerate()) - threads)][:1]:
                effects.append(f"it starts a thread, {thread.name}, which is not waited for")
            for effect in effects:
                report(effect)

    def _restore(self) -> Iterator[str]:
        self._builtins = builtins.__dict__.copy()  # additions stay
        for name, (path, entries) in self._paths.items():
            now = getattr(sys, name)
            if not isinstance(now, list) or not all(entry in now for entry in entries):
                path[:] = entries
                setattr(sys, name, path)
                yield f"it removes entries of sys.{name}, which are restored"
        for what, (read, restore) in SHARED.items():
            if read() != self._before[what]:
                restore(self._before[what])
                yield f"it changes {what}, which is restored"

    def _refuse_exit(self, status: int) -> None:
        """Replaces `os._exit` for plugins; child processes and later calls get the real one."""
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


class _Captured(io.StringIO):
    """Replaces stdout, and notes the first line of a file that prints."""

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
