"""The status of a run. The values are those on disk."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The status of a run or a sweep: a text, so `run.status == "FINISHED"` works."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    DIVERGED = "DIVERGED"
    FAILED = "FAILED"
    INTERRUPTED = "INTERRUPTED"
    KILLED = "KILLED"
    MISSING = "MISSING"  # only in reports: its result exists, but files are missing or damaged

    @property
    def is_result(self) -> bool:
        """Whether it is a result: finished or diverged, so the run need not be trained again."""
        return self in (Status.FINISHED, Status.DIVERGED)

    @property
    def is_end(self) -> bool:
        """Whether it is a final status."""
        return self not in (Status.RUNNING, Status.MISSING)

    @property
    def mlflow(self) -> Status:
        """The status in MLflow, which knows RUNNING, FINISHED, FAILED and KILLED only."""
        return _IN_MLFLOW.get(self, self)


_IN_MLFLOW = {Status.DIVERGED: Status.FAILED, Status.INTERRUPTED: Status.KILLED}
