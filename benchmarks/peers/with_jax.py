"""JAX: a jitted step, and a jitted scan over many of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.peers import Training

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.workloads import Task, Workload

State = dict[str, Any]
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


def step(workload: Workload, task: Task) -> Training:
    """One call of a jitted function for each step."""
    return _training(workload, task, 1)


def scan(workload: Workload, task: Task) -> Training:
    """One call of a jitted `lax.scan` for each block of steps."""
    return _training(workload, task, workload.block)


def products(workload: Workload, task: Task) -> Training:
    """The lower bound: the matrix products of `scan` alone, without biases and activations."""
    n = workload.batch * workload.block
    x = jnp.resize(jnp.asarray(task.x), (n, workload.sizes[0])).reshape(
        workload.block, workload.batch, -1
    )
    weights = [jnp.array(w) for w in task.weights]
    box = [[jnp.zeros_like(w) for w in weights]]

    @partial(jax.jit, donate_argnums=1)
    def advance(weights: Any, gradients: Any, x: Any) -> Any:
        return jax.lax.scan(lambda _, batch: (_products(weights, batch), None), gradients, x)[0]

    def train(n: int) -> None:
        for _ in range(blocks(n, workload.block)):
            box[0] = advance(weights, box[0], x)
        jax.block_until_ready(box[0])

    return Training(train, lambda: {f"W{i}": np.asarray(w) for i, w in enumerate(weights, 1)})


def blocks(n: int, block: int) -> int:
    """The number of calls for n steps. Raises `ValueError` unless n is a multiple of the block."""
    if n % block:
        raise ValueError(f"{n} steps are not a multiple of {block}")
    return n // block


def _products(weights: list[Any], batch: Any) -> list[Any]:
    """Forward x·W, backward xᵀ·dy and dy·Wᵀ of each layer; the first needs no input gradient."""
    passed = [batch]
    for w in weights:
        passed.append(passed[-1] @ w)
    dy, gradients = passed[-1], []
    for i in reversed(range(len(weights))):
        gradients.append(passed[i].T @ dy)
        if i:
            dy = dy @ weights[i].T
    return gradients[::-1]


def _training(workload: Workload, task: Task, block: int) -> Training:
    x, labels = jnp.asarray(task.x), jnp.asarray(task.labels.astype(np.int32))
    rows = task.rows(workload.batch)
    box = [start(workload, task)]
    compiled = replace(workload, data=())  # compiled code serves all initial values and seeds
    advance = stepped(compiled) if block == 1 else scanned(compiled)

    def train(n: int) -> None:
        for _ in range(blocks(n, block)):
            batches = next(rows) if block == 1 else np.stack(list(islice(rows, block)))
            box[0] = advance(box[0], x, labels, batches.astype(np.int32))
        jax.block_until_ready(box[0])

    return Training(
        train, lambda: {name: np.asarray(box[0]["params"][name]) for name in workload.shapes}
    )


def start(workload: Workload, task: Task) -> State:
    """Everything that a step changes."""
    params = {}
    for name, shape in workload.shapes.items():
        kind, i = name.rstrip("0123456789"), int(name.lstrip("Wbgamet")) - 1
        params[name] = (
            jnp.array(task.weights[i])
            if kind == "W"
            else jnp.full(shape, kind == "gamma", jnp.float32)
        )
    slots = {"sgd": 0, "momentum": 1, "adagrad": 1, "adam": 2}[workload.optimizer]
    hidden = range(1, len(workload.sizes) - 1) if workload.batch_norm else ()
    return {
        "params": params,
        "slots": [jax.tree.map(jnp.zeros_like, params) for _ in range(slots)],
        "mean": {i: jnp.zeros(workload.sizes[i]) for i in hidden},
        "var": {i: jnp.ones(workload.sizes[i]) for i in hidden},
        "key": jax.random.key(task.seed),  # the default, threefry
        "t": jnp.zeros((), jnp.float32),
    }


@cache
def stepped(workload: Workload) -> Callable[..., State]:
    """The jitted step; it may reuse the memory of the state."""
    return jax.jit(partial(_step, workload), donate_argnums=0)


@cache
def scanned(workload: Workload) -> Callable[..., State]:
    """The jitted scan over the rows of a block of steps."""

    def block(state: State, x: Any, labels: Any, rows: Any) -> State:
        return jax.lax.scan(lambda s, r: (_step(workload, s, x, labels, r), None), state, rows)[0]

    return jax.jit(block, donate_argnums=0)


def _step(workload: Workload, state: State, x: Any, labels: Any, rows: Any) -> State:
    key, noise = jax.random.split(state["key"]) if workload.dropout else (state["key"], None)
    (_, averages), grads = jax.value_and_grad(partial(_loss, workload), has_aux=True)(
        state["params"], state, noise, x[rows], labels[rows]
    )
    t = state["t"] + 1
    update = partial(UPDATES[workload.optimizer], workload.lr, t)
    names = list(grads)
    done = [
        update(state["params"][k], grads[k], *(slot[k] for slot in state["slots"])) for k in names
    ]
    params, *slots = (
        {k: d[i] for k, d in zip(names, done, strict=True)} for i in range(1 + len(state["slots"]))
    )
    return {**averages, "params": params, "slots": slots, "key": key, "t": t}


def _loss(
    workload: Workload, params: Any, state: State, noise: Any, x: Any, labels: Any
) -> tuple[Any, Any]:
    last = len(workload.sizes) - 1
    mean, var = dict(state["mean"]), dict(state["var"])
    for i in range(1, last + 1):
        x = x @ params[f"W{i}"] + params[f"b{i}"]
        if i == last:
            break
        if workload.batch_norm:
            mu, s2 = x.mean(axis=0), x.var(axis=0)
            mean[i], var[i] = 0.9 * mean[i] + 0.1 * mu, 0.9 * var[i] + 0.1 * s2
            x = params[f"gamma{i}"] * (x - mu) * jax.lax.rsqrt(s2 + 1e-6) + params[f"beta{i}"]
        x = jax.nn.relu(x)
        if workload.dropout:
            kept = jax.random.bernoulli(jax.random.fold_in(noise, i), 1 - workload.dropout, x.shape)
            x = jnp.where(kept, x / (1 - workload.dropout), 0)
    log_p = jax.nn.log_softmax(x)
    loss = -jnp.take_along_axis(log_p, labels[:, None], axis=1).mean()
    return loss, jax.lax.stop_gradient({"mean": mean, "var": var})


def _adam(lr: float, t: Any, w: Any, g: Any, m: Any, v: Any) -> tuple[Any, ...]:
    m = BETA1 * m + (1 - BETA1) * g
    v = BETA2 * v + (1 - BETA2) * g * g
    return w - lr * (m / (1 - BETA1**t)) / (jnp.sqrt(v / (1 - BETA2**t)) + EPS), m, v


def _adagrad(lr: float, t: Any, w: Any, g: Any, h: Any) -> tuple[Any, ...]:
    h = h + g * g
    return w - lr * g / (jnp.sqrt(h) + 1e-7), h


def _momentum(lr: float, t: Any, w: Any, g: Any, v: Any) -> tuple[Any, ...]:
    v = 0.9 * v - lr * g
    return w + v, v


def _sgd(lr: float, t: Any, w: Any, g: Any) -> tuple[Any, ...]:
    return (w - lr * g,)


UPDATES: dict[str, Callable[..., tuple[Any, ...]]] = {
    "adam": _adam,
    "adagrad": _adagrad,
    "momentum": _momentum,
    "sgd": _sgd,
}
