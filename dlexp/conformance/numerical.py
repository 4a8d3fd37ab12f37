"""Gradients by differences, arrays that refuse float64, and field values to try."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np

from dlexp.core.arrays import Array
from dlexp.core.fields import Range
from dlexp.core.registry import Plugin

P = TypeVar("P", bound=Plugin)


def numerical_gradient(f: Callable[[], float], x: Array, h: float = 1e-6) -> Array:
    """∂f/∂x by central differences, in the shape of x, which is changed in place and put back."""
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        kept = x[i]
        x[i] = kept + h
        up = f()
        x[i] = kept - h
        gradient[i] = (up - f()) / (2 * h)
        x[i] = kept
    return gradient


def slope(f: Callable[[], float], x: Array, direction: Array, h: float = 1e-6) -> float:
    """The directional derivative of f along `direction` by central differences; x is put back."""
    kept = x.copy()
    x[...] = kept + h * direction
    up = f()
    x[...] = kept - h * direction
    down = f()
    x[...] = kept
    return (up - down) / (2 * h)


class Float32Only(np.ndarray):
    """An array that refuses float64 arithmetic, which would slow down every step."""

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **kwargs: Any
    ) -> Any:
        plain = [x.view(np.ndarray) if isinstance(x, Float32Only) else x for x in inputs]
        wide = [x for x in plain if getattr(x, "dtype", None) == np.float64]
        assert not wide, (
            f"np.{ufunc.__name__} gets a float64: write `x**0.5`, not `np.sqrt(x)`, for"
            " hyper-parameters, and make arrays with the dtype of the given ones"
        )
        if out is not None:
            kwargs["out"] = tuple(
                o.view(np.ndarray) if isinstance(o, Float32Only) else o for o in out
            )
        result = getattr(ufunc, method)(*plain, **kwargs)
        return result.view(Float32Only) if isinstance(result, np.ndarray) else result


# Values to try for a field of each type; the field's range says which are allowed.
TRIALS: dict[str, tuple[Any, ...]] = {
    "tuple": ((), (1,), (3, 2), (0,), (2, -1)),
    "float": (0.0, 0.05, 0.5, 0.9, 1.0, 3.0, -0.5, 1e9),
    "int": (1, 2, 3, 7, 0, -1),
    "str": ("no such word",),
}


def trials(p: Plugin) -> Iterator[tuple[str, Any, bool]]:
    """(field, value, allowed) for every field that declares a range."""
    for f in dataclasses.fields(p):  # type: ignore[arg-type]
        allowed: Range | None = f.metadata.get("range")
        if allowed is None:
            continue
        for value in next((values for word, values in TRIALS.items() if word in str(f.type)), ()):
            yield f.name, value, allowed.holds(value)


def variants(p: P) -> Iterator[P]:
    """The plugin itself, then with each field in turn at other values that its range allows."""
    yield p
    for name, value, allowed in trials(p):
        if allowed:
            yield dataclasses.replace(p, **{name: value})  # type: ignore[type-var]
