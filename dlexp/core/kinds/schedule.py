"""The learning rate during a run."""

from __future__ import annotations

from abc import abstractmethod

from dlexp.core.kinds.declaration import kind
from dlexp.core.registry import Plugin


@kind(
    "schedule",
    summary="how the learning rate changes during a run",
    label="schedule",
    rank=90,
    name_rank=70,
    caption_rank=20,
)
class Schedule(Plugin):
    """Scales the learning rate: a pure function of the step."""

    @abstractmethod
    def __call__(self, t: int, total: int) -> float:
        """The factor for step t of 0 … total − 1."""
