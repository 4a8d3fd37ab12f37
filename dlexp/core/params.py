"""All numbers of a network in one flat vector, with a named view per array."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from dlexp.core.arrays import CACHE_LINE, Array, Param, Rebound, Views, aligned_zeros
from dlexp.errors import UserError

MOST = 2**28  # numbers: with their gradients and an optimizer's memory of them, 4 GiB or more
BLOCK = 131_072  # 512 KiB of float32: what a formula reads and writes stays in a cache of 4 MiB


class Parameters:
    """Weights first, then biases and scales, then buffers, so that each group is one slice.

    >>> p = Parameters({"dense1.W": Param((3, 2)), "dense1.b": Param((2,), start=0.0)})
    >>> p.values.shape, p["dense1.W"].shape, p.weights.shape
    ((8,), (3, 2), (6,))
    >>> p["dense1.b"][...] = 7
    >>> p.values[-2:]
    array([7., 7.], dtype=float32)

    Raises `UserError` for more than `MOST` numbers, and `Rebound` if one of its two vectors is
    replaced: the views would keep the old one.
    """

    storage: Array
    grads: Array

    def __init__(self, specs: Mapping[str, Param], dtype: Any = np.float32) -> None:
        self.specs = dict(sorted(specs.items(), key=lambda item: _rank(item[1])))
        ranks = [_rank(spec) for spec in self.specs.values()]
        sizes = [math.prod(spec.shape) for spec in self.specs.values()]
        if (n := sum(sizes)) > MOST:
            wrong = f"its network would have {n:,} numbers; {MOST:,} is the most"
            raise UserError(wrong, key="model")
        ends = np.cumsum(sizes).tolist()
        self.slices = {
            name: slice(end - n, end) for name, n, end in zip(self.specs, sizes, ends, strict=True)
        }
        self.n_weights = sum(n for n, rank in zip(sizes, ranks, strict=True) if rank == 0)
        self.n_trainable = sum(n for n, rank in zip(sizes, ranks, strict=True) if rank <= 1)
        self.storage = aligned_zeros(sum(sizes), dtype)
        self.grads = aligned_zeros(self.n_trainable, dtype)
        for name, spec in self.specs.items():
            if spec.start is not None:
                self[name][...] = spec.start

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("storage", "grads") and vars(self).get(name, value) is not value:
            raise Rebound("params", name)
        super().__setattr__(name, value)

    @property
    def values(self) -> Array:
        """All trainable parameters."""
        return self.storage[: self.n_trainable]

    @property
    def weights(self) -> Array:
        """All weights: what weight decay applies to."""
        return self.storage[: self.n_weights]

    @property
    def weight_grads(self) -> Array:
        """The gradients of `weights`."""
        return self.grads[: self.n_weights]

    @property
    def trainable(self) -> list[str]:
        """Names of the arrays that have a gradient."""
        return [name for name, spec in self.specs.items() if spec.trainable]

    def __getitem__(self, name: str) -> Array:
        return self.view(self.storage, name)

    def gradient(self, name: str) -> Array:
        """The gradient of the array `name`, in its shape."""
        return self.view(self.grads, name)

    def view(self, flat: Array, name: str) -> Array:
        """The slice of `flat` that belongs to `name`, in its own shape."""
        return flat[self.slices[name]].reshape(self.specs[name].shape, copy=False)

    def views(self, prefix: str) -> Views:
        """The arrays of one layer by short name: W, and dW for its gradient."""
        arrays = {}
        for name, spec in self.specs.items():
            owner, _, short = name.rpartition(".")
            if owner == prefix:
                arrays[short] = self[name]
                if spec.trainable:
                    arrays[f"d{short}"] = self.gradient(name)
        return Views(**arrays)

    def blocks(self) -> Iterator[slice]:
        """The trainable vector in cache-sized blocks, each aligned to a cache line."""
        n = -(-self.n_trainable // BLOCK)
        line = math.gcd(BLOCK, CACHE_LINE // self.storage.itemsize)
        size = -(-self.n_trainable // max(1, n * line)) * line or line  # of all but the last
        for start in range(0, self.n_trainable, size):
            yield slice(start, min(start + size, self.n_trainable))

    def non_finite_value(self, flat: Array | None = None) -> str:
        """The first array that holds a NaN or an infinity; empty if all are finite.

        `flat` may be another vector of the trainable size, such as an optimizer's running array.
        """
        flat = self.storage if flat is None else flat
        names = self.specs if flat is self.storage else self.trainable
        return next((name for name in names if not np.isfinite(self.view(flat, name)).all()), "")

    def overflowing_norm(self) -> str:
        """The first gradient whose Euclidean norm overflows; else the norm of all of them."""
        for name in self.trainable:
            if not np.isfinite(np.linalg.norm(self.gradient(name))):
                return f"the norm of ∂L/∂{name}"
        return "the gradient's norm"

    def non_finite(self) -> str:
        """The first array or gradient that holds a NaN or an infinity; empty if all are finite."""
        bad = (n for n in self.trainable if not np.isfinite(self.gradient(n)).all())
        return self.non_finite_value() or next((f"∂L/∂{name}" for name in bad), "")


def _rank(spec: Param) -> int:
    return 2 if not spec.trainable else 0 if spec.start is None else 1
