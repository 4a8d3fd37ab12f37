"""A run's state as a file: old or new, never half; checksummed, without pickle, its sizes known
before it is read.

checkpoints/last.npz    where training goes on: one `.npy` per array, and beside them
    state.json          the tree they hang in, with the SHA-256 of each
checkpoints/best.npz    the network at its best validation so far (`dlexp.load_network`)
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.lib import format as npy

from dlexp.core.arrays import Array
from dlexp.core.defaults import default
from dlexp.core.fields import at_least, check_fields, positive
from dlexp.errors import DataError
from dlexp.storage.archives import DAMAGE, check_archive, unpacked
from dlexp.storage.atomic import staged

FOLDER, LAST, BEST = "checkpoints", "last.npz", "best.npz"
STATE = "state.json"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Checkpointing:
    """How often a run's state is saved: every so many epochs, every so many seconds; None: not so.

    An interrupted run saves it in any case. A killed run loses the time since, and nothing else.
    """

    epochs: int | None = at_least(1, default("checkpoint.epochs"))
    seconds: float | None = positive(default("checkpoint.seconds"))

    def __post_init__(self) -> None:
        check_fields(self)


def save(path: Path, tree: Mapping[str, Any]) -> None:
    """Write a tree of dicts, lists, tuples, namespaces, plain values and arrays, and see it on the
    disk.

    The same tree gives the same bytes. Raises `TypeError` for anything else in it, naming where,
    and `OSError` where it cannot be written; what stood there before then stands there still.
    """
    arrays: dict[str, Array] = {}
    told = _told(tree, "", arrays)
    packed = {name: _bytes(array) for name, array in arrays.items()}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in packed.items()}
    text = json.dumps({"format": FORMAT, "tree": told, "sha256": digests})
    seal = hashlib.sha256(text.encode()).hexdigest()
    with staged(path, sync=True) as file, zipfile.ZipFile(file, "w") as archive:
        for name, data in packed.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), data)
        archive.writestr(zipfile.ZipInfo(STATE), text)
        archive.writestr(zipfile.ZipInfo("sha256"), seal)


def load(path: Path) -> dict[str, Any]:
    """The tree saved at `path`, to the bit. Raises `FileNotFoundError`, and `DataError` for what is
    damaged or none.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            size = os.fstat(file.fileno()).st_size
            check_archive(archive, size)
            text = archive.read(STATE)
            if hashlib.sha256(text).hexdigest().encode() != archive.read("sha256"):
                raise ValueError(f"{STATE} does not have its SHA-256")
            told = json.loads(text)
            if told["format"] != FORMAT:
                raise ValueError(f"format {told['format']}, and this dlexp reads {FORMAT}")
            arrays = {
                name: _array(archive, name, digest) for name, digest in told["sha256"].items()
            }
        tree: dict[str, Any] = _made(told["tree"], arrays)
        return tree
    except FileNotFoundError:
        raise
    except DAMAGE as e:
        raise DataError(f"the checkpoint cannot be read: {e}", key=str(path)) from None


def is_data(value: Any) -> bool:
    """Whether `save` would take it.

    >>> is_data({"seen": [1, (2.5, None)]}), is_data({"bar": object()})
    (True, False)
    """
    try:
        _told(value, "", {})
    except TypeError:
        return False
    return True


def _bytes(array: Array) -> bytes:
    file = io.BytesIO()
    npy.write_array(file, np.asarray(array), allow_pickle=False)
    return file.getvalue()


def _array(archive: zipfile.ZipFile, name: str, digest: str) -> Array:
    """One array, with its SHA-256."""
    data = archive.read(f"{name}.npy")
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{name} does not have its SHA-256")
    return unpacked(data, name)


def _told(value: Any, where: str, arrays: dict[str, Array]) -> Any:
    """A value as JSON can say it: plain ones as they are, others as an object with one key that
    says what they are.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (np.ndarray, np.generic)) and not value.dtype.hasobject:
        name = f"a{len(arrays)}"
        arrays[name] = np.asarray(value)
        return {"scalar" if isinstance(value, np.generic) else "array": name}
    if type(value) is list:
        return [_told(v, f"{where}[{i}]", arrays) for i, v in enumerate(value)]
    if type(value) is tuple:
        return {"tuple": [_told(v, f"{where}[{i}]", arrays) for i, v in enumerate(value)]}
    if type(value) is SimpleNamespace:
        return {"namespace": _pairs(vars(value), where, arrays)}
    if type(value) is dict:
        return {"dict": _pairs(value, where, arrays)}
    raise TypeError(
        f"{where.strip('.') or 'it'} is {type(value).__name__}: no plain value, array, list, tuple"
        " or dict"
    )


def _pairs(held: Mapping[Any, Any], where: str, arrays: dict[str, Array]) -> list[list[Any]]:
    return [[_told(k, where, arrays), _told(v, f"{where}.{k}", arrays)] for k, v in held.items()]


def _made(told: Any, arrays: Mapping[str, Array]) -> Any:
    """Inverse of `_told`."""
    if isinstance(told, list):
        return [_made(v, arrays) for v in told]
    if not isinstance(told, dict):
        return told
    ((what, held),) = told.items()
    if what in ("array", "scalar"):
        return arrays[held] if what == "array" else arrays[held][()]
    if what == "tuple":
        return tuple(_made(v, arrays) for v in held)
    pairs = {_made(k, arrays): _made(v, arrays) for k, v in held}
    return SimpleNamespace(**pairs) if what == "namespace" else pairs
