"""Arrays in `.npz` archives without pickle; sizes are checked before unpacking."""

from __future__ import annotations

import io
import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from dlexp.core.arrays import Array
from dlexp.errors import DataError
from dlexp.storage.atomic import staged

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
# bytes of arrays in a file: a small file can declare gigabytes
LARGEST = 2**28


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write arrays as an `.npz` file, atomically; the same arrays give the same bytes.

    Raises `OSError` where it cannot be written, `ValueError` for arrays of Python objects.
    """
    with staged(path) as file, zipfile.ZipFile(file, "w") as archive:
        # own ZipInfo: the default has the time of day
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                npy.write_array(entry, np.asanyarray(array), allow_pickle=False)


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays of an `.npz` file. Raises `FileNotFoundError`, or `DataError` for damage."""
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
    """Raises `ValueError` for an archive that declares more than `most` bytes or is unusual.

    Python reads no more of an entry than it declares, but unpacks bzip2 and LZMA without a limit.
    """
    declared, names = 0, archive.namelist()
    if len(set(names)) < len(names):
        raise ValueError("two of its arrays have the same name")
    for entry in archive.infolist():
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{entry.filename} is compressed in a way that NumPy does not use")
        declared += entry.file_size
    if declared > most:
        raise ValueError(f"it claims to hold more than {most:,} bytes")


def unpacked(data: bytes, name: str) -> Array:
    """The array in an `.npy` file's bytes; the header's size is checked before it is made.

    Raises one of `DAMAGE` for other bytes, and for Python objects.
    """
    file = io.BytesIO(data)
    if npy.read_magic(file) != (1, 0):
        raise ValueError(f"{name} has a version of the .npy format that dlexp does not write")
    shape, _, dtype = npy.read_array_header_1_0(file)
    if min(shape, default=0) < 0 or file.tell() + math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{name} declares the shape {shape} and has another size")
    file.seek(0)
    array: Array = npy.read_array(file, allow_pickle=False)
    return array
