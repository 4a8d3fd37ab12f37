"""The kinds of plugin, one file each: their classes, and what the framework knows of them.

To add a kind: a file here, its checks in `dlexp/conformance/<kind>.py`, and a line in
`conf/config.yaml`. Shapes: activations are (batch, features), weights (in, out), biases and scales
(n,), as in the textbook.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from dlexp.core.kinds.activation import Activation
from dlexp.core.kinds.data import Data
from dlexp.core.kinds.declaration import Kind, every, find, key_of
from dlexp.core.kinds.initializer import Initializer
from dlexp.core.kinds.layer import Identity, Layer
from dlexp.core.kinds.model import Model
from dlexp.core.kinds.normalization import Normalization
from dlexp.core.kinds.objective import OUTPUTS, Objective
from dlexp.core.kinds.observer import NEEDS, Observer
from dlexp.core.kinds.optimizer import Optimizer
from dlexp.core.kinds.regularizer import Regularizer
from dlexp.core.kinds.schedule import Schedule
from dlexp.core.registry import Plugin

for _file in sorted(Path(__file__).parent.iterdir()):  # a kind need not be named above
    if _file.suffix == ".py" and _file.stem != "__init__":
        import_module(f"{__name__}.{_file.stem}")

KINDS: dict[str, type[Plugin]] = {k.name: k.cls for k in every()}
MANY = tuple(k.name for k in every() if k.many)

__all__ = [
    "KINDS",
    "MANY",
    "NEEDS",
    "OUTPUTS",
    "Activation",
    "Data",
    "Identity",
    "Initializer",
    "Kind",
    "Layer",
    "Model",
    "Normalization",
    "Objective",
    "Observer",
    "Optimizer",
    "Regularizer",
    "Schedule",
    "every",
    "find",
    "key_of",
]
