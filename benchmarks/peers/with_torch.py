"""PyTorch: eager with Adam's fused and foreach kernels, and compiled."""

from __future__ import annotations

from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from benchmarks.peers import Training

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.workloads import Task, Workload


def fused(workload: Workload, task: Task) -> Training:
    """Eager; one kernel updates everything."""
    return _training(workload, task, fused=True)


def foreach(workload: Workload, task: Task) -> Training:
    """Eager; one kernel for each operation of the update."""
    return _training(workload, task, foreach=True)


def compiled(workload: Workload, task: Task) -> Training:
    """Network and loss compiled forward and backward; the update fused."""
    return _training(workload, task, compiler=torch.compile, fused=True)


def network(workload: Workload, task: Task) -> nn.Sequential:
    """The network, from the task's initial weights."""
    layers: list[nn.Module] = []
    last = len(workload.sizes) - 2
    for i, (n_in, n_out) in enumerate(pairwise(workload.sizes)):
        dense = nn.Linear(n_in, n_out)
        with torch.no_grad():
            dense.weight.copy_(torch.from_numpy(task.weights[i].T))
            dense.bias.zero_()
        layers.append(dense)
        if i < last:
            layers += [nn.BatchNorm1d(n_out, eps=1e-6)] if workload.batch_norm else []
            layers.append(nn.ReLU())
            layers += [nn.Dropout(workload.dropout)] if workload.dropout else []
    return nn.Sequential(*layers)


def optimizer(name: str, parameters: Any, lr: float, **kernel: bool) -> torch.optim.Optimizer:
    """dlexp's optimizer in PyTorch's terms."""
    if name == "adagrad":
        return torch.optim.Adagrad(parameters, lr, eps=1e-7, **kernel)
    if name == "adam":
        return torch.optim.Adam(parameters, lr, **kernel)
    return torch.optim.SGD(parameters, lr, momentum=0.9 if name == "momentum" else 0.0, **kernel)


def _training(
    workload: Workload,
    task: Task,
    compiler: Callable[[Any], Any] = lambda loss: loss,
    **kernel: bool,
) -> Training:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # helps PyTorch, as dlexp's flush helps dlexp
    torch.manual_seed(task.seed)
    x, labels = torch.from_numpy(task.x), torch.from_numpy(np.asarray(task.labels, np.int64))
    model = network(workload, task)
    optimize = optimizer(workload.optimizer, model.parameters(), workload.lr, **kernel)
    loss = compiler(lambda x, y: nn.functional.cross_entropy(model(x), y))
    rows = task.rows(workload.batch)

    def train(n: int) -> None:
        for batch in map(torch.from_numpy, islice(rows, n)):
            optimize.zero_grad()
            loss(x.index_select(0, batch), labels.index_select(0, batch)).backward()
            optimize.step()

    return Training(train, lambda: _arrays(model))


def _arrays(model: nn.Sequential) -> dict[str, np.ndarray]:
    results = {}
    for names, kind in ((("W", "b"), nn.Linear), (("gamma", "beta"), nn.BatchNorm1d)):
        for i, layer in enumerate((m for m in model if isinstance(m, kind)), 1):
            for name, array in zip(names, (layer.weight, layer.bias), strict=True):
                results[f"{name}{i}"] = array.detach().numpy().T
    return results
