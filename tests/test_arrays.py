"""Arrays that layers share; arrays as files: whole, equal, without pickle, no larger than they say."""

import zipfile

import numpy as np
import pytest

from dlexp.arrays import LARGEST, batch_sum, constant, read_arrays, write_arrays
from dlexp.conformance.toy import experiment
from dlexp.errors import DataError
from dlexp.experiment import Run


def test_arrays_come_back_as_they_were_and_the_same_arrays_give_the_same_bytes(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(["x", "层"]), "c": np.array(1)}
    for name in "pq":
        write_arrays(tmp_path / f"{name}.npz", arrays)
    back = read_arrays(tmp_path / "p.npz")
    assert all(np.array_equal(back[k], v) for k, v in arrays.items())
    assert (tmp_path / "p.npz").read_bytes() == (tmp_path / "q.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "p.npz") as archive:
        assert {entry.date_time[0] for entry in archive.infolist()} == {1980}  # not the time of day
    assert len(list(tmp_path.iterdir())) == 2


def test_arrays_of_python_objects_are_neither_written_nor_read(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        write_arrays(tmp_path / "a.npz", {"x": np.array([{}], dtype=object)})
    assert not list(tmp_path.iterdir())
    np.savez(tmp_path / "b.npz", x=np.array([{}], dtype=object))
    with pytest.raises(DataError, match=r"b\.npz: cannot be read"):
        read_arrays(tmp_path / "b.npz")


def test_a_small_file_that_claims_to_hold_gigabytes_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(LARGEST // 8 + 1))
    with pytest.raises(DataError, match="claims to hold more"):
        read_arrays(tmp_path / "a.npz")


def test_a_run_without_a_folder_keeps_no_arrays(tmp_path):
    e = experiment()
    Run(e, e.trainer()).save_arrays("x", {"x": np.zeros(2)})
    run = Run(e, e.trainer(), folder=tmp_path)
    run.save_arrays("x", {"x": np.zeros(2)})
    assert list(read_arrays(tmp_path / "arrays/x.npz")) == ["x"]


def test_a_constant_is_made_once_and_cannot_be_written():
    zeros = constant(0, (3, 2), np.float32)
    assert zeros is constant(0, (3, 2), np.float32)
    assert (zeros.shape, zeros.dtype, zeros.any()) == ((3, 2), np.float32, False)
    with pytest.raises(ValueError, match="read-only"):
        zeros[0] = 1
    assert constant(1, 4, np.float64).tolist() == [1, 1, 1, 1]


def test_a_sum_over_the_batch_is_written_where_it_belongs_whatever_the_layout():
    a = np.arange(6, dtype=np.float32).reshape(3, 2)
    for layout in (a, np.asfortranarray(a)):
        place = np.full(2, 7, np.float32)
        assert batch_sum(layout, out=place) is place
        assert place.tolist() == [6, 9]
