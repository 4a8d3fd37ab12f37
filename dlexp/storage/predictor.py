"""A trained network as an MLflow model: it predicts what its objective declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from dlexp.core.arrays import Array, Context
from dlexp.core.kinds.objective import OUTPUTS
from dlexp.core.loss import log_softmax
from dlexp.core.network import Network
from dlexp.data.tables.preparation import Preparation
from dlexp.errors import DataError

CHUNK = 1000  # samples at a time, as in evaluation
ANSWERS = {  # what can be predicted, by the network's output; the first is the default
    "softmax": ("probabilities", "labels"),
    "sigmoid": ("probabilities", "labels"),
    "identity": ("values",),
}


class Predictor:
    """A network as an MLflow model: `predict(data)`.

    Data are (n, features) numbers, as an array, a DataFrame or lists; they are rounded to the
    network's own type. A network that was trained on a table also takes the raw table: a DataFrame
    with its columns, in any order.
    """

    def __init__(
        self,
        network: Network,
        classes: Sequence[str | int] | None = None,
        output: str = OUTPUTS[0],
        preparation: Preparation | None = None,
    ) -> None:
        self.network, self.classes = network, None if classes is None else np.asarray(classes)
        self.output, self.preparation = output, preparation

    def predict(self, data: Any, params: Mapping[str, Any] | None = None) -> Array:
        """The outputs for each sample, or the labels with `params={"output": "labels"}`.

        softmax: probabilities (n, classes); the label (n,) is the most probable class, by name if
        it has one, else by number. sigmoid: probabilities (n, outputs); a label (n, outputs) is 1
        if the probability is at least one half, else 0. identity: values (n, outputs), no labels.
        Raises `DataError` for data of another shape or without numbers.
        """
        known = ANSWERS[self.output]
        wanted = (params or {}).get("output", known[0])
        if wanted not in known:
            wrong = "there is no such output"
            raise DataError(wrong, key="output", value=wanted, allowed=", ".join(known))
        z = self._outputs(data)
        if self.output == "identity":
            return z
        if self.output == "sigmoid":
            return (z >= 0).astype(np.int64) if wanted == "labels" else np.exp(-np.logaddexp(0, -z))
        log_p = log_softmax(z)
        if wanted == "probabilities":
            return cast("Array", np.exp(log_p))
        labels = log_p.argmax(axis=1)
        return labels if self.classes is None else cast("Array", self.classes[labels])

    def _outputs(self, data: Any) -> Array:
        """The outputs of the last layer."""
        n_in, dtype = self.network.n_in, self.network.params.storage.dtype
        if self.preparation is not None and self.preparation.fits(data):
            data = self.preparation(data)
        try:
            x = np.asarray(data, dtype)
        except (TypeError, ValueError) as e:
            raise DataError(f"the data cannot be used: {e}") from None
        if x.ndim != 2 or x.shape[1] != n_in:
            raise DataError(f"the data have the shape {x.shape}, the network takes (n, {n_in})")
        context = Context(training=False, rng=np.random.default_rng(0))
        parts = (
            self.network.forward(x[i : i + CHUNK], context)[0] for i in range(0, len(x), CHUNK)
        )
        return np.concatenate([np.empty((0, self.network.n_out), dtype), *parts])
