"""What layers and optimizers are written with: arrays, by name, and the moment they are used in. Arrays as files."""

from __future__ import annotations

import io
import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.lib import format as npy

from dlexp.errors import DataError
from dlexp.files import staged

Array = np.ndarray[Any, np.dtype[Any]]
Rng = np.random.Generator
Backward = Callable[[Array], Array]

DAMAGE = (  # what reading a damaged archive of arrays may raise
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    MemoryError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
LARGEST = 2**28  # bytes of arrays that a file may hold: a small one can claim to unpack to gigabytes


@dataclass(frozen=True)
class Param:
    """One array a layer owns.

    `start=None` says: a weight, drawn by the run's initializer and subject to weight decay; a number fills a bias, a
    scale or a buffer. What is not `trainable` (running averages) has no gradient and is left alone by the optimizer.
    """

    shape: tuple[int, ...]
    start: float | None = None
    trainable: bool = True


class Views(SimpleNamespace):
    """Arrays by short name: `p.W` and its gradient `p.dW` for a layer, `s.m` and `s.v` for an optimizer."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"there is no array {name!r} here; there are {', '.join(vars(self)) or 'none'}")


@dataclass(frozen=True)
class Context:
    """What a layer may know of the moment it runs in; `rng` is the run's noise stream.

    `input_is_data` marks the first layer: nobody asks for the gradient of the data, its backward may return anything.
    """

    training: bool
    rng: Rng
    input_is_data: bool = False


@lru_cache(maxsize=32)  # a step asks for the same few again and again
def constant(value: float, shape: int | tuple[int, ...], dtype: Any) -> Array:
    """An array of one value, made once and shared: not to be written.

    NumPy takes two arrays three times as fast as an array and a number, where its loops are vectorized for the former
    only: `np.maximum(x, constant(0, x.shape, x.dtype))`.
    """
    array: Array = np.full(shape, value, dtype)
    array.flags.writeable = False
    return array


def batch_sum(a: Array, out: Array | None = None) -> Array:
    """Σ over the batch: (batch, n) → (n,), into `out` if given. A product with ones takes a third of the time of a sum.

    >>> batch_sum(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([4., 6.])
    """
    total: Array = np.dot(constant(1, len(a), a.dtype), a, out=out)
    return total


def coin_tosses(rng: Rng, shape: tuple[int, ...], p: float) -> Array:
    """Truth values, each true with probability p, independently; p to within 2⁻¹⁷, as 16 random bits say it."""
    n = math.prod(shape)
    bits = rng.bit_generator.random_raw(-(-n // 4)).view(np.uint16)[:n]
    return (bits < round(p * 2**16)).reshape(shape)


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Arrays by name as an `.npz` file, old or new, never half; the same arrays give the same bytes.

    Raises `OSError` where it cannot be written, `ValueError` for arrays of Python objects.
    """
    with staged(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():  # ZipInfo of its own: the time of day would change the bytes
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                npy.write_array(entry, np.asanyarray(array), allow_pickle=False)


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays of an `.npz` file by name. Raises `FileNotFoundError`, and `DataError` for what is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, LARGEST)
            names = [n.removesuffix(".npy") for n in archive.namelist() if n.endswith(".npy")]
            return {name: unpacked(archive.read(f"{name}.npy"), name) for name in names}
    except FileNotFoundError:
        raise
    except DAMAGE as e:
        raise DataError(f"cannot be read: {e}", key=str(path)) from None


def check_archive(archive: zipfile.ZipFile, most: int) -> None:
    """Raises `ValueError` for one that claims to unfold to more than `most` bytes, or whose claim cannot be relied on.

    Python reads no more of an entry than it claims, but unpacks bzip2 and LZMA without a limit before it counts.
    """
    claimed = 0
    for entry in archive.infolist():
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{entry.filename} is packed in a way that NumPy does not use")
        claimed += entry.file_size
    if claimed > most:
        raise ValueError(f"it claims to hold more than {most:,} bytes")


def unpacked(data: bytes, name: str) -> Array:
    """The array of an `.npy` file's bytes; their number is held against the header before it is made.

    Raises `ValueError`, among others (`DAMAGE`), for what is none, and for Python objects.
    """
    file = io.BytesIO(data)
    if npy.read_magic(file) != (1, 0):
        raise ValueError(f"{name} is of a version that dlexp does not write")
    shape, _, dtype = npy.read_array_header_1_0(file)
    if min(shape, default=0) < 0 or file.tell() + math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{name} promises {shape} numbers and has others")
    file.seek(0)
    array: Array = npy.read_array(file, allow_pickle=False)
    return array
