"""Arrays as files: whole, equal, without pickle, no larger than they say."""

import zipfile

import numpy as np
import pytest

from dlexp.conformance.toy import experiment
from dlexp.errors import DataError
from dlexp.runs.run import Run
from dlexp.storage.archives import LARGEST, read_arrays, write_arrays


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
