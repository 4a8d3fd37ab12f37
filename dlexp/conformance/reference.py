"""Reference trajectories: recorded results of another implementation.

A reference is a file `<folder>/<kind>/<name>.npz`, or `<name>-<variant>.npz` for more than one, of
plain arrays (no pickle). `about`, a JSON text, has the keys `source` (which implementation, which
version), `fields` (the plugin's hyper-parameters) and `rtol` (how closely they agree, relative to
the array's largest number). The arrays:

optimizer: gradients (steps, …), lr (steps,), weights (steps + 1, …), the first being the start.
activation, normalization: x, y, dy, dx (steps, batch, features), one training pass each; for each
    array of the layer `start_<array>`, its first value; for each trainable one `d_<array>` (steps,
    …), its gradient; for each buffer `after_<array>` (steps, …), its value after the pass; eval_x
    and eval_y for evaluation after the last.
initializer: shapes (k, 2), each fan_in and fan_out; the standard deviations std (k,).
schedule: total (), factors (total,).
regularizer: w (n,); value () and gradient (n,) of its penalty; lr () and shrunk (n,) of shrink.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import SkipTest

import numpy as np

from dlexp.core import registry
from dlexp.core.arrays import Array
from dlexp.core.registry import Plugin


@dataclass(frozen=True)
class Reference:
    """One file: its description, the plugin with the same hyper-parameters, its arrays by name."""

    path: Path
    about: dict[str, Any]
    plugin: Plugin
    arrays: dict[str, Array]

    def __getitem__(self, name: str) -> Array:
        assert name in self.arrays, (
            f"{self.path} has no array {name!r}; it has {', '.join(self.arrays)}"
        )
        return self.arrays[name]

    def agrees(self, actual: Any, expected: Array, what: str) -> None:
        """Raise `AssertionError` if `actual` differs from `expected` by more than `rtol`."""
        far = float(np.max(np.abs(np.asarray(actual) - expected), initial=0.0))
        scale = float(np.max(np.abs(expected), initial=1e-30))
        assert far <= self.about["rtol"] * scale, (
            f"{what} differ from {self.about['source']} by {far / scale:.1e} of the largest, more"
            f" than {self.about['rtol']:.0e} ({self.path.name}): compare the formula with the"
            " source's"
        )


def of(p: Plugin, folder: Path | None) -> Iterator[Reference]:
    """The references of a plugin. Raises `SkipTest` where there is none."""
    if folder is None:
        raise SkipTest(
            "no folder of references is given: parametrize_with_checks(references=<folder>)"
        )
    files = sorted(
        [*folder.glob(f"{p.kind}/{p.name}.npz"), *folder.glob(f"{p.kind}/{p.name}-*.npz")]
    )
    if not files:
        raise SkipTest(f"no reference: there is no file {folder.name}/{p.kind}/{p.name}.npz")
    for path in files:
        about, arrays = read(path)
        yield Reference(
            path, about, registry.from_dict(p.kind, {"name": p.name, **about["fields"]}), arrays
        )


def read(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """The description and the arrays of a file."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return json.loads(str(arrays.pop("about"))), arrays
