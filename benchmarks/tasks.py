"""The task of a workload: what dlexp's own run begins with."""

from __future__ import annotations

from benchmarks.peers.with_dlexp import arrays, trainer
from benchmarks.workloads import Task, Workload
from dlexp.core.experiment import streams


def task(workload: Workload, seed: int = 0) -> Task:
    """The very samples, initial weights and order that dlexp's own run begins with."""
    begun = trainer(workload, seed)
    weights = [
        w.copy() for name, w in arrays(begun.problem.network).items() if name.startswith("W")
    ]
    problem = begun.problem
    return Task(problem.x["train"], problem.labels["train"], weights, streams(seed)["order"], seed)
