"""Keeps memory that was freed, for the next arrays."""

from __future__ import annotations

import ctypes
from functools import cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h of the GNU C library
# bytes an allocation may have to come from kept memory; the library allows no more
LARGEST = 32 << 20
KEPT = 128 << 20  # bytes of freed memory that are kept at most


@cache
def keep_freed() -> bool:
    """Let malloc keep what is freed, once per process; False if this is not possible (not glibc).

    Every intermediate result of `w -= lr * g / (np.sqrt(s.h) + eps)` is an array of its own. By
    default, one of more than 128 KiB is fetched from the system and given back each time, page by
    page: several times the arithmetic's time.
    """
    try:
        libc = ctypes.CDLL(None)
        return bool(libc.gnu_get_libc_version) and all(
            libc.mallopt(what, size)
            for what, size in ((M_MMAP_THRESHOLD, LARGEST), (M_TRIM_THRESHOLD, KEPT))
        )
    except (OSError, AttributeError, TypeError):
        return False
