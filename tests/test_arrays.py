"""What layers are written with."""

import numpy as np
import pytest

from dlexp.arrays import batch_sum, constant


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
