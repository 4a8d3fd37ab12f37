"""Your own arrays from a NumPy .npz file."""

import math
import warnings
from contextlib import contextmanager

import numpy as np

from dlexp import DataError, FileData, plugin

LIMIT = 2**31  # bytes that the arrays may need together when they are loaded
SPLIT = {
    "train": ("x_train", "y_train"),
    "validation": ("x_val", "y_val"),
    "test": ("x_test", "y_test"),
}


@plugin("npz")
class Npz(FileData):
    """Your own NumPy arrays: data.path=<file.npz> with x and y, or x_train, y_train, x_test, y_test

    x (or X), features (n, features) or images (n, height, width), are numbers; y (or Y), labels
    (n,), are whole numbers or words. They are split into training, validation and test samples (70
    % / 10 % / 20 % unless `validation` and `test` say otherwise); with x_train, y_train, x_test,
    y_test the split is yours, and x_val, y_val are taken from the training samples where they are
    missing. `FileData` says what becomes of the numbers.

    Nothing in the file can run code: pickled objects are refused. The sizes that the file declares
    are added up before anything is loaded; 2 GiB is the limit, so that a small file cannot unfold
    to fill the memory.
    Source: the format, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    """

    suffix = ".npz"

    def read(self, file):
        import zipfile

        with file.open("rb") as stream:
            start = stream.read(6)
        if start[:2] != b"PK":
            raise self.refused(f"is {_what(start)}; save arrays with np.savez(path, x=x, y=y)")
        with self._refusing_damage(), zipfile.ZipFile(file) as archive:
            spelled = self._spelled([n[:-4] for n in archive.namelist() if n.endswith(".npy")])
            names = self._names(spelled)
            infos = {
                name: archive.getinfo(f"{spelled[name]}.npy")
                for pair in names.values()
                for name in pair
            }
            for name, info in infos.items():
                # those unfold without a limit
                if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise self.refused(
                        f"array {name} is packed otherwise than by np.savez or np.savez_compressed"
                    )
            if (total := sum(info.file_size for info in infos.values())) > LIMIT:
                more = "float32 needs half of what float64 needs"
                raise self.refused(
                    f"its arrays need {total:,} bytes; the limit is {LIMIT:,} ({more})"
                )
            arrays = {name: self._array(archive, name, info) for name, info in infos.items()}
        return {split: self._pair(arrays, *pair) for split, pair in names.items()}

    @contextmanager
    def _refusing_damage(self):
        """What zipfile and its decompressors raise for a damaged file, in one line."""
        import lzma
        import struct
        import zipfile
        import zlib

        try:
            yield
        except DataError:
            raise
        except (
            zipfile.BadZipFile,
            zlib.error,
            lzma.LZMAError,
            struct.error,
            EOFError,
            OSError,
            RuntimeError,
            ValueError,
        ) as e:
            raise self.refused(
                f"the file is truncated or damaged: {str(e) or type(e).__name__}"
            ) from None

    def _spelled(self, there):
        """The array names by the known name they stand for: X is x if there is no x."""
        if twice := [name for name in there if there.count(name) > 1]:
            raise self.refused(f"array {twice[0]} is there twice")
        known = {name for pair in [("x", "y"), *SPLIT.values()] for name in pair}
        found = {name: name for name in there}
        for name in there:
            if name.lower() in known and name.lower() not in there:
                if (other := found.pop(name.lower(), None)) is not None:
                    raise self.refused(
                        f"there are both {other} and {name}, and no {name.lower()}; save one of"
                        " them"
                    )
                found[name.lower()] = found.pop(name)
        return found

    def _names(self, there):
        """Which arrays to read, by split; `there` are those in the file."""
        if "x" in there or "y" in there:
            names = {"all": ("x", "y")}
        else:
            names = {
                k: pair for k, pair in SPLIT.items() if k != "validation" or set(pair) & set(there)
            }
        wanted = "needed are x and y, or x_train, y_train, x_test, y_test"
        if not set(there) & {name for pair in names.values() for name in pair}:
            raise self.refused(
                f"none of its arrays is known; {wanted}", asked="x", known=[*there.values()]
            )
        for name in (name for pair in names.values() for name in pair):
            if name not in there:
                raise self.refused(
                    f"array {name} is missing; {wanted}", asked=name, known=[*there.values()]
                )
        return names

    def _array(self, archive, name, info):
        """One array, its header checked against the size of its file before any memory is taken."""
        with archive.open(info) as stream:
            shape, fortran, dtype = self._header(stream, name)
            declared, there = math.prod(shape) * dtype.itemsize, info.file_size - stream.tell()
            if min(shape, default=0) < 0 or declared != there:
                raise self.refused(
                    f"array {name} is damaged: it declares {shape} of {dtype}, but has {there:,}"
                    " bytes"
                )
            content = stream.read()
        if len(content) != declared:
            raise self.refused(f"array {name} is truncated: {len(content):,} of {declared:,} bytes")
        flat = np.frombuffer(content, dtype) if content else np.empty(0, dtype)
        return flat.reshape(shape, order="F" if fortran else "C")

    def _header(self, stream, name):
        """Shape, order and type of the array in `stream`. Refuses types with Python objects."""
        try:
            version = np.lib.format.read_magic(stream)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            with warnings.catch_warnings():
                # Python 2 wrote headers that are slower to read
                warnings.simplefilter("ignore", UserWarning)
                shape, fortran, dtype = read(stream)
        except (ValueError, KeyError) as e:
            raise self.refused(f"array {name} is damaged or no plain array: {e}") from None
        if dtype.hasobject:
            objects = "holds Python objects, which only a pickle could load; pickles are refused"
            cure = f"{name}={name}.astype({'float' if name.startswith('x') else 'str'})"
            raise self.refused(f"array {name} {objects}: save it with np.savez(…, {cure})")
        return shape, fortran, dtype

    def _pair(self, arrays, x_name, y_name):
        x, y = arrays[x_name], arrays[y_name]
        if x.dtype.kind not in "biuf":
            raise self.refused(f"array {x_name} holds {_type(x)} where numbers belong")
        if x.ndim < 2:
            wrong = f"array {x_name} has the shape {x.shape}"
            raise self.refused(f"{wrong}; it must be (n, features) or (n, height, width)")
        if x.size == 0:
            raise self.refused(f"array {x_name} is empty, its shape is {x.shape}")
        if y.shape != x.shape[:1]:
            wrong = f"array {y_name} has the shape {y.shape}"
            raise self.refused(
                f"{wrong}; it must be ({len(x)},), one label for each sample of {x_name}"
            )
        if y.dtype.kind == "S":
            y = np.char.decode(y, "utf-8", "replace")
        if y.dtype.kind not in "biufU":
            raise self.refused(
                f"array {y_name} holds {_type(y)}; labels must be whole numbers or words"
            )
        return x, y

    def example(self, folder):
        """Three clusters of 40 samples with 4 features, labelled with words."""
        from dataclasses import replace

        rng = np.random.default_rng(0)
        labels = np.arange(120) % 3
        x = rng.standard_normal((120, 4)) + 3 * np.eye(3, 4)[labels]
        np.savez(folder / "example.npz", x=x, y=np.array(["ant", "bee", "cat"])[labels])
        return replace(self, path=str(folder / "example.npz"))


def _what(start):
    if start == b"\x93NUMPY":
        return "a single .npy array, not an .npz file"
    if start[:1] == b"\x80":
        return "a pickle, which is never loaded, not an .npz file"
    return f"not an .npz file: it begins with the bytes {start.hex(' ')}"


def _type(array):
    return "text" if array.dtype.kind in "US" else str(array.dtype)
