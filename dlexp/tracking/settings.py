"""The options of the config group `tracking`: where runs are shown."""

from __future__ import annotations

from dataclasses import dataclass

from dlexp.fields import check_fields, non_negative


@dataclass(frozen=True, kw_only=True)
class MLflow:
    """Mirror every run to MLflow: an SQLite store under the outputs folder, or the server at `uri`.

    `experiment` is MLflow's name for the group of runs, `model` says whether the trained network is logged as a model,
    `wait` how many seconds the command waits at its end for what is still to be sent.
    """

    uri: str | None = None
    experiment: str = "dlexp"
    model: bool = True
    wait: float = non_negative(120.0)

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True, kw_only=True)
class NoTracking:
    """The run folder only; MLflow is not told."""


TRACKING: dict[str, type] = {"mlflow": MLflow, "none": NoTracking}
