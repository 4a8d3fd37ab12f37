"""A process that trains one peer, whenever its parent says how far.

python -m benchmarks.worker <peer> <folder of the task>              # reads numbers of steps,
answers CPU seconds python -m benchmarks.worker <peer> <folder of the task> <steps>      # trains
that many steps and ends python -m benchmarks.worker <peer> <folder of the task> mixed <steps>  #
trains the mixed sweep and ends

The folder holds `workload.json` and `task.npz`. What a peer prints goes to standard error.
"""

import json
import os
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

from benchmarks.peers import PEERS
from benchmarks.workloads import Task, Workload

OPTIMIZERS = ("sgd", "momentum", "adagrad", "adam")
GAINS = {"xavier": 1.0, "he": 2.0}
SEEDS = range(4)


def read(folder: Path) -> tuple[Workload, Task]:
    """The workload and the task that `measuring.prepare` wrote."""
    values = json.loads((folder / "workload.json").read_text("utf-8"))
    plain = {f.name: values[f.name] for f in fields(Workload)}
    workload = Workload(**{k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()})
    return workload, Task.load(folder / "task.npz")


def serve(column: str, workload: Workload, task: Task) -> None:
    """Answer each number of steps with their CPU seconds, of all threads of this process."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    training = PEERS[column].build(workload, task)
    print("ready", file=answers)
    for line in sys.stdin:
        began = time.process_time()
        training.train(int(line))
        print(time.process_time() - began, file=answers)


def mixed(column: str, workload: Workload, task: Task, steps: int) -> None:
    """Optimizers × initial values × seeds, one run after another; compiled code is reused."""
    import numpy as np

    for optimizer in OPTIMIZERS:
        for name, gain in GAINS.items():
            for seed in SEEDS:
                rng = np.random.default_rng(seed)
                mine = replace(task, weights=workload.weights(rng, gain), order=rng, seed=seed)
                data = (*workload.data, f"init={name}")
                PEERS[column].build(replace(workload, optimizer=optimizer, data=data), mine).train(
                    steps
                )


def main(column: str, folder: str, *how: str) -> None:
    """Run as the module's docstring says."""
    if hasattr(os, "sched_setaffinity"):
        # all on the same core, one at a time
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    workload, task = read(Path(folder))
    if not how:
        serve(column, workload, task)
    elif how[0] == "mixed":
        mixed(column, workload, task, int(how[1]))
    else:
        PEERS[column].build(workload, task).train(int(how[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
