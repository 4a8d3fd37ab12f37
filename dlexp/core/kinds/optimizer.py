"""How weights move."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import fields
from typing import Any, ClassVar, cast

from dlexp.core.arrays import Array, Views
from dlexp.core.kinds.declaration import kind
from dlexp.core.registry import Plugin


@kind(
    "optimizer",
    summary="how weights move",
    always_named=True,
    rank=80,
    name_rank=20,
    caption_rank=10,
)
class Optimizer(Plugin):
    """Moves parameters one step downhill, in place.

    `update` sees a contiguous block `w` of the flat parameter vector, its gradient `g`, the same
    block of each running array named in `slots` as `s.<slot>`, the scheduled learning rate `lr` and
    the step number t = 1, 2, … Slots start at zero; a NaN or an infinity in them means that the run
    diverged. An optimizer that needs whole arrays (norms, matrix roots) sets `per_tensor`
    and sees one named array at a time, in its own shape. Write `x**0.5`, not `np.sqrt(x)`, for
    hyper-parameters: a NumPy float64 scalar turns float32 arrays into float64.
    """

    slots: ClassVar[tuple[str, ...]] = ()
    per_tensor: ClassVar[bool] = False
    lr: float

    @classmethod
    def misdeclared(cls) -> str:
        names = {f.name for f in fields(cast("Any", cls))}
        return "" if "lr" in names else "has no field lr: write lr: float = 0.1"

    @abstractmethod
    def update(self, w: Array, g: Array, s: Views, lr: float, t: int) -> None:
        """Change `w` (and the slots in `s`) in place."""
