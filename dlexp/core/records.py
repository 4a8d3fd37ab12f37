"""What was measured during training: one record for each evaluation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """The metrics at a step; step 0 is the untrained network."""

    epoch: int
    step: int
    metrics: dict[str, float]


class Records(list[Record]):
    """The records of a run, by step."""

    @property
    def metrics(self) -> dict[str, float]:
        """The latest value of every metric."""
        return {name: value for record in self for name, value in record.metrics.items()}

    def history(self, metric: str) -> tuple[list[int], list[float]]:
        """Steps and values of a metric, as two lists."""
        points = [(r.step, r.metrics[metric]) for r in self if metric in r.metrics]
        return [step for step, _ in points], [value for _, value in points]
