"""A network on a data set: what its losses and accuracies are the mean of."""

import numpy as np
import pytest

from dlexp.conformance.toy import experiment
from dlexp.core.arrays import Context
from dlexp.core.dataset import Dataset, Split
from dlexp.core.loss import log_softmax
from dlexp.core.registry import find


@pytest.mark.parametrize("n", [1, 999, 1000, 1001, 2500])
def test_metrics_are_means_over_every_sample_of_a_split_however_many(n, monkeypatch):
    rng = np.random.default_rng(0)
    splits = [Split(rng.normal(size=(size, 6)), rng.integers(0, 3, size)) for size in (60, n, n)]
    e = experiment(dtype="float64")
    monkeypatch.setattr(type(e.data), "dataset", lambda self, rng: Dataset(*splits))
    problem = e.trainer().problem
    logits, _ = problem.network.forward(splits[1].x, Context(training=False, rng=None))
    labels = splits[1].labels
    metrics = problem.evaluate()
    assert metrics["val/loss"] == pytest.approx(
        -log_softmax(logits)[np.arange(n), labels].mean(), rel=1e-12
    )
    assert metrics["val/accuracy"] == pytest.approx(
        (logits.argmax(axis=1) == labels).mean(), rel=1e-12
    )
    assert set(problem.test()) == {"test/loss", "test/accuracy"}


def test_an_epoch_shows_every_sample_at_most_once_and_in_another_order_each_time():
    problem = experiment(batch_size=20).trainer().problem
    rng = np.random.default_rng(0)
    first, second = ([x.copy() for x, _ in problem.batches(rng)] for _ in range(2))
    rows = {row.tobytes() for x in first for row in x}
    assert len(rows) == 60
    assert any((a != b).any() for a, b in zip(first, second, strict=True))


def test_the_classes_of_a_network_are_those_of_its_data():
    assert experiment(find("data", "blobs")(n=300, classes=7)).trainer().problem.network.n_out == 7
