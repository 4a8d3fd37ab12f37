"""Softmax cross-entropy where networks are very sure of themselves."""

import numpy as np
import pytest

from dlexp import softmax_cross_entropy


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_that_move_no_weight_are_zero_in_the_gradient_and_no_number_is_denormal(
    dtype,
):
    logits = np.linspace(0, 120, 480, dtype=dtype).reshape(-1, 1) * np.array([-1, 1, 0], dtype)
    labels = np.full(len(logits), 1)
    loss, gradient = softmax_cross_entropy(logits, labels)
    p = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    exact = (p - (labels[:, None] == np.arange(3))) / len(logits)
    assert np.all(gradient[p < 0.99e-30] == 0)
    assert np.any(gradient[p < 1e-29] != 0)
    kept = p > 1.01e-30
    np.testing.assert_allclose(gradient[kept], exact[kept], rtol=1e-4, atol=1e-9)
    assert not np.any((gradient != 0) & (np.abs(gradient) < np.finfo(np.float32).tiny))
    assert loss == pytest.approx(np.mean(-np.log(p[:, 1])), rel=1e-5)


def test_a_network_that_is_very_sure_and_wrong_is_told_so():
    loss, gradient = softmax_cross_entropy(np.array([[200.0, 0.0]], np.float32), np.array([1]))
    assert loss == pytest.approx(200)
    assert gradient.tolist() == [[1, -1]]
