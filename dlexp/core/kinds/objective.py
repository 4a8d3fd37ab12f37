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

OUTPUTS = ("softmax", "sigmoid", "identity")  # what an objective may say of its network's


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

    `ignores` names the kinds and settings that mean nothing to it: asking for one explicitly is an
    error. `output` says what the network's outputs z mean to whoever asks the saved network:
    "softmax" (zₖ ↦ exp zₖ / Σⱼ exp zⱼ), "sigmoid" (each zₖ by itself ↦ 1 / (1 + exp −zₖ)) or
    "identity" (z as it is, as in regression). `better` says which way its metrics are better,
    {"*/r2": "high"}; a name that ends in loss is better when low, in accuracy when high, and any
    other that is not declared is refused where it matters, as in early stopping. `measures` names
    its metrics, {"test/r2", …}, so that a study's claims can be checked without loading the data;
    None: the problem is built to see them.
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
