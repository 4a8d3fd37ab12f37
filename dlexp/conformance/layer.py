"""Promises of every layer: activations, normalizations, and the layers that regularizers bring."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlexp.conformance.numerical import numerical_gradient
from dlexp.core.arrays import Array, Backward, Context, Rebound
from dlexp.core.kinds.layer import Layer
from dlexp.core.kinds.regularizer import Regularizer
from dlexp.core.params import Parameters
from dlexp.core.registry import Plugin


def subject(p: Plugin) -> Layer | None:
    """The layer that a plugin is or brings."""
    if isinstance(p, Regularizer):
        return p.layer()
    return p if isinstance(p, Layer) else None


class Rig:
    """A layer with its arrays, an input, and noise that is the same at every call.

    Weights are drawn, scales and biases moved a little off their start, buffers as a few training
    steps leave them.
    """

    def __init__(self, layer: Layer, dtype: Any = np.float64, batch: int = 6, n: int = 4) -> None:
        self.layer, self.n = layer, n
        self.params = Parameters(
            {f"it.{name}": spec for name, spec in layer.arrays(n).items()}, dtype
        )
        self.p = self.params.views("it")
        rng = np.random.default_rng(0)
        for name, spec in self.params.specs.items():
            if spec.trainable:
                spread = 1.0 if spec.start is None else 0.2
                self.params[name][...] += (spread * rng.normal(size=spec.shape)).astype(dtype)
        for _ in range(3):
            warm = 0.5 + 2 * rng.normal(size=(max(batch, layer.min_batch), n))
            self.layer.forward(warm.astype(dtype), self.p, Context(training=True, rng=rng))
        self.x = rng.normal(size=(batch, n)).astype(dtype)
        self.dy = rng.normal(size=(batch, layer.width(n))).astype(dtype)
        self.buffers = self.params.storage[self.params.n_trainable :]

    def forward(self, training: bool, seed: int = 3) -> tuple[Array, Backward]:
        """One pass over x; what it does to the buffers is undone."""
        kept = self.buffers.copy()
        out = self.layer.forward(
            self.x, self.p, Context(training=training, rng=np.random.default_rng(seed))
        )
        self.buffers[...] = kept
        return out

    def loss(self, training: bool) -> float:
        """Σ dy·y: a number whose gradient with respect to y is dy."""
        return float((self.forward(training)[0] * self.dy).sum())


def gradients_agree(layer: Layer, training: bool) -> None:
    rig = Rig(layer, batch=max(6, layer.min_batch))
    rig.params.grads[...] = 7.0
    _, backward = rig.forward(training)
    dx = backward(rig.dy.copy())
    when = "in training" if training else "in evaluation"
    expected = numerical_gradient(lambda: rig.loss(training), rig.x)
    message = f"∂L/∂x {when} is not the slope of the output: differentiate forward again"
    np.testing.assert_allclose(dx, expected, rtol=1e-5, atol=1e-7, err_msg=message)
    slopes = numerical_gradient(lambda: rig.loss(training), rig.params.values)
    for name in rig.params.trainable:
        wrong = (
            f"∂L/∂{name.removeprefix('it.')} {when} is not the slope of the output, or is not"
            " written by backward"
        )
        written, wanted = rig.params.gradient(name), rig.params.view(slopes, name)
        np.testing.assert_allclose(written, wanted, rtol=1e-5, atol=1e-7, err_msg=wrong)


def check_gradient_in_training(layer: Layer) -> None:
    gradients_agree(layer, training=True)


def check_gradient_in_evaluation(layer: Layer) -> None:
    gradients_agree(layer, training=False)


def check_leaves_its_inputs_alone(layer: Layer) -> None:
    for training in (True, False):
        rig = Rig(layer)
        x, dy, values = rig.x.copy(), rig.dy.copy(), rig.params.values.copy()
        _, backward = rig.forward(training)
        np.testing.assert_array_equal(
            rig.x, x, err_msg="forward changes x, which belongs to the layer before"
        )
        backward(rig.dy)
        np.testing.assert_array_equal(
            rig.dy, dy, err_msg="backward changes dy, which belongs to the layer after"
        )
        np.testing.assert_array_equal(
            rig.x, x, err_msg="backward changes x, which belongs to the layer before"
        )
        message = (
            "a pass changes trainable arrays; forward may change only arrays with trainable=False"
        )
        np.testing.assert_array_equal(rig.params.values, values, err_msg=message)


def check_keeps_dtype(layer: Layer) -> None:
    for training in (True, False):
        rig = Rig(layer, np.float32)
        y, backward = rig.forward(training)
        dx = backward(rig.dy)
        for what, array in (("forward", y), ("backward", dx)):
            assert array.dtype == np.float32, (
                f"{what} makes {array.dtype} of float32: np.random and np.sqrt of a plain number"
                " give float64; use Python numbers, and `.astype(x.dtype)` on what is drawn"
            )


def check_is_deterministic_in_eval(layer: Layer) -> None:
    rig = Rig(layer)
    rng = np.random.default_rng(5)
    untouched = np.random.default_rng(5).bit_generator.state
    first, _ = layer.forward(rig.x, rig.p, Context(training=False, rng=rng))
    second, _ = rig.forward(training=False, seed=4)
    np.testing.assert_array_equal(
        first, second, err_msg="the output in evaluation is random: draw only if ctx.training"
    )
    assert rng.bit_generator.state == untouched, (
        "evaluation draws from ctx.rng, which changes later training: draw only if ctx.training"
    )


def check_evaluates_each_sample_by_itself(layer: Layer) -> None:
    rig = Rig(layer)
    together, _ = rig.forward(training=False)
    for i in range(len(rig.x)):
        alone, _ = layer.forward(
            rig.x[i : i + 1], rig.p, Context(training=False, rng=np.random.default_rng(3))
        )
        message = (
            "the evaluation of a sample depends on the others in its batch: use values recorded"
            " in training"
        )
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-9, atol=1e-12, err_msg=message)


def check_backward_writes_gradients(layer: Layer) -> None:
    results = []
    for rubbish in (0.0, 3.0):
        rig = Rig(layer)
        rig.params.grads[...] = rubbish
        _, backward = rig.forward(training=True)
        backward(rig.dy)
        results.append(rig.params.grads.copy())
    message = "backward adds to a gradient or omits one: assign it, `p.dW[...] = …`"
    np.testing.assert_array_equal(results[0], results[1], err_msg=message)


def check_writes_its_arrays_in_place(layer: Layer) -> None:
    try:
        rig = Rig(layer)
        for training in (True, False):
            _, backward = rig.forward(training)
            backward(rig.dy)
    except Rebound as e:
        raise AssertionError(str(e)) from e
    for name, array in vars(rig.params.views("it")).items():
        current = np.asanyarray(vars(rig.p).get(name))
        wrong = (
            f"p.{name} is no longer the array it declared: write its numbers in place,"
            f" p.{name}[...] = …"
        )
        assert np.may_share_memory(array, current), wrong


def check_keeps_its_word_on_shapes(layer: Layer) -> None:
    for n in (1, 4, 7):
        for training in (True, False):
            rig = Rig(layer, n=n)
            y, backward = rig.forward(training)
            promised = (len(rig.x), layer.width(n))
            assert y.shape == promised, (
                f"{n} features in: forward gives {y.shape}, width() promises {promised}"
            )
            dx = backward(rig.dy)
            assert dx.shape == rig.x.shape, (
                f"backward gives {dx.shape} for an input of {rig.x.shape}"
            )


def check_survives_its_smallest_batch(layer: Layer) -> None:
    for training in (True, False):
        rig = Rig(layer, batch=layer.min_batch if training else 1)
        for x in (rig.x, np.zeros_like(rig.x)):  # zeros: nothing varies, nothing is active
            rig.x = x
            with np.errstate(all="ignore"):
                y, backward = rig.forward(training)
                numbers = (y, backward(rig.dy), rig.params.grads)
            finite = all(np.isfinite(a).all() for a in numbers)
            assert finite, (
                f"a batch of {len(x)} gives nan or infinity: guard the division, or raise min_batch"
            )


def check_evaluation_changes_no_buffer(layer: Layer) -> None:
    rig = Rig(layer)
    before = rig.params.storage.copy()
    y, backward = layer.forward(rig.x, rig.p, Context(training=False, rng=np.random.default_rng(3)))
    backward(np.ones_like(y))
    message = "evaluation changes the layer's arrays: record running values only where ctx.training"
    np.testing.assert_array_equal(rig.params.storage, before, err_msg=message)
