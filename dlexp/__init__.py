"""dlexp: a laboratory for techniques that train neural networks.

Plugin authors and notebooks use these names; nothing else is public.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from dlexp.errors import one_line

# `python -m dlexp` loads this file first; the memory may be too small for NumPy
if sys.argv[:1] == ["-m"]:
    sys.excepthook = one_line

from dlexp.core.arrays import (
    Array,
    Backward,
    Context,
    Param,
    Views,
    batch_sum,
    coin_tosses,
    constant,
)
from dlexp.core.dataset import Dataset, Split, proportional, stratified, three_way
from dlexp.core.experiment import Experiment
from dlexp.core.fields import (
    at_least,
    between,
    each_positive,
    fraction,
    non_negative,
    one_of,
    positive,
)
from dlexp.core.kinds import (
    KINDS,
    Activation,
    Data,
    Identity,
    Initializer,
    Layer,
    Model,
    Normalization,
    Objective,
    Observer,
    Optimizer,
    Regularizer,
    Schedule,
)
from dlexp.core.layers import Dense
from dlexp.core.loss import softmax_cross_entropy
from dlexp.core.network import Network
from dlexp.core.problem import Problem
from dlexp.core.records import Record
from dlexp.core.registry import plugin
from dlexp.core.surface import Surface
from dlexp.core.trainer import Diverged
from dlexp.data.download import fetch, read_idx
from dlexp.data.file_data import FileData
from dlexp.data.idx import IdxImages
from dlexp.data.synthetic import Synthetic
from dlexp.data.tables.table_data import TableData
from dlexp.errors import DataError, FieldError, PluginError, UserError

if TYPE_CHECKING:
    from dlexp import figures
    from dlexp.runs.run import Run

    __version__: str
else:

    def __getattr__(name: str) -> Any:
        """Import on demand what is slow to import."""
        if name == "figures":
            return importlib.import_module("dlexp.figures")
        if name == "Run":
            return importlib.import_module("dlexp.runs.run").Run
        if name == "__version__":
            from importlib.metadata import PackageNotFoundError, version

            try:
                return version("dlexp")
            except PackageNotFoundError:  # a checkout on sys.path that was never installed
                return "0+unknown"
        raise AttributeError(f"module 'dlexp' has no attribute {name!r}")


def run(*overrides: str, keep: bool = True) -> Run:
    """Do what `python -m dlexp <overrides>` does, and return the run.

    `dlexp.run("optimizer=adam", "seed=3").metrics["test/accuracy"]`. With `keep=False` nothing is
    written: no run folder, no figures, no MLflow. A diverged run is returned, with that `status`.
    Raises `UserError` for what the command line would refuse, and errors of the training.
    """
    from dlexp.runs.lifecycle import log, run_overrides

    run = run_overrides(overrides, keep=keep)
    for warning in run.dataset.notes.get("warnings", ()) if run.dataset else ():
        log.warning("%s", warning)
    return run


__all__ = [
    "Activation",
    "Array",
    "Backward",
    "Context",
    "Data",
    "DataError",
    "Dataset",
    "Dense",
    "Diverged",
    "Experiment",
    "FieldError",
    "FileData",
    "Identity",
    "IdxImages",
    "Initializer",
    "Layer",
    "Model",
    "Network",
    "Normalization",
    "Objective",
    "Observer",
    "Optimizer",
    "Param",
    "PluginError",
    "Problem",
    "Record",
    "Regularizer",
    "Run",
    "Schedule",
    "Split",
    "Surface",
    "Synthetic",
    "TableData",
    "UserError",
    "Views",
    "at_least",
    "batch_sum",
    "between",
    "coin_tosses",
    "constant",
    "each_positive",
    "fetch",
    "figures",
    "fraction",
    "non_negative",
    "one_of",
    "plugin",
    "positive",
    "proportional",
    "read_idx",
    "run",
    "softmax_cross_entropy",
    "stratified",
    "three_way",
]

# the class of a kind that is not named above
for _kind in KINDS.values():
    if _kind.__name__ not in __all__:
        globals()[_kind.__name__] = _kind
        __all__.append(_kind.__name__)
