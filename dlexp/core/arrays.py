"""Arrays with names, and helpers for the formulas of layers and optimizers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Rng = np.random.Generator
Backward = Callable[[Array], Array]
CACHE_LINE = 64  # bytes
# smaller numbers do not move a weight; as denormal numbers they are many times slower in float32
NEGLIGIBLE = 1e-30


@dataclass(frozen=True)
class Param:
    """One array of a layer.

    With `start=None` it is a weight: the initializer draws it, weight decay applies to it. A number
    fills a bias, a scale or a buffer. An array that is not `trainable` (running averages) has no
    gradient, and the optimizer does not change it.
    """

    shape: tuple[int, ...]
    start: float | None = None
    trainable: bool = True


class Rebound(AttributeError):
    """A declared array was rebound: checkpoints and optimizers would not see the new one."""

    def __init__(self, owner: str, name: str) -> None:
        wrong = f"{owner}.{name} is a declared array and cannot be bound to another one"
        super().__init__(f"{wrong}: write its numbers in place, {owner}.{name}[...] = …")


class Views(SimpleNamespace):
    """Arrays by short name: `p.W` and its gradient `p.dW` for a layer.

    The declared arrays are views of a flat vector: `p.mean[...] = x` and `p.mean += x` write them,
    `p.mean = x` raises `Rebound`. Other attributes are free.
    """

    __slots__ = ("_declared",)  # not in `vars`, which are the arrays
    owner = "p"

    def __init__(self, **arrays: Array) -> None:
        super().__init__(**arrays)
        object.__setattr__(self, "_declared", frozenset(arrays))

    def __getattr__(self, name: str) -> Any:
        known = ", ".join(vars(self)) or "none"
        raise AttributeError(f"there is no array {name!r} here; there are {known}")

    def __setattr__(self, name: str, value: Any) -> None:
        arrays = self.__dict__
        if arrays.get(name, arrays) is value:  # `+=` assigns the array that is there
            return
        if name not in self._declared:
            arrays[name] = value
        elif not _same_memory(arrays[name], value):
            raise Rebound(self.owner, name)

    def __delattr__(self, name: str) -> None:
        if name in self._declared:
            raise Rebound(self.owner, name)
        super().__delattr__(name)

    # a copy holds copies of the arrays, which belong to no network
    def __reduce__(self) -> tuple[Any, ...]:
        return SimpleNamespace, (), vars(self)


def _same_memory(a: Array, b: Any) -> bool:
    """Whether b is a view of all of a: `+=` gives one for a subclass of NumPy's arrays."""
    return isinstance(b, np.ndarray) and a.__array_interface__ == b.__array_interface__


class Slots(Views):
    """The running arrays of an optimizer: `s.m` and `s.v`."""

    __slots__ = ()
    owner = "s"


@dataclass(frozen=True)
class Context:
    """What a layer may know when it is called; `rng` is the run's noise stream.

    `input_is_data` marks the first layer: the gradient of the data is not used, so its backward may
    return anything.
    """

    training: bool
    rng: Rng
    input_is_data: bool = False


def aligned_zeros(n: int, dtype: Any) -> Array:
    """A vector of n zeros, aligned to a cache line for vector instructions."""
    more = CACHE_LINE // np.dtype(dtype).itemsize
    vector: Array = np.zeros(n + more, dtype)
    first = -vector.__array_interface__["data"][0] % CACHE_LINE // vector.itemsize
    return vector[first : first + n]


@lru_cache(maxsize=32)  # a step needs the same few again and again
def constant(value: float, shape: int | tuple[int, ...], dtype: Any) -> Array:
    """A shared, read-only array of one value; the last 32 are cached.

    NumPy takes two arrays up to three times as fast as an array and a number, where its loops are
    vectorized for the former only: `np.maximum(x, constant(0, x.shape, x.dtype))`.
    """
    array: Array = np.full(shape, value, dtype)
    array.flags.writeable = False
    return array.view()  # whose owner cannot be made writable again


def batch_sum(a: Array, out: Array | None = None) -> Array:
    """Σ over the batch: (batch, n) → (n,). `out` must be contiguous and of a's type.

    For floats only. A product with ones takes a third of the time of a sum. Raises `ValueError`
    for another `out`.

    >>> batch_sum(np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([4., 6.])
    """
    total: Array = np.dot(constant(1, len(a), a.dtype), a, out=out)
    return total


def coin_tosses(rng: Rng, shape: tuple[int, ...], p: float) -> Array:
    """Independent truth values, each true with probability p (to within 2⁻¹⁷: 16 random bits)."""
    n = math.prod(shape)
    bits = rng.bit_generator.random_raw(-(-n // 4)).view(np.uint16)[:n]
    return (bits < round(p * 2**16)).reshape(shape)
