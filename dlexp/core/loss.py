"""Softmax cross-entropy, averaged over the batch: the loss of every classification task here."""

from __future__ import annotations

import numpy as np

from dlexp.core.arrays import NEGLIGIBLE, Array


def log_softmax(logits: Array) -> Array:
    """log(exp(zₖ) / Σⱼ exp(zⱼ)) of logits z (batch, classes), shifted by each row's maximum."""
    # (classes, batch): NumPy is faster along long rows than along short ones
    z = np.ascontiguousarray(logits.T)
    z = z - z.max(axis=0)
    z -= np.log(np.exp(z).sum(axis=0))
    log_p: Array = z.T
    return log_p


def softmax_cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """−log softmax(logits)[label] in nats, averaged over the batch, and its gradient by the logits.

    Shapes: logits (batch, classes), labels (batch,), gradient (batch, classes) = (softmax(logits) −
    one_hot) / batch, where a probability below 10⁻³⁰ counts as 0.
    """
    n = len(labels)
    one_hot = np.zeros(logits.shape[::-1], logits.dtype)  # (classes, batch), as in `log_softmax`
    chosen = labels, np.arange(n)
    one_hot[chosen] = 1
    z = np.array(logits.T, order="C")
    z -= z.max(axis=0)
    p = np.exp(z)
    total = p.sum(axis=0)
    loss = float((np.log(total) - z[chosen]).sum()) / n
    p /= total
    p *= p > NEGLIGIBLE  # denormal numbers would make a very confident network slow
    p -= one_hot
    p /= n
    return loss, p.T
