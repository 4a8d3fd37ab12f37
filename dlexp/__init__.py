"""dlexp: a laboratory for the techniques that make neural networks train.

What a plugin author and a notebook need; nothing else is public.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from dlexp.errors import one_line

if sys.argv[:1] == ["-m"]:  # `python -m dlexp`, which loads this file first: memory may not do for NumPy
    sys.excepthook = one_line

from dlexp.arrays import Array, Backward, Context, Param, Views, batch_sum, coin_tosses, constant
from dlexp.datafiles import fetch, read_idx
from dlexp.dataset import Dataset, Split, proportional, stratified, three_way
from dlexp.errors import DataError, FieldError, PluginError, UserError
from dlexp.experiment import Experiment, Run
from dlexp.fields import at_least, between, each_positive, fraction, non_negative, one_of, positive
from dlexp.filedata import FileData
from dlexp.idx import IdxImages
from dlexp.kinds import (
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
from dlexp.layers import Dense
from dlexp.loss import softmax_cross_entropy
from dlexp.network import Network
from dlexp.problem import Problem
from dlexp.registry import plugin
from dlexp.surface import Surface
from dlexp.synthetic import Synthetic
from dlexp.tabledata import TableData
from dlexp.trainer import Diverged, Record

if TYPE_CHECKING:
    from dlexp import figures

    __version__: str
else:

    def __getattr__(name: str) -> Any:
        """What takes its time to import, when somebody asks for it."""
        if name == "figures":
            return importlib.import_module("dlexp.figures")
        if name == "__version__":
            from importlib.metadata import PackageNotFoundError, version

            try:
                return version("dlexp")
            except PackageNotFoundError:  # a checkout on sys.path that was never installed
                return "0+unknown"
        raise AttributeError(f"module 'dlexp' has no attribute {name!r}")


def run(*overrides: str, keep: bool = True) -> Run:
    """Do what `python -m dlexp <overrides>` does and return the run: its config, records, metrics, network, folder.

    `dlexp.run("optimizer=adam", "seed=3").metrics["test/accuracy"]`. With `keep=False` nothing is written: no run
    folder, no figures, no MLflow. A diverged run is returned, its `status` says so. Raises `UserError` for what the
    command line would refuse, and whatever the training raises.
    """
    from dlexp.lifecycle import log, run_overrides

    made = run_overrides(overrides, keep=keep)
    for warning in made.dataset.notes.get("warnings", ()) if made.dataset else ():
        log.warning("%s", warning)
    return made


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
]  # fmt: skip
