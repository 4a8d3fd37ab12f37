"""Promises of every model, at its defaults and at other allowed values of each field."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dlexp.conformance import toy
from dlexp.conformance.numerical import slope, variants
from dlexp.core.arrays import Context
from dlexp.core.kinds.layer import Layer
from dlexp.core.kinds.model import Model
from dlexp.core.loss import softmax_cross_entropy
from dlexp.core.network import Network

FEATURES = 6


def layers(p: Model, n_out: int, normalization: str = "batch_norm") -> list[Layer]:
    """The model's layers from data to logits, with a smooth activation and dropout as noise."""
    activation, norm = toy.part("activation", "tanh"), toy.part("normalization", normalization)
    return list(p.layers(n_out, activation, norm, [toy.part("regularizer", "inverted_dropout")]))


def networks(p: Model) -> Iterator[tuple[Model, Network, int]]:
    """Initialised networks for several numbers of classes and variants of the model."""
    for q in variants(p):
        for n_out in (2, 3, 10):
            try:
                network = Network(layers(q, n_out), FEATURES, np.float64)
            except Exception as e:
                raise AssertionError(
                    f"{q} has no layers for {n_out} classes: {type(e).__name__}: {e}"
                ) from e
            network.initialize(toy.part("initializer", "xavier"), np.random.default_rng(0))
            yield q, network, n_out


def check_ends_in_one_number_per_class(p: Model) -> None:
    x = np.random.default_rng(1).normal(size=(5, FEATURES))
    for q, network, n_out in networks(p):
        logits, _ = network.forward(x, Context(training=True, rng=np.random.default_rng(2)))
        assert logits.shape == (5, n_out), (
            f"{q} gives {logits.shape} for 5 samples and {n_out} classes: use n_out"
        )
        assert np.isfinite(logits).all(), f"{q} gives logits that are not finite"


def check_has_weights_from_data_to_logits(p: Model) -> None:
    for q, network, _ in networks(p):
        shapes = [spec.shape for spec in network.params.specs.values() if spec.start is None]
        assert shapes, f"{q} has no weights: there is nothing to train"
        assert shapes[0][0] == FEATURES, (
            f"the first weights of {q} take {shapes[0][0]} features, not {FEATURES}"
        )


def check_uses_what_it_is_handed(p: Model) -> None:
    names = [layer.name for layer in layers(p, 3)]
    for kind, name in (
        ("activation", "tanh"),
        ("normalization", "batch_norm"),
        ("noise", "inverted_dropout"),
    ):
        assert name in names, f"the layers are {', '.join(names)}: add the {kind} that is passed"


def check_ends_in_logits(p: Model) -> None:
    last = layers(p, 3)[-1]
    assert last.name not in ("tanh", "inverted_dropout"), (
        f"the last layer is {last.name}: end in a dense layer, the softmax belongs to the loss"
    )


def check_is_laid_out_anew_each_time(p: Model) -> None:
    first, second = ([layer.name for layer in layers(p, 3)] for _ in "ab")
    assert first == second, "a second call returns other layers: keep no state"


def check_gradient(p: Model) -> None:
    """Along three random directions in the space of all parameters."""
    rng = np.random.default_rng(3)
    x, labels = rng.normal(size=(5, FEATURES)), np.array([0, 1, 2, 1, 0])
    network = Network(layers(p, 3, normalization="none"), FEATURES, np.float64)
    network.initialize(toy.part("initializer", "xavier"), rng)

    def loss() -> float:
        logits, backward = network.forward(x, Context(training=True, rng=np.random.default_rng(4)))
        value, dlogits = softmax_cross_entropy(logits, labels)
        backward(dlogits)
        return value

    for _ in range(3):
        direction = rng.standard_normal(network.params.values.size)
        direction /= np.linalg.norm(direction)
        loss()
        gradient = float(network.params.grads @ direction)
        expected = slope(loss, network.params.values, direction)
        assert abs(gradient - expected) <= 1e-6 + 1e-4 * abs(expected), (
            f"the gradient is {gradient}, the slope {expected}: check backward"
        )


def check_learns(p: Model) -> None:
    parts = toy.experiment(p, toy.part("optimizer", "adam", lr=0.01), steps=60)
    losses = [
        record.metrics["train/loss"]
        for record in parts.trainer().run()
        if "train/loss" in record.metrics
    ]
    assert losses[-1] < losses[0], (
        f"60 steps of Adam take the loss from {losses[0]:.3g} to {losses[-1]:.3g}"
    )
