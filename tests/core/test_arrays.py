"""What layers are written with."""

import copy

import numpy as np
import pytest
from faults.layers import Replacing

from dlexp.conformance.toy import experiment, part
from dlexp.core.arrays import Param, Rebound, batch_sum, constant
from dlexp.core.params import Parameters
from dlexp.core.pieces import pieces


def test_a_constant_is_made_once_and_cannot_be_written():
    zeros = constant(0, (3, 2), np.float32)
    assert zeros is constant(0, (3, 2), np.float32)
    assert (zeros.shape, zeros.dtype, zeros.any()) == ((3, 2), np.float32, False)
    with pytest.raises(ValueError, match="read-only"):
        zeros[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        zeros.flags.writeable = True
    assert constant(1, 4, np.float64).tolist() == [1, 1, 1, 1]


def test_a_sum_over_the_batch_is_written_where_it_belongs_whatever_the_layout():
    a = np.arange(6, dtype=np.float32).reshape(3, 2)
    for layout in (a, np.asfortranarray(a)):
        place = np.full(2, 7, np.float32)
        assert batch_sum(layout, out=place) is place
        assert place.tolist() == [6, 9]


@pytest.mark.parametrize("name", ["W", "dW", "mean"])
def test_a_declared_array_is_not_bound_to_another_one_and_the_line_to_write_is_named(name):
    params = Parameters({"it.W": Param((2, 2)), "it.mean": Param((2,), start=0.0, trainable=False)})
    p = params.views("it")
    for forbidden in (lambda: setattr(p, name, 0.9 * getattr(p, name)), lambda: delattr(p, name)):
        with pytest.raises(
            Rebound, match=rf"^p\.{name} is a declared array .*: write .*, p\.{name}\[\.\.\.\] = …$"
        ):
            forbidden()
    before = getattr(p, name)
    p.mean += 1
    p.W *= 2
    p.dW -= 3
    assert getattr(p, name) is before
    assert params["it.mean"].tolist() == [1, 1]


def test_scratch_attributes_are_bound_as_often_as_one_likes_and_a_copy_is_free():
    p = Parameters({"it.mean": Param((2,), start=0.0, trainable=False)}).views("it")
    p.seen = 1
    p.seen = p.seen + 1
    del p.seen
    free = copy.deepcopy(p)
    free.mean = free.mean + 1
    assert (p.mean.tolist(), free.mean.tolist()) == ([0, 0], [1, 1])


def test_an_optimizers_slots_and_a_networks_vectors_are_not_replaced_either():
    params = Parameters({"it.W": Param((2, 2))})
    ((_, _, s),) = pieces(part("optimizer", "momentum"), params, {"v": np.zeros(4, np.float32)})
    with pytest.raises(Rebound, match=r"write its numbers in place, s\.v\[\.\.\.\] = …"):
        s.v = 0.9 * s.v
    for name in ("storage", "grads"):
        with pytest.raises(Rebound, match=rf"params\.{name}\[\.\.\.\] = …"):
            setattr(params, name, np.zeros(4, np.float32))
    params.grads *= 2


def test_a_run_whose_layer_replaces_its_running_mean_fails_instead_of_saving_another_network():
    with pytest.raises(Rebound, match=r"p\.mean\[\.\.\.\] = …"):
        list(experiment(Replacing()).trainer().run())
