"""dlexp: a laboratory for the techniques that make neural networks train.

What a plugin author and a notebook need; nothing else is public.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from dlexp.datafiles import fetch, read_idx
from dlexp.dataset import Dataset, Split, proportional, stratified, three_way
from dlexp.errors import DataError, FieldError, PluginError, UserError
from dlexp.experiment import Experiment, Run
from dlexp.fields import at_least, between, each_positive, fraction, non_negative, one_of, positive
from dlexp.kinds import (
    Activation,
    Array,
    Backward,
    Context,
    Data,
    Identity,
    Initializer,
    Layer,
    Model,
    Normalization,
    Objective,
    Observer,
    Optimizer,
    Param,
    Regularizer,
    Schedule,
    Views,
)
from dlexp.layers import Dense
from dlexp.loss import softmax_cross_entropy
from dlexp.network import Network
from dlexp.problem import Problem
from dlexp.registry import plugin
from dlexp.surface import Surface
from dlexp.trainer import Record

try:
    __version__ = version("dlexp")
except PackageNotFoundError:  # a checkout on sys.path that was never installed
    __version__ = "0+unknown"


def run(*overrides: str, folder: str | None = None, **settings: Any) -> Run:
    """Train one experiment and return its run: `dlexp.run("optimizer=adam", "seed=3").metrics["test/accuracy"]`.

    Overrides are the command line's. `folder=None` keeps nothing on disk (no figures, no MLflow); a path writes
    the run folder there as the command does. Raises `UserError` for what the command line would refuse, and
    what the training raises.
    """
    from dlexp.lifecycle import run_overrides

    return run_overrides(overrides, folder=folder, **settings)


__all__ = [
    "Activation", "Array", "Backward", "Context", "Data", "DataError", "Dataset", "Dense", "Experiment", "FieldError",
    "Identity", "Initializer", "Layer", "Model", "Network", "Normalization", "Objective", "Observer", "Optimizer",
    "Param", "PluginError", "Problem", "Record", "Regularizer", "Run", "Schedule", "Split", "Surface", "UserError",
    "Views", "at_least", "between", "each_positive", "fetch", "fraction", "non_negative", "one_of", "plugin",
    "positive", "proportional", "read_idx", "run", "softmax_cross_entropy", "stratified", "three_way",
]  # fmt: skip
