"""What is minimised."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from dlexp.core import directions
from dlexp.core.arrays import Rng
from dlexp.core.kinds.declaration import kind
from dlexp.core.registry import Plugin

if TYPE_CHECKING:
    from dlexp.core.parts import Parts
    from dlexp.core.problem import Problem

OUTPUTS = ("softmax", "sigmoid", "identity")  # the values of `output`


@kind(
    "objective",
    summary="what is minimised: a classification task, or a surface f(x, y)",
    task=True,
    checks=("objective", "surface"),
    rank=10,
    name_rank=10,
)
class Objective(Plugin):
    """What is minimised: a classification task, or a surface f(x, y).

    `ignores` names the kinds and settings that do not apply to it: choosing one explicitly is an
    error. `output` says what a saved network does with its outputs z: "softmax" (zₖ ↦ exp zₖ /
    Σⱼ exp zⱼ), "sigmoid" (each zₖ ↦ 1 / (1 + exp −zₖ)) or "identity" (z, as in regression).
    `better` declares the direction of its metrics, {"*/r2": "high"}; without it, names that end in
    loss are better when low, in accuracy when high, and others are an error where the direction is
    needed, as in early stopping. `measures` names its metrics, {"test/r2", …}, so that a study's
    claims can be checked without loading the data; with None, the problem is built to list them.
    """

    ignores: ClassVar[tuple[str, ...]] = ()
    output: ClassVar[str] = "softmax"
    better: ClassVar[Mapping[str, str]] = MappingProxyType({})
    measures: ClassVar[Collection[str] | None] = None

    @classmethod
    def misdeclared(cls) -> str:
        if cls.output not in OUTPUTS:
            return f"output = {cls.output!r} is none of {', '.join(OUTPUTS)}"
        return directions.misdeclared(cls.better)

    @abstractmethod
    def build(self, parts: Parts, rngs: Mapping[str, Rng]) -> Problem:
        """The problem, ready to train; `rngs` are the seed's streams: split, init, order, noise."""
