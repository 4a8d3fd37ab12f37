"""Files that are old or new, never half."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

STAGED = ".part"  # how the names of files end that have not taken their place yet


@contextmanager
def staged(path: Path, *, sync: bool = False) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` at the end, if nothing was raised; `sync` sees it on the disk first.

    Raises `OSError` where it cannot be written; what stood at `path` then stands there still.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}{STAGED}")
    try:
        with beside.open("wb") as file:
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
