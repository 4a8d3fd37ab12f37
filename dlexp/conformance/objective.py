"""Promises of every objective that is trained on data; surfaces have a file of their own."""

from __future__ import annotations

import copy
from typing import Any
from unittest import SkipTest

import numpy as np

from dlexp.conformance import toy
from dlexp.conformance.numerical import slope
from dlexp.core.arrays import Context
from dlexp.core.experiment import streams
from dlexp.core.kinds.objective import Objective
from dlexp.core.problem import Problem
from dlexp.core.surface import Surface
from dlexp.errors import UserError

TRAINING = 60  # samples in the training split of toy.Clouds


def subject(p: Objective) -> Objective | None:
    """The objective, if it is no surface."""
    return None if isinstance(p, Surface) else p


def problem(p: Objective, batch_size: int = 10) -> Problem:
    """The objective, built for a network of tanh units without noise or normalization."""
    return p.build(
        toy.experiment(p, toy.part("activation", "tanh"), batch_size=batch_size), streams(0)
    )


def _batch(q: Problem) -> Any:
    return copy.deepcopy(next(iter(q.batches(np.random.default_rng(0)))))


def check_gradient(p: Objective) -> None:
    """Along five random directions in the space of all parameters."""
    q = problem(p)
    batch, rng = _batch(q), np.random.default_rng(1)

    def loss() -> float:
        return q.loss(batch, Context(training=True, rng=np.random.default_rng(2)))

    for _ in range(5):
        direction = rng.standard_normal(q.params.values.size)
        direction /= np.linalg.norm(direction)
        q.params.grads[...] = 9.0
        loss()
        gradient = float(q.params.grads @ direction)
        expected = slope(loss, q.params.values, direction)
        assert abs(gradient - expected) <= 1e-7 + 1e-5 * abs(expected), (
            f"params.grads gives {gradient:.8g}, the slope of the loss is {expected:.8g}: loss must"
            " write every gradient"
        )


def check_loss_is_a_plain_number(p: Objective) -> None:
    q = problem(p)
    value = q.loss(_batch(q), Context(training=True, rng=np.random.default_rng(2)))
    assert type(value) is float, f"loss returns {type(value).__name__}: write `float(…)`"


def check_loss_moves_no_parameter(p: Objective) -> None:
    q = problem(p)
    before = q.params.values.copy()
    q.loss(_batch(q), Context(training=True, rng=np.random.default_rng(2)))
    message = "loss changes parameters: only the optimizer may change them"
    np.testing.assert_array_equal(q.params.values, before, err_msg=message)


def check_evaluation_changes_nothing(p: Objective) -> None:
    # Batch normalization has running values to change, dropout random numbers to draw.
    noisy = toy.part("normalization", "batch_norm"), toy.part("regularizer", "dropout")
    trainer = toy.experiment(p, *noisy).trainer()
    trainer.step(next(iter(trainer.rest_of_epoch())))
    q = trainer.problem
    for what, ask in (("evaluate", q.evaluate), ("test", q.test)):
        storage, state = q.params.storage.copy(), repr(trainer.state_dict()["rngs"])
        first, second = ask(), ask()
        message = f"{what}() changes parameters or buffers: use Context(training=False, …)"
        np.testing.assert_array_equal(q.params.storage, storage, err_msg=message)
        assert repr(trainer.state_dict()["rngs"]) == state, f"{what}() draws random numbers"
        assert first == second, f"{what}() gives {first}, and {second} when called again"


def check_metrics_have_names_and_plain_values(p: Objective) -> None:
    q = problem(p)
    evaluated, tested = q.evaluate(), q.test()
    assert "train/loss" in evaluated, f"evaluate() gives {sorted(evaluated)}: add train/loss"
    wrong = [m for m in evaluated if not m.startswith(("train/", "val/", "path/"))]
    assert not wrong, f"evaluate() names {wrong}: start with train/ or val/"
    wrong = [m for m in tested if not m.startswith("test/")]
    assert not wrong, f"test() names {wrong}: start with test/"
    for name, value in (evaluated | tested).items():
        assert type(value) is float, f"{name} is a {type(value).__name__}: write `float(…)`"


def check_measures_what_it_declares(p: Objective) -> None:
    if p.measures is None:
        raise SkipTest("it does not declare what it measures")
    q = problem(p)
    differs = sorted({*q.evaluate(), *q.test()} ^ {*p.measures})
    assert not differs, f"{differs[0]} is either measured or declared in measures, and not both"


def check_batches_take_each_sample_at_most_once(p: Objective) -> None:
    for size in (10, 16, TRAINING):
        q = problem(p, size)
        rows = []
        count = 0
        for batch in q.batches(np.random.default_rng(0)):
            if not (
                isinstance(batch, tuple) and isinstance(batch[0], np.ndarray) and batch[0].ndim == 2
            ):
                raise SkipTest("its batches are not (features, …): their samples are unknown")
            assert len(batch[0]) == size, (
                f"a batch has {len(batch[0])} samples instead of {size}: drop the incomplete one"
            )
            rows += [row.tobytes() for row in batch[0]]
            count += 1
        assert count == TRAINING // size, f"{count} batches of {size} from {TRAINING} samples"
        assert count == q.steps_per_epoch, (
            f"steps_per_epoch says {q.steps_per_epoch}, batches() yields {count}"
        )
        assert len(set(rows)) == len(rows), "a sample comes twice in an epoch: draw a permutation"


def check_order_comes_from_the_rng(p: Objective) -> None:
    q = problem(p)
    first, again, other = (
        [repr(copy.deepcopy(b)) for b in q.batches(np.random.default_rng(s))] for s in (0, 0, 1)
    )
    assert first == again, "the same generator gives another order of batches: draw only from rng"
    assert first != other, "another generator gives the same order of batches: shuffle with rng"


def check_refuses_more_than_there_is(p: Objective) -> None:
    try:
        problem(p, TRAINING + 1)
    except UserError:
        return
    raise AssertionError(
        f"batch_size={TRAINING + 1} of {TRAINING} samples is accepted, but gives no batch: raise a"
        " UserError"
    )
