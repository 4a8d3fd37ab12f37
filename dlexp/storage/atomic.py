"""Atomic files, locks, and unique names."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from dlexp import paths
from dlexp.errors import UNWRITABLE

STAGED = ".part"  # suffix of files that are not complete
CAN_ASK = os.name == "posix"  # whether a process is alive; on Windows, os.kill would end it
AGE = 3600.0  # seconds after which a half-written file of an unknown process counts as left over


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Inside, `path` is written; its name is added to errors that lack it (a full disk)."""
    try:
        yield
    except OSError as e:
        if e.filename is None and e.errno is not None:
            e.filename = str(path)
        raise


@contextmanager
def staged(path: Path, *, sync: bool = False) -> Iterator[BinaryIO]:
    """A new file that replaces `path` at the end, if nothing was raised; `sync` flushes it to disk.

    Raises `OSError` if it cannot be written; the file at `path` is then unchanged.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}{STAGED}")
    for name in (path, beside):
        paths.check_inside(name)
    try:
        with named(path), beside.open("wb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)
        if sync:
            _sync_folder(path.parent)
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a file atomically: beside its place, then moved there."""
    with staged(path) as file:
        file.write(text.encode("utf-8", "surrogateescape"))


@contextmanager
def new_folder(path: Path) -> Iterator[None]:
    """Make a folder, filled inside; if that raises `OSError`, the new folder is removed.

    An existing folder is kept. Raises `OSError` if it cannot be made.
    """
    fresh = missing(path)
    try:
        paths.made(path)
        yield
    except OSError:
        take_back(fresh)
        raise


def missing(path: Path) -> list[Path]:
    """The missing folders on the way to a path, itself first."""
    return [folder for folder in (path, *path.parents) if not folder.exists()]


def take_back(fresh: Sequence[Path]) -> None:
    """Remove new folders: the first with its content, the others if they are empty."""
    for folder in fresh[:1]:
        shutil.rmtree(folder, ignore_errors=True)
    for folder in fresh[1:]:
        with suppress(OSError):  # another process has written into it
            folder.rmdir()


def remove(folder: Path) -> None:
    """Remove a folder with its content; for a link, only the link."""
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder)


def lock(path: Path, timeout: float = -1) -> FileLock:
    """The lock of this name, not taken yet. Raises `OSError` if a link leads out of outputs."""
    paths.check_inside(path)
    return FileLock(path, timeout=timeout)


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of this name; nothing is written if possible.

    If the system needs a writable file for that, the lock is taken briefly; a lock that cannot be
    written is free.
    """
    paths.check_inside(path)
    if not path.is_file():
        return False
    with suppress(ImportError, OSError):
        return _is_held(path)
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except OSError as e:
        if e.errno not in UNWRITABLE:
            raise
        return False


def _is_held(path: Path) -> bool:
    import fcntl  # not on Windows

    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def is_left(path: Path) -> bool:
    """Whether `staged` began this file in a process that has ended."""
    name, _, number = path.name.removesuffix(STAGED).rpartition(".")
    if not (path.name.endswith(STAGED) and name and number.isdecimal() and path.is_file()):
        return False
    if not CAN_ASK:
        with suppress(OSError):  # it was completed
            return time.time() - path.stat().st_mtime > AGE
        return False
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # it is another user's
        return False
    return False


def _sync_folder(folder: Path) -> None:
    """Flush a folder's new names to disk, if the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def new_id() -> str:
    """A unique name: the time and six random digits."""
    return f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def slug(words: str) -> str:
    """Words as part of a folder's name.

    >>> slug("adam lr=0.1 s0 ../x")
    'adam-lr=0.1-s0-..-x'
    """
    short = re.sub(r"[^\w.=+-]+", "-", words)[:80]
    # systems count bytes, up to 255
    return short.encode("utf-8", "ignore")[:160].decode("utf-8", "ignore")
