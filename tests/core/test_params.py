"""The flat vector of a network's numbers and its blocks."""

from itertools import pairwise

import numpy as np
import pytest

from dlexp.conformance.toy import experiment, part
from dlexp.core import params
from dlexp.core.arrays import CACHE_LINE, Param, aligned_zeros
from dlexp.core.params import Parameters


def address(array):
    return array.__array_interface__["data"][0]


def flat(n):
    return Parameters({"dense1.b": Param((n,), start=0.0)})


@pytest.mark.parametrize("block", [1, 7, 16, 48, 2**31])
@pytest.mark.parametrize("n", [1, 5, 16, 33, 100, 1001])
def test_blocks_follow_each_other_through_all_numbers_and_none_is_empty_or_too_large(
    monkeypatch, n, block
):
    monkeypatch.setattr(params, "BLOCK", block)
    blocks = list(flat(n).blocks())
    assert (blocks[0].start, blocks[-1].stop) == (0, n)
    assert all(a.stop == b.start for a, b in pairwise(blocks))
    assert all(0 < b.stop - b.start <= block for b in blocks)


def test_a_network_without_numbers_to_train_has_no_blocks():
    assert list(Parameters({}).blocks()) == []


def test_what_a_formula_works_on_begins_with_a_line_of_the_cache():
    for n in range(1, 40):  # malloc gives out other addresses each time
        for dtype in (np.float32, np.float64):
            vector = aligned_zeros(n, dtype)
            assert address(vector) % CACHE_LINE == 0
            assert (vector.shape, vector.dtype, vector.any()) == ((n,), dtype, False)
    network = flat(300_007)
    assert len(list(network.blocks())) > 1
    for array in (network.storage, network.grads):
        assert all(address(array[block]) % CACHE_LINE == 0 for block in network.blocks())
    trainer = experiment(part("optimizer", "adam")).trainer()
    assert trainer.state
    assert all(address(slot) % CACHE_LINE == 0 for slot in trainer.state.values())
