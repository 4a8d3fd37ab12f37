"""Files that are old or new, never half; names that no other run has."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

STAGED = ".part"  # how the names of files end that have not taken their place yet
CAN_ASK = os.name == "posix"  # whether a process lives; elsewhere the question may end it
AGE = 3600.0  # seconds after which a half-written file is nobody's, where nobody can be asked


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Inside, `path` is written; the system does not say of which file it was that its disk is full."""
    try:
        yield
    except OSError as e:
        if e.filename is None and e.errno is not None:
            e.filename = str(path)
        raise


@contextmanager
def staged(path: Path, *, sync: bool = False) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` at the end, if nothing was raised; `sync` sees it on the disk first.

    Raises `OSError` where it cannot be written; what stood at `path` then stands there still.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}{STAGED}")
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


def is_left(path: Path) -> bool:
    """Whether `staged` began this file in a process that is no more. Files of other names are somebody else's."""
    name, _, number = path.name.removesuffix(STAGED).rpartition(".")
    if not (path.name.endswith(STAGED) and name and number.isdecimal() and path.is_file()):
        return False
    if not CAN_ASK:
        with suppress(OSError):  # it has taken its place
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
    """See a folder's new name on the disk, where the system can."""
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
    """A name no other run has: the second it began and six random digits."""
    return f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def slug(words: str) -> str:
    """Words as part of a folder's name.

    >>> slug("adam lr=0.1 s0 ../x")
    'adam-lr=0.1-s0-..-x'
    """
    short = re.sub(r"[^\w.=+-]+", "-", words)[:80]
    return short.encode("utf-8", "ignore")[:160].decode("utf-8", "ignore")  # systems count bytes, up to 255
