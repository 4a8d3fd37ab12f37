"""Errors of users and of the machine, each in one line.

A `UserError` becomes `dlexp: error: …` and exit status 2 on the command line; any other exception
is a defect of dlexp and keeps its traceback.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dlexp.redaction import clean, cleaned_of

LONGEST = 300  # letters of a value in the message


class UserError(ValueError):
    """A request that cannot be met: the key, the value, its place, what is wrong and what to do.

    >>> print(UserError("must be > 0", key="optimizer.lr", value=-1, where="command line"))
    optimizer.lr=-1 (command line): must be > 0
    >>> print(UserError("there is none", key="optimizer", value="adm", allowed="adam", hint="adam"))
    optimizer=adm: there is none; choose from adam; did you mean 'adam'?
    """

    def __init__(
        self,
        message: str,
        *,
        key: str = "",
        value: object = None,
        where: str = "",
        allowed: str = "",
        hint: str = "",
    ) -> None:
        self.message, self.key, self.value, self.where = message, key, value, where
        self.allowed, self.hint = allowed, hint
        super().__init__(message)

    @property
    def wrong(self) -> str:
        """The older name of `message`."""
        return self.message

    @wrong.setter
    def wrong(self, message: str) -> None:
        self.message = message

    def __str__(self) -> str:
        value = str(self.value)
        shown = clean(value)
        shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"
        subject = self.key if self.value is None or not self.key else f"{self.key}={shown}"
        place = f" ({self.where})" if self.where else ""
        parts = [self.message]
        if self.allowed:
            parts.append(f"choose from {self.allowed}")
        if self.hint:
            parts.append(f"did you mean {self.hint!r}?")
        head = f"{subject}{place}: " if subject else f"{place.strip()}: " if place else ""
        return " ".join(cleaned_of(value, head + "; ".join(parts)).split())


class FieldError(UserError):
    """A field of a plugin or an experiment is out of its range; `key` is the field's name."""


class PluginError(UserError, LookupError):
    """A plugin is missing, registered twice, or misdeclared."""


class DataError(UserError):
    """A data file is missing, damaged, or not what the data plugin expects."""


class Busy(UserError):
    """Another process is using it."""


class Stopped(Exception):
    """A correct request cannot be completed now; one line, exit status 1.

    The message says why, and how to go on.
    """


TOO_LITTLE = re.compile(
    "(?i)cannot allocate memory|failed to map segment|can't start new thread|unable to allocate"
    "|out of memory"
)
MEMORY_DETAIL = re.compile(
    r"Unable to allocate [^\n]*|[^\n]*failed to map segment[^\n]*|can't start new thread"
)
UNWRITABLE = {errno.EROFS, errno.EACCES, errno.EPERM}  # a read-only disk, another user's folder
MACHINE = {
    errno.ENOMEM,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ELOOP,
    errno.EAGAIN,  # no further process may be started
    *UNWRITABLE,
}


def is_of_the_machine(error: BaseException) -> bool:
    """Whether the machine is at fault (a full disk, say), neither the request nor our code."""
    return is_of_memory(error) or (isinstance(error, OSError) and error.errno in MACHINE)


def is_of_memory(error: BaseException) -> bool:
    """Whether there was too little memory for an array, a library or a thread."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    by_message = isinstance(error, (ImportError, RuntimeError))
    return by_message and TOO_LITTLE.search(str(error)) is not None


def one_line(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    """An exception hook (`sys.excepthook`): one line for the machine's errors."""
    if is_of_the_machine(error):
        print(f"dlexp: error: {describe_error(error)}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def not_created(error: OSError, folder: Path, what: str) -> OSError | UserError:
    """The error to raise if the folder of a run or sweep cannot be created.

    >>> str(not_created(OSError(errno.ENOTDIR, "Not a directory"), Path("outputs/runs/x"), "run"))
    'outputs/runs/x: the run folder cannot be created: Not a directory'
    """
    wrong = f"the {what} folder cannot be created: {error.strerror or error}"
    if is_of_the_machine(error):
        return OSError(error.errno, wrong, str(folder))
    return UserError(wrong, key=str(folder))


def describe_error(error: BaseException) -> str:
    """The message of an error, or its type; of a system's error, the file and the reason.

    >>> describe_error(OSError(30, "Read-only file system", "outputs/lock"))
    'outputs/lock: Read-only file system'
    >>> describe_error(AssertionError())
    'AssertionError'
    """
    if isinstance(error, SystemExit):
        last, here = traceback.extract_tb(error.__traceback__)[-1:], f"{Path.cwd()}{os.sep}"
        place = "".join(f": {f.filename.removeprefix(here)}:{f.lineno}" for f in last)
        return f"something in it called sys.exit({error.code}){place}"
    if is_of_memory(error):
        match = MEMORY_DETAIL.search(str(error))
        return "there is too little memory" + (f": {' '.join(match[0].split())}" if match else "")
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return clean(f"{os.fsdecode(error.filename)}: {error.strerror}")
    return clean(str(error)) or type(error).__name__


def of_long_name(error: OSError, words: Sequence[str]) -> UserError:
    """The error for a name that is too long for the system, with the word that contains it."""
    name = max(Path(os.fsdecode(error.filename or "")).parts, key=len, default="")
    wrong = "the name is too long: a part of a path may have 255 bytes"
    if name and name in os.environ.get("DLEXP_OUTPUTS", ""):
        return UserError(wrong, key="DLEXP_OUTPUTS", value=name, where="environment")
    for before, word in zip(["", *words], words, strict=False):
        key, _, value = word.rpartition("=")
        if name and name in word:
            key = key or (before if before[:1] == "-" else words[0])
            return UserError(wrong, key=key, value=value, where="command line")
    return UserError(wrong, value=name, key="file")


def nearest(word: str, known: Iterable[str]) -> str:
    """The most similar known name; empty if none is similar.

    >>> nearest("optmizer", ["optimizer", "model"])
    'optimizer'
    >>> nearest("xyz", ["optimizer", "model"])
    ''
    """
    import difflib

    return next(iter(difflib.get_close_matches(word, list(known), n=1)), "")


def shown(text: str) -> str:
    """A cell or a name in a message: quoted, and cut if long."""
    return repr(text if len(text) <= 40 else f"{text[:37]}…")
