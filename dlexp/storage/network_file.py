"""A trained network as a file without pickle: saved, loaded, and served through MLflow.

network.npz     a plain .npz with the network's arrays (`dense1.W`, …), and in the same archive
network.json    the layers, so that the network can be built again
table.json      for a network trained on a table: how the table's columns become inputs

The file names plugins and has no code: loading a network needs dlexp and its plugins (the user's
are found by `DLEXP_PLUGINS`). Imports no MLflow.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from dlexp.core import registry
from dlexp.core.arrays import Array
from dlexp.core.dataset import Dataset
from dlexp.core.kinds.layer import Layer
from dlexp.core.kinds.objective import OUTPUTS
from dlexp.core.layers import Dense
from dlexp.core.network import Network
from dlexp.data.tables.preparation import Preparation
from dlexp.errors import DataError, FieldError, PluginError
from dlexp.plugins import discovery
from dlexp.storage.archives import DAMAGE, check_archive
from dlexp.storage.atomic import staged
from dlexp.storage.predictor import Predictor

DESCRIPTION = "network.json"
FORMAT = 1
LONGEST = 1 << 20  # bytes of a description: enough for the layers of any network


def save_network(
    path: Path,
    network: Network,
    classes: Sequence[str | int] | None = None,
    output: str = OUTPUTS[0],
    dataset: Dataset | None = None,
) -> None:
    """Write a network to `path` atomically. The same network gives the same bytes.

    `classes` are the names of the outputs, if any; `output` is what the objective declares. For a
    `dataset` that was a table, the file keeps how its columns became inputs, and its classes.
    Raises `PluginError` for a layer that is no registered plugin, since a file cannot name it, and
    `OSError` if the file cannot be written.
    """
    preparation = dataset.preparation if dataset is not None else None
    if classes is None and preparation is not None and len(preparation.classes) == network.n_out:
        # otherwise the outputs are not the classes: one for two classes, or a regression
        classes = preparation.classes
    if classes is not None and len(classes) != network.n_out:
        raise ValueError(f"{len(classes)} names for {network.n_out} outputs")
    description = {
        "format": FORMAT,
        "n_in": network.n_in,
        "n_out": network.n_out,
        "dtype": network.params.storage.dtype.name,
        "classes": list(classes) if classes is not None else None,
        "output": output,
        "layers": [_layer_data(layer) for layer in network.layers],
    }
    with staged(path, sync=True) as file, zipfile.ZipFile(file, "w") as archive:
        # ZipInfo: without the time of day
        archive.writestr(zipfile.ZipInfo(DESCRIPTION), json.dumps(description, indent=1))
        if preparation is not None:
            preparation.write(archive)
        for name in network.params.specs:
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                npy.write_array(entry, network.params[name], allow_pickle=False)


def load_network(path: Path) -> Network:
    """The network saved at `path`; sizes are checked against the file before anything is allocated.

    Raises `DataError` for a file that is missing, damaged or no network, `PluginError` for an
    unknown plugin.
    """
    discovery.discover()
    with _errors_about(path), zipfile.ZipFile(path) as archive:
        check_archive(archive, path.stat().st_size)
        description = _description(archive)
        layers = [_layer(entry) for entry in description["layers"]]
        dtype = np.dtype(description["dtype"])
        needed = _size(layers, description["n_in"]) * dtype.itemsize
        if needed > path.stat().st_size:
            wrong = f"it declares {needed} bytes of numbers and has {path.stat().st_size} in all"
            raise DataError(wrong)
        network = Network(layers, description["n_in"], dtype)
        if network.n_out != description["n_out"]:
            raise DataError(f"its layers have {network.n_out} outputs, not {description['n_out']}")
        for name, spec in network.params.specs.items():
            network.params[name][...] = _array(archive, name, spec.shape, dtype)
    return network


def describe(path: Path) -> dict[str, Any]:
    """The description in a network's file: `n_in`, `n_out`, `dtype`, `classes`, `output`, `layers`.

    Raises `DataError` as `load_network` does.
    """
    with _errors_about(path), zipfile.ZipFile(path) as archive:
        check_archive(archive, path.stat().st_size)
        return _description(archive)


def load_preparation(path: Path) -> Preparation | None:
    """How a table becomes the network's input; None for a network that was not trained on a table.

    Raises `DataError` as `load_network` does.
    """
    with _errors_about(path), zipfile.ZipFile(path) as archive:
        check_archive(archive, path.stat().st_size)
        return Preparation.read(archive, _description(archive)["n_in"])


def _load_pyfunc(data_path: str) -> Predictor:
    """What MLflow calls to load a model logged by dlexp."""
    path = Path(data_path)
    description = describe(path)
    classes, output = description["classes"], description["output"]
    return Predictor(load_network(path), classes, output, load_preparation(path))


def _layer_data(layer: Layer) -> dict[str, Any]:
    """A layer as plain data. Dense is no plugin, and known by its name."""
    if type(layer) is not Dense and type(layer) not in registry.every(layer.kind):
        wrong = f"{type(layer).__qualname__} is no registered plugin, so a file cannot name it"
        raise PluginError(f"{wrong}: write @plugin above it")
    fields = registry.as_dict(layer)
    return {"kind": layer.kind, "name": fields.pop("name"), "fields": fields}


def _layer(data: Mapping[str, Any]) -> Layer:
    """Inverse of `_layer_data`."""
    kind, name, fields = str(data["kind"]), str(data["name"]), dict(data["fields"])
    try:
        cls = Dense if (kind, name) == (Dense.kind, Dense.name) else registry.find(kind, name)
    except PluginError as e:
        wrong = f"{e.message}; if it is your own, DLEXP_PLUGINS says in which folder to look"
        raise PluginError(wrong, key=e.key, value=e.value, allowed=e.allowed, hint=e.hint) from None
    layer = cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})
    if not isinstance(layer, Layer):
        raise DataError(f"{kind} {name} is no layer")
    return layer


@contextmanager
def _errors_about(path: Path) -> Iterator[None]:
    """Inside, errors become one line about the file."""
    try:
        yield
    except PluginError:
        raise
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except (DataError, FieldError) as e:
        raise DataError(f"{path} cannot be used as a network: {e}") from None
    except DAMAGE as e:
        wrong = f"{path} is damaged or no network saved by dlexp: {type(e).__name__}: {e}"
        raise DataError(wrong) from None


def _description(archive: zipfile.ZipFile) -> dict[str, Any]:
    with archive.open(DESCRIPTION) as entry:
        text = entry.read(LONGEST + 1)
    if len(text) > LONGEST:
        raise DataError(f"its description is longer than {LONGEST} bytes")
    description: dict[str, Any] = json.loads(text)
    if description["format"] != FORMAT:
        wrong = f"it has format {description['format']}; this version of dlexp reads {FORMAT}"
        raise DataError(wrong)
    if description["dtype"] not in ("float32", "float64"):
        raise DataError(f"its numbers are of type {description['dtype']}, not float32 or float64")
    # older files do not have it
    description.setdefault("output", OUTPUTS[0])
    if description["output"] not in OUTPUTS:
        raise DataError(f"its output is {description['output']!r:.60}, not {' or '.join(OUTPUTS)}")
    for size in ("n_in", "n_out"):
        if type(description[size]) is not int or description[size] < 1:
            raise DataError(f"{size} is {description[size]}, not a whole number from 1")
    classes, n_out = description["classes"], description["n_out"]
    if classes is not None and len(classes) != n_out:
        raise DataError(f"it names {len(classes)} classes for {n_out} outputs")
    return description


def _size(layers: Sequence[Layer], n: int) -> int:
    """How many numbers the layers own, given n inputs; nothing is allocated."""
    total = 0
    for layer in layers:
        total += sum(math.prod(spec.shape) for spec in layer.arrays(n).values())
        n = layer.width(n)
    return total


def _array(
    archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array:
    """One array, read up to its declared size; the archive's checksum is verified."""
    with archive.open(f"{name}.npy") as entry:
        expected = (shape, False, dtype)
        if npy.read_magic(entry) != (1, 0) or npy.read_array_header_1_0(entry) != expected:
            wrong = f"{name} is not the {dtype.name} array of shape {shape} that the layers need"
            raise DataError(wrong)
        size = math.prod(shape) * dtype.itemsize
        numbers = entry.read(size)
        if len(numbers) != size or entry.read(1):
            raise DataError(f"{name} is not {size} bytes long")
    return np.frombuffer(numbers, dtype).reshape(shape)
