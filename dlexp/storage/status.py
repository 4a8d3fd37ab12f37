"""How a run stands. The values are what stands on the disk."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """How a run, or a sweep as a whole, stands: a text, so `run.status == "FINISHED"` works."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    DIVERGED = "DIVERGED"
    FAILED = "FAILED"
    INTERRUPTED = "INTERRUPTED"
    KILLED = "KILLED"
    MISSING = "MISSING"  # only in reports: it has a result, and its files are gone or damaged

    @property
    def is_result(self) -> bool:
        """Whether the run need not be trained again: it finished, or diverged, which is a result."""
        return self in (Status.FINISHED, Status.DIVERGED)

    @property
    def is_end(self) -> bool:
        """Whether a run can end so."""
        return self not in (Status.RUNNING, Status.MISSING)

    @property
    def mlflow(self) -> Status:
        """The status that MLflow shows: it knows RUNNING, FINISHED, FAILED and KILLED only."""
        return _IN_MLFLOW.get(self, self)


_IN_MLFLOW = {Status.DIVERGED: Status.FAILED, Status.INTERRUPTED: Status.KILLED}
