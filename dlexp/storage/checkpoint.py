"""A run's state as a file: atomic, with checksums, without pickle.

checkpoints/last.npz    where training continues: one `.npy` per array, and beside them
    state.json          the tree of values, with the SHA-256 of each array
checkpoints/best.npz    the best network so far, by validation (`dlexp.load_network`)
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
    """How often a run's state is saved: by epochs, by seconds; None: not.

    An interrupted run always saves it. A killed run loses only the time since the last save.
    """

    epochs: int | None = at_least(1, default("checkpoint.epochs"))
    seconds: float | None = positive(default("checkpoint.seconds"))

    def __post_init__(self) -> None:
        check_fields(self)


def save(path: Path, tree: Mapping[str, Any]) -> None:
    """Write a tree of dicts, lists, tuples, namespaces, plain values and arrays; flush it to disk.

    The same tree gives the same bytes. Raises `TypeError` for other values, naming their place, and
    `OSError` if it cannot be written; the file is then unchanged.
    """
    arrays: dict[str, Array] = {}
    root = _to_json(tree, "", arrays)
    packed = {name: _bytes(array) for name, array in arrays.items()}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in packed.items()}
    text = json.dumps({"format": FORMAT, "tree": root, "sha256": digests})
    seal = hashlib.sha256(text.encode()).hexdigest()
    with staged(path, sync=True) as file, zipfile.ZipFile(file, "w") as archive:
        for name, data in packed.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), data)
        archive.writestr(zipfile.ZipInfo(STATE), text)
        archive.writestr(zipfile.ZipInfo("sha256"), seal)


def load(path: Path) -> dict[str, Any]:
    """The tree saved at `path`. Raises `FileNotFoundError`, and `DataError` if it is damaged."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            size = os.fstat(file.fileno()).st_size
            check_archive(archive, size)
            text = archive.read(STATE)
            if hashlib.sha256(text).hexdigest().encode() != archive.read("sha256"):
                raise ValueError(f"{STATE} does not have its SHA-256")
            state = json.loads(text)
            if state["format"] != FORMAT:
                raise ValueError(f"format {state['format']}, and this dlexp reads {FORMAT}")
            arrays = {
                name: _array(archive, name, digest) for name, digest in state["sha256"].items()
            }
        tree: dict[str, Any] = _from_json(state["tree"], arrays)
        return tree
    except FileNotFoundError:
        raise
    except DAMAGE as e:
        raise DataError(f"the checkpoint cannot be read: {e}", key=str(path)) from None


def is_data(value: Any) -> bool:
    """Whether `save` accepts it.

    >>> is_data({"seen": [1, (2.5, None)]}), is_data({"bar": object()})
    (True, False)
    """
    try:
        _to_json(value, "", {})
    except TypeError:
        return False
    return True


def _bytes(array: Array) -> bytes:
    file = io.BytesIO()
    npy.write_array(file, np.asarray(array), allow_pickle=False)
    return file.getvalue()


def _array(archive: zipfile.ZipFile, name: str, digest: str) -> Array:
    """One array, checked by its SHA-256."""
    data = archive.read(f"{name}.npy")
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{name} does not have its SHA-256")
    return unpacked(data, name)


def _to_json(value: Any, where: str, arrays: dict[str, Array]) -> Any:
    """A value as JSON: plain values unchanged, others as an object with one key, their type."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (np.ndarray, np.generic)) and not value.dtype.hasobject:
        name = f"a{len(arrays)}"
        arrays[name] = np.asarray(value)
        return {"scalar" if isinstance(value, np.generic) else "array": name}
    if type(value) is list:
        return [_to_json(v, f"{where}[{i}]", arrays) for i, v in enumerate(value)]
    if type(value) is tuple:
        return {"tuple": [_to_json(v, f"{where}[{i}]", arrays) for i, v in enumerate(value)]}
    if type(value) is SimpleNamespace:
        return {"namespace": _pairs(vars(value), where, arrays)}
    if type(value) is dict:
        return {"dict": _pairs(value, where, arrays)}
    what = f"{where.strip('.') or 'it'} is {type(value).__name__}"
    raise TypeError(f"{what}: no plain value, array, list, tuple or dict")


def _pairs(held: Mapping[Any, Any], where: str, arrays: dict[str, Array]) -> list[list[Any]]:
    return [
        [_to_json(k, where, arrays), _to_json(v, f"{where}.{k}", arrays)] for k, v in held.items()
    ]


def _from_json(value: Any, arrays: Mapping[str, Array]) -> Any:
    """Inverse of `_to_json`."""
    if isinstance(value, list):
        return [_from_json(v, arrays) for v in value]
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind in ("array", "scalar"):
        return arrays[inner] if kind == "array" else arrays[inner][()]
    if kind == "tuple":
        return tuple(_from_json(v, arrays) for v in inner)
    pairs = {_from_json(k, arrays): _from_json(v, arrays) for k, v in inner}
    return SimpleNamespace(**pairs) if kind == "namespace" else pairs
