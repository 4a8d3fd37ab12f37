"""Whole trainings on the digits by PyTorch, step by step; part of make_references.py.

The network is 64-50-50-10 in float64, batches of 100, 200 steps, seed 0; initial weights and
batches are dlexp's. Recorded are the loss with its penalty at every step, and for each final array
its sum, its norm and its product with cos(0), cos(1), cos(2), …
"""

import math
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from dlexp.core import registry
from dlexp.core.experiment import Experiment

STEPS = 200
DEFAULT = {
    "objective": {"name": "classification"},
    "data": {"name": "digits"},
    "model": {"name": "mlp", "hidden": [50, 50]},
    "initializer": {"name": "he"},
    "activation": {"name": "relu"},
    "normalization": {"name": "none"},
    "regularizer": [],
    "schedule": {"name": "constant"},
}
SETTINGS = {"batch_size": 100, "steps": STEPS, "dtype": "float64", "seed": 0}

SGD, MOMENTUM = {"name": "sgd", "lr": 0.1}, {"name": "momentum", "lr": 0.01, "momentum": 0.9}
ADAM = {"name": "adam", "lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
RMSPROP = {"name": "rmsprop", "lr": 1e-3, "decay": 0.99, "eps": 1e-7}
BATCH_NORM = {"normalization": {"name": "batch_norm", "momentum": 0.9, "eps": 1e-6}}
XAVIER = {"name": "xavier"}
STEP, COSINE = {"name": "step", "gamma": 0.1, "stages": 4}, {"name": "cosine", "floor": 0.1}


def decay(name, strength):
    """One regularizer of that strength."""
    return {"regularizer": [{"name": name, "strength": strength}]}


TRAININGS = {
    "sgd": {"optimizer": SGD},
    "momentum": {"optimizer": MOMENTUM},
    "nesterov": {"optimizer": {**MOMENTUM, "name": "nesterov"}},
    "adagrad": {"optimizer": {"name": "adagrad", "lr": 0.01, "eps": 1e-7}},
    "rmsprop": {"optimizer": RMSPROP},
    "adam": {"optimizer": ADAM},
    "sigmoid": {"optimizer": ADAM, "activation": {"name": "sigmoid"}, "initializer": XAVIER},
    "tanh": {"optimizer": SGD, "activation": {"name": "tanh"}, "initializer": XAVIER},
    "sgd-batch_norm": {"optimizer": SGD, **BATCH_NORM},
    "adam-batch_norm": {"optimizer": ADAM, **BATCH_NORM},
    "sgd-weight_decay": {"optimizer": SGD, **decay("weight_decay", 0.01)},
    "momentum-weight_decay": {"optimizer": MOMENTUM, **decay("weight_decay", 0.01)},
    "adam-weight_decay": {"optimizer": ADAM, **decay("weight_decay", 0.01)},
    "adam-decoupled_weight_decay": {"optimizer": ADAM, **decay("decoupled_weight_decay", 0.1)},
    "adam-decoupled-cosine": {
        "optimizer": ADAM,
        **decay("decoupled_weight_decay", 0.1),
        "schedule": COSINE,
    },
    "adam-l1": {"optimizer": ADAM, **decay("l1", 1e-4)},
    "adam-batch_norm-weight_decay": {
        "optimizer": ADAM,
        **BATCH_NORM,
        **decay("weight_decay", 0.01),
    },
    "sgd-step": {"optimizer": SGD, "schedule": STEP},
    "rmsprop-cosine": {"optimizer": RMSPROP, "schedule": COSINE},
    "sgd-clip_norm": {"optimizer": SGD, "clip_norm": 0.5},
}


def trainings():
    """Name, description and arrays of each."""
    for name, changes in TRAININGS.items():
        settings = {**SETTINGS, **{k: changes[k] for k in changes if k == "clip_norm"}}
        parts = {**DEFAULT, **{k: changes[k] for k in changes if k != "clip_norm"}}
        trainer = experiment(parts, settings).trainer()
        losses, arrays = train(trainer, parts, settings)
        yield name, ({"parts": parts, "settings": settings}, {"losses": losses, **arrays})


def experiment(parts, settings):
    """The dlexp experiment of a description; the test builds it in the same way."""
    made = {
        kind: (
            tuple(registry.from_dict(kind, d) for d in value)
            if isinstance(value, list)
            else registry.from_dict(kind, value)
        )
        for kind, value in parts.items()
    }
    return Experiment(**made, **settings)


def train(trainer, parts, settings):
    """PyTorch's losses per step, and the digests of the final arrays."""
    net, names = network(trainer.problem.params, parts)
    weights = [m.weight for m in net if isinstance(m, nn.Linear)]
    strength = {r["name"]: r["strength"] for r in parts["regularizer"]}
    optimizer = optimizer_of(parts["optimizer"], net, weights, strength)
    scheduler = scheduler_of(parts["schedule"], optimizer)
    losses = []
    while len(losses) < STEPS:
        for x, labels in trainer.rest_of_epoch():
            loss = nn.functional.cross_entropy(net(torch.tensor(x)), torch.tensor(labels))
            if "l1" in strength:
                loss = loss + strength["l1"] * sum(w.abs().sum() for w in weights)
            optimizer.zero_grad()
            loss.backward()
            # The penalty's value; its gradient is added by PyTorch's own weight_decay.
            penalty = (
                0.5
                * strength.get("weight_decay", 0.0)
                * sum(float(w.detach().square().sum()) for w in weights)
            )
            losses.append(loss.item() + penalty)
            if "clip_norm" in settings:
                clip(net, settings["clip_norm"])
            optimizer.step()
            scheduler.step()
            if len(losses) == STEPS:
                break
    return losses, {f"final_{name}": digest(array()) for name, array in names.items()}


def network(params, parts):
    """PyTorch's network with dlexp's initial weights, and a function for each array by its name."""
    act = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}[parts["activation"]["name"]]
    sizes = [64, *parts["model"]["hidden"], 10]
    modules, names = [], {}
    for i, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        linear = nn.Linear(n_in, n_out)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(params[f"dense{i}.W"].T.copy()))
            linear.bias.zero_()
        names |= {
            f"dense{i}.W": lambda m=linear: m.weight.T,
            f"dense{i}.b": lambda m=linear: m.bias,
        }
        modules.append(linear)
        if i == len(sizes) - 1:
            break
        if parts["normalization"]["name"] == "batch_norm":
            f = parts["normalization"]
            del names[f"dense{i}.b"]  # it has no gradient there, only rounding errors of one
            norm = nn.BatchNorm1d(n_out, eps=f["eps"], momentum=1 - f["momentum"])
            names |= {
                f"batch_norm{i}.gamma": lambda m=norm: m.weight,
                f"batch_norm{i}.beta": lambda m=norm: m.bias,
            }
            modules.append(norm)
        modules.append(act())
    return nn.Sequential(*modules), names


def optimizer_of(f, net, weights, strength):
    """PyTorch's optimizer; weights alone decay, in their own group."""
    others = [p for p in net.parameters() if all(p is not w for w in weights)]
    decoupled = strength.get("decoupled_weight_decay")
    rate = decoupled if decoupled is not None else strength.get("weight_decay", 0.0)
    groups = [{"params": weights, "weight_decay": rate}, {"params": others, "weight_decay": 0.0}]
    if f["name"] in ("sgd", "momentum", "nesterov"):
        return torch.optim.SGD(
            groups, f["lr"], momentum=f.get("momentum", 0.0), nesterov=f["name"] == "nesterov"
        )
    if f["name"] == "adagrad":
        return torch.optim.Adagrad(groups, f["lr"], eps=f["eps"])
    if f["name"] == "rmsprop":
        return torch.optim.RMSprop(groups, f["lr"], alpha=f["decay"], eps=f["eps"])
    kind = torch.optim.Adam if decoupled is None else torch.optim.AdamW
    return kind(groups, f["lr"], betas=(f["beta1"], f["beta2"]), eps=f["eps"])


def scheduler_of(f, optimizer):
    """PyTorch's schedule of our fields, over the whole run."""
    if f["name"] == "step":
        return torch.optim.lr_scheduler.StepLR(optimizer, STEPS // f["stages"], f["gamma"])
    if f["name"] == "cosine":
        eta_min = f["floor"] * optimizer.param_groups[0]["lr"]
        return torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS - 1, eta_min)
    return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)


def clip(net, limit):
    """As `torch.nn.utils.clip_grad_norm_` without its 1e-6, which dlexp and the paper lack."""
    norm = math.sqrt(sum(float(p.grad.square().sum()) for p in net.parameters()))
    for p in net.parameters():
        p.grad.mul_(min(1.0, limit / norm))


def digest(tensor):
    """Three numbers that are different for different arrays, with high probability."""
    a = tensor.detach().numpy().reshape(-1)
    return [a.sum(), np.linalg.norm(a), a @ np.cos(np.arange(a.size))]
