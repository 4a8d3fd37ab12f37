"""dlexp as a run trains: its Trainer, plugins, configuration and data, as a run has them."""

from __future__ import annotations

from collections import Counter
from functools import cache
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any

from benchmarks.peers import Training
from dlexp.core.registry import find
from dlexp.runs import provenance

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from benchmarks.workloads import Task, Workload
    from dlexp.config import Setup
    from dlexp.core.trainer import Trainer

ENDLESS = "steps=1000000000"


@cache
def setup(overrides: tuple[str, ...]) -> Setup:
    """Composed once for all seeds, as a sweep does."""
    from dlexp.config import compose_run

    return compose_run(*overrides, ENDLESS)


def trainer(workload: Workload, seed: int) -> Trainer:
    """The trainer of `python -m dlexp <the workload's overrides> seed=<seed>`."""
    composed = setup(workload.overrides)
    if seed:
        composed = composed.reseeded(seed, [*workload.overrides, ENDLESS, f"seed={seed}"])
    return composed.experiment.trainer()


def by_hand(workload: Workload, seed: int) -> Trainer:
    """The same from Python with plugins as objects, without configuration; for plain networks."""
    from dlexp import Experiment

    def made(kind: str, name: str, **values: Any) -> Any:
        """A plugin, as `from dlexp.plugins.optimizer.adam import Adam` and `Adam(…)` give it."""
        import_module(f"dlexp.plugins.{kind}.{name}")
        return find(kind, name)(**values)

    words = dict(word.split("=") for word in workload.data)
    parts = {
        "objective": "classification",
        "data": words["data"],
        "initializer": words.get("init", "he"),
        "activation": "relu",
        "normalization": "none",
        "schedule": "constant",
    }
    return Experiment(
        **{kind: made(kind, name) for kind, name in parts.items()},
        model=made("model", "mlp", hidden=workload.sizes[1:-1]),
        optimizer=made("optimizer", workload.optimizer, lr=workload.lr),
        batch_size=workload.batch,
        steps=10**9,
        seed=seed,
    ).trainer()


def build(workload: Workload, task: Task) -> Training:
    """Composed as the command does. Loads its own data: from the task it takes only the seed."""
    return training(trainer(workload, task.seed))


def composed_by_hand(workload: Workload, task: Task) -> Training:
    """From plugins as objects. Loads its own data: from the task it takes only the seed."""
    return training(by_hand(workload, task.seed))


def training(running: Trainer) -> Training:
    """The peer that trains with this trainer."""
    provenance.one_blas_thread().__enter__()  # for good: the process does nothing else

    endless = batches(running)

    def train(n: int) -> None:
        for batch in islice(endless, n):
            running.step(batch)

    return Training(train, lambda: arrays(running.problem.network))


def batches(running: Trainer) -> Iterator[Any]:
    """Epoch after epoch, as `Trainer.run` takes them; train each batch before taking the next.

    A new iterator in mid-epoch gathers that epoch's batches again up to its place: keep the first.
    """
    while True:
        yield from running.rest_of_epoch()


def arrays(network: Any) -> dict[str, np.ndarray]:
    """The trained arrays by the names of all peers: dense2.W is W2, batch_norm1.gamma is gamma1."""
    arrays_by_name, seen = {}, Counter()
    for name in network.params.trainable:
        short = name.rpartition(".")[2]
        seen[short] += 1
        arrays_by_name[f"{short}{seen[short]}"] = network.params[name]
    return arrays_by_name
