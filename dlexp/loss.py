"""Softmax cross-entropy, averaged over the batch: the loss of every classification task here."""

from __future__ import annotations

import numpy as np

from dlexp.arrays import Array


def log_softmax(logits: Array) -> Array:
    """log(exp(zₖ) / Σⱼ exp(zⱼ)) of logits z (batch, classes); the row's maximum is taken off, so nothing overflows."""
    z = np.ascontiguousarray(logits.T)  # (classes, batch): NumPy goes faster down long columns than along short rows
    z = z - z.max(axis=0)
    z -= np.log(np.exp(z).sum(axis=0))
    log_p: Array = z.T
    return log_p


def softmax_cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """−log softmax(logits)[label], in nats, averaged over the batch; and its gradient with respect to the logits.

    Shapes: logits (batch, classes), labels (batch,), gradient (batch, classes) = (softmax(logits) − one_hot) / batch.
    """
    log_p = log_softmax(logits)
    rows = np.arange(len(labels))
    loss = -float(log_p[rows, labels].mean())
    d = np.exp(log_p)
    d[rows, labels] -= 1
    d /= len(labels)
    return loss, d
