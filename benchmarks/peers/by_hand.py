"""NumPy by hand: one function for one network, all results in preallocated arrays; no layers.

It is what an expert of NumPy would write for this network only: the bound for NumPy code. If dlexp
is slower, that is the price of its plugins; if it is faster, this code misses an optimization.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.peers import Training

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.workloads import Task, Workload

Array = np.ndarray
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8
BLOCK = 49_152  # parameters that are updated at a time


def build(workload: Workload, task: Task) -> Training:
    """The network's step, with its arrays bound once."""
    shapes = workload.shapes
    names = sorted(shapes, key=lambda name: name[0] != "W")  # weights first
    values, grads, m, v = np.zeros((4, sum(math.prod(s) for s in shapes.values())), np.float32)
    p, d, end = {}, {}, 0
    for name in names:
        start, end = end, end + math.prod(shapes[name])
        p[name], d[name] = (flat[start:end].reshape(shapes[name]) for flat in (values, grads))
        p[name][...] = (
            task.weights[int(name[1:]) - 1] if name[0] == "W" else name.startswith("gamma")
        )
    gradient = gradients(workload, task, p, d)
    blocks = [
        tuple(flat[i : i + BLOCK] for flat in (values, grads, m, v)) for i in range(0, end, BLOCK)
    ]
    spare = np.empty(BLOCK, np.float32)
    passed = [0]

    def train(n: int) -> None:
        for t in range(passed[0] + 1, passed[0] + n + 1):
            gradient()
            for w, g, mean, var in blocks:
                adam(w, g, mean, var, spare[: len(w)], workload.lr, t)
            if t % 64 == 0:  # denormal numbers
                for slot in (m, v):
                    slot[np.abs(slot) < 1e-30] = 0
        passed[0] += n

    return Training(train, lambda: p)


def adam(w: Array, g: Array, m: Array, v: Array, u: Array, lr: float, t: int) -> None:
    """Adam's update of one block."""
    np.multiply(m, BETA1, out=m)
    np.multiply(g, 1 - BETA1, out=u)
    np.add(m, u, out=m)
    np.multiply(v, BETA2, out=v)
    np.multiply(g, 1 - BETA2, out=u)
    np.multiply(u, g, out=u)
    np.add(v, u, out=v)
    root = math.sqrt(1 - BETA2**t)
    np.sqrt(v, out=u)
    np.add(u, EPS * root, out=u)
    np.divide(m, u, out=u)
    np.multiply(u, lr * root / (1 - BETA1**t), out=u)
    np.subtract(w, u, out=w)


def gradients(
    workload: Workload, task: Task, p: dict[str, Array], d: dict[str, Array]
) -> Callable[[], None]:
    """A function that takes the next batch and writes every gradient."""
    n, last = workload.batch, len(workload.sizes) - 1
    # x[i]: the input of layer i + 1
    x = [np.empty((n, width), np.float32) for width in workload.sizes]
    dx = [np.empty_like(a) for a in x]
    mask = [np.empty(a.shape, bool) for a in x]
    z = np.empty((workload.sizes[-1], n), np.float32)  # softmax runs along columns
    ones, samples, rows = np.ones(n, np.float32), np.arange(n), task.rows(n)
    layers = [hidden(workload, i, p, d, task, ones) for i in range(1, last)]

    def gradient() -> None:
        chosen = next(rows)
        np.take(task.x, chosen, axis=0, out=x[0], mode="clip")
        labels = task.labels[chosen]
        for i in range(1, last):
            y = np.matmul(x[i - 1], p[f"W{i}"], out=x[i])
            np.add(y, p[f"b{i}"], out=y)
            layers[i - 1][0](y, mask[i])
        y = np.matmul(x[last - 1], p[f"W{last}"], out=x[last])
        np.add(y, p[f"b{last}"], out=y)
        np.copyto(z, y.T)
        np.subtract(z, z.max(axis=0), out=z)
        np.exp(z, out=z)
        np.divide(z, z.sum(axis=0) * n, out=z)
        z[labels, samples] -= np.float32(1 / n)
        np.copyto(dx[last], z.T)
        for i in range(last, 0, -1):
            if i < last:
                layers[i - 1][1](dx[i], mask[i])
            np.matmul(x[i - 1].T, dx[i], out=d[f"W{i}"])
            np.dot(ones, dx[i], out=d[f"b{i}"])
            if i > 1:
                np.matmul(dx[i], p[f"W{i}"].T, out=dx[i - 1])

    return gradient


Pass = "Callable[[Array, Array], None]"


def hidden(
    workload: Workload, i: int, p: dict[str, Array], d: dict[str, Array], task: Task, ones: Array
) -> tuple[Pass, Pass]:
    """A hidden layer's activation of its sums, in place, and its gradient; shares ReLU's mask."""
    if not workload.batch_norm:
        return _relu, lambda dy, mask: np.multiply(dy, mask, out=dy)
    n, width = workload.batch, workload.sizes[i]
    x_hat, spare = np.empty((2, n, width), np.float32)
    mean, var, sigma = np.zeros((3, width), np.float32)
    running_mean, running_var = np.zeros(width, np.float32), np.ones(width, np.float32)
    gamma, beta, dgamma, dbeta = p[f"gamma{i}"], p[f"beta{i}"], d[f"gamma{i}"], d[f"beta{i}"]
    noise, limit = (
        np.random.default_rng(task.seed + i).bit_generator,
        round((1 - workload.dropout) * 2**16),
    )

    def forward(y: Array, mask: Array) -> None:
        np.divide(np.dot(ones, y, out=mean), n, out=mean)
        np.subtract(y, mean, out=x_hat)
        np.multiply(x_hat, x_hat, out=spare)
        np.divide(np.dot(ones, spare, out=var), n, out=var)
        np.add(running_mean, 0.1 * (mean - running_mean), out=running_mean)
        np.add(running_var, 0.1 * (var - running_var), out=running_var)
        np.sqrt(var + 1e-6, out=sigma)
        np.divide(x_hat, sigma, out=x_hat)
        np.multiply(gamma, x_hat, out=y)
        np.add(y, beta, out=y)
        _relu(y, mask)
        bits = noise.random_raw(-(-y.size // 4)).view(np.uint16)[: y.size].reshape(y.shape)
        np.logical_and(mask, bits < limit, out=mask)
        np.multiply(y, mask, out=y)

    def backward(dy: Array, mask: Array) -> None:
        np.multiply(dy, mask, out=dy)
        np.multiply(dy, x_hat, out=spare)
        np.dot(ones, spare, out=dgamma)
        np.dot(ones, dy, out=dbeta)
        np.subtract(dy, dbeta / n, out=dy)
        np.multiply(x_hat, dgamma / n, out=spare)
        np.subtract(dy, spare, out=dy)
        np.multiply(dy, gamma / sigma, out=dy)

    return forward, backward


def _relu(y: Array, mask: Array) -> None:
    np.greater(y, 0, out=mask)
    np.maximum(y, 0, out=y)
