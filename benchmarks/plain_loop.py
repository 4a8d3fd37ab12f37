"""What a person would write by hand instead of a sweep: a loop of PyTorch runs, logged to MLflow.

    python -m benchmarks.plain_loop <folder> <threads> <seeds, e.g. 0:10>

4 optimizers × 2 initial values × the seeds; dlexp's default run each: digits, five hidden layers of
100, batch 100, 50 epochs, loss and accuracy of training and validation samples at each epoch's end
and of the test samples at the end. The metrics go to MLflow in one `log_batch` per run; no figures,
no models. Written for speed: no data loader, fused updates, the samples as tensors.
"""

import os
import sys
import time
from functools import cache
from itertools import pairwise
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import mlflow
import numpy as np
import torch
from mlflow.entities import Metric
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

EPOCHS, BATCH, HIDDEN = 50, 100, [100] * 5
OPTIMIZERS = {
    "sgd": lambda w: torch.optim.SGD(w, lr=0.01, fused=True),
    "momentum": lambda w: torch.optim.SGD(w, lr=0.01, momentum=0.9, fused=True),
    "adagrad": lambda w: torch.optim.Adagrad(w, lr=0.01, eps=1e-7, fused=True),
    "adam": lambda w: torch.optim.Adam(w, lr=0.001, fused=True),
}
GAINS = {"xavier": 1.0, "he": 2.0}


@cache
def digits():
    """Read once for all runs."""
    x, y = load_digits(return_X_y=True)
    return (x / 16).astype(np.float32), y


def splits(seed):
    """1,257 / 180 / 360 samples, stratified."""
    x, y = digits()
    x, x_test, y, y_test = train_test_split(x, y, test_size=360, stratify=y, random_state=seed)
    x, x_val, y, y_val = train_test_split(x, y, test_size=180, stratify=y, random_state=seed)
    parts = {"train": (x, y), "val": (x_val, y_val), "test": (x_test, y_test)}
    return {name: tuple(map(torch.from_numpy, part)) for name, part in parts.items()}


def network(gain):
    """The network with its initial weights."""
    sizes = [64, *HIDDEN, 10]
    layers = []
    for n_in, n_out in pairwise(sizes):
        dense = nn.Linear(n_in, n_out)
        nn.init.normal_(dense.weight, std=(gain / n_in) ** 0.5)
        nn.init.zeros_(dense.bias)
        layers += [dense, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@torch.no_grad()
def score(model, data, names, epoch):
    """Loss and accuracy, as MLflow's metrics."""
    results = []
    for name in names:
        x, y = data[name]
        out = model(x)
        values = {
            "loss": nn.functional.cross_entropy(out, y).item(),
            "accuracy": (out.argmax(1) == y).float().mean().item(),
        }
        results += [
            Metric(f"{name}/{k}", v, time.time_ns() // 1_000_000, epoch) for k, v in values.items()
        ]
    return results


def train(optimizer, init, seed):
    """One run; its metrics."""
    torch.manual_seed(seed)
    data, model = splits(seed), network(GAINS[init])
    optimize = OPTIMIZERS[optimizer](model.parameters())
    x, y = data["train"]
    metrics = score(model, data, ("train", "val"), 0)
    for epoch in range(1, EPOCHS + 1):
        for rows in torch.randperm(len(y))[: len(y) // BATCH * BATCH].split(BATCH):
            optimize.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimize.step()
        metrics += score(model, data, ("train", "val"), epoch)
    return metrics + score(model, data, ("test",), EPOCHS)


def main(folder, threads, seeds):
    """All runs, one after the other."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    client = mlflow.MlflowClient()
    if client.get_experiment_by_name("plain") is None:
        client.create_experiment("plain", artifact_location=(folder / "artifacts").as_uri())
    mlflow.set_experiment("plain")
    for optimizer in OPTIMIZERS:
        for init in GAINS:
            for seed in seeds:
                with mlflow.start_run(run_name=f"{optimizer} {init} s{seed}") as run:
                    settings = {
                        "optimizer": optimizer,
                        "initializer": init,
                        "seed": seed,
                        "batch_size": BATCH,
                        "epochs": EPOCHS,
                        "model.hidden": HIDDEN,
                        "data": "digits",
                    }
                    mlflow.log_params(settings)
                    client.log_batch(run.info.run_id, metrics=train(optimizer, init, seed))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]), range(*map(int, sys.argv[3].split(":"))))
