"""Arrays of the user's own: how they are read and split, and what is said to those that cannot be
used.
"""

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from dlexp import DataError
from dlexp.core import registry

NPZ = registry.find("data", "npz")


def rng(seed=0):
    return np.random.default_rng(seed)


X, Y = rng(1).normal(3, 2, (40, 4)), np.arange(40) % 4


def arrays(**content):
    """An npz plugin on these arrays."""

    def make(folder, **settings):
        np.savez(folder / "data.npz", **content)
        return NPZ(path=str(folder / "data.npz"), **settings)

    return make


def content(change):
    """An npz plugin on a file whose bytes `change` makes from those of a good one."""

    def make(folder):
        np.savez(folder / "good.npz", x=X, y=Y)
        (folder / "data.npz").write_bytes(change((folder / "good.npz").read_bytes()))
        return NPZ(path=str(folder / "data.npz"))

    return make


def zipped(**members):
    """An npz plugin on a zip of these bytes."""

    def make(folder):
        with zipfile.ZipFile(folder / "data.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, value in members.items():
                archive.writestr(f"{name}.npy", value)
        return NPZ(path=str(folder / "data.npz"))

    return make


def npy(array, shape=None, descr=None, allow_pickle=False):
    """The bytes of an .npy file, with another shape or type in its header if given."""
    out = io.BytesIO()
    if shape is None and descr is None:
        np.lib.format.write_array(out, array, allow_pickle=allow_pickle)
    else:
        header = {
            "descr": descr or array.dtype.str,
            "fortran_order": False,
            "shape": shape or array.shape,
        }
        np.lib.format.write_array_header_1_0(out, header)
        out.write(array.tobytes())
    return out.getvalue()


def test_arrays_are_split_in_shares_and_keep_their_labels(tmp_path):
    data = arrays(x=np.arange(40.0).reshape(40, 1), y=Y)(tmp_path, standardize=False)
    splits = data.load(rng())
    assert [len(s) for s in splits] == [28, 4, 8]
    for split in splits:
        np.testing.assert_array_equal(split.x[:, 0] % 4, split.labels)
    splits = replace(data, validation=0.25, test=0.25).load(rng())
    assert [len(s) for s in splits] == [20, 10, 10]


@pytest.mark.parametrize(
    "named",
    [{"X": X, "Y": Y}, {"X": X, "y": Y}, {"X": X, "y": Y, "Y": X}, {"x": X, "Y": Y, "X": X[:1]}],
    ids=["capitals", "one_capital", "y_beside_Y", "x_beside_X"],
)
def test_arrays_named_in_capitals_are_as_good(tmp_path, named):
    (tmp_path / "plain").mkdir()
    expected = arrays(x=X, y=Y)(tmp_path / "plain").dataset(rng()).sha256
    assert arrays(**named)(tmp_path).dataset(rng()).sha256 == expected


def test_split_arrays_named_in_capitals_are_as_good(tmp_path):
    named = {"X_train": X, "y_train": Y, "X_test": X[:5], "Y_TEST": Y[:5]}
    assert [len(s) for s in arrays(**named)(tmp_path).load(rng())] == [36, 4, 5]


def test_arrays_that_come_split_stay_so(tmp_path):
    parts = {
        "x_train": X,
        "y_train": Y,
        "x_val": X[:8],
        "y_val": Y[:8],
        "x_test": X[8:20],
        "y_test": Y[8:20],
    }
    train, validation, test = arrays(**parts)(tmp_path, standardize=False).load(rng())
    for split, name in ((train, "train"), (validation, "val"), (test, "test")):
        np.testing.assert_array_equal(split.x, parts[f"x_{name}"].astype(np.float32))
        np.testing.assert_array_equal(split.labels, parts[f"y_{name}"])


def test_validation_samples_are_taken_from_the_training_samples_where_none_are_given(tmp_path):
    data = arrays(x_train=X, y_train=Y, x_test=X[:5], y_test=Y[:5], more=X)(
        tmp_path, standardize=False
    )
    train, validation, test = data.load(rng())
    assert [len(s) for s in (train, validation, test)] == [36, 4, 5]
    assert np.bincount(validation.labels).tolist() == [1, 1, 1, 1]
    np.testing.assert_array_equal(test.x, X[:5].astype(np.float32))


@pytest.mark.parametrize("dtype", ["f2", "f4", ">f8", "u1", "i2", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_of_any_type_and_order_are_read(tmp_path, dtype, order):
    x = np.asarray(np.arange(160).reshape(40, 4) % 7, dtype=dtype, order=order)
    train, *_ = arrays(x=x, y=Y)(tmp_path, standardize=False).load(rng())
    known = {tuple(row) for row in x.astype(np.float32).tolist()}
    assert train.x.dtype == np.float32
    assert {tuple(row) for row in train.x.tolist()} <= known


def test_images_are_flattened_and_standardized(tmp_path):
    images = rng().integers(0, 256, (40, 3, 2), dtype=np.uint8)
    images[:, 0, 0] = 9
    train, *_ = arrays(x=images, y=Y)(tmp_path).load(rng())
    assert train.x.shape == (28, 6)
    assert (train.x[:, 0] == 0).all()
    np.testing.assert_allclose(train.x[:, 1:].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(train.x[:, 1:].std(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize(
    "labels",
    [
        Y - 7,
        (Y * 5).astype(np.uint8),
        Y.astype(np.float32) * 100,
        np.array(["ant", "bee", "cat", "dog"])[Y],
        np.array([b"ant", b"bee", b"cat", b"dog"])[Y],
    ],
    ids=["negative", "uint8", "whole_floats", "words", "bytes"],
)
def test_labels_of_any_sort_become_0_to_k(tmp_path, labels):
    x = Y[:, None].astype(float) + np.zeros((1, 2))
    train, *_ = arrays(x=x, y=labels)(tmp_path, standardize=False).load(rng())
    np.testing.assert_array_equal(train.x[:, 0], train.labels)


def at(array, index, value):
    array = array.copy()
    array[index] = value
    return array


def doubled(data):
    """An archive with another x at its end, of which NumPy would read the last."""
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("x.npy", npy(X + 1))
    return file.getvalue()


PICKLE = b"\x80\x04\x95\x0f\x00\x00\x00\x00\x00\x00\x00."
SPLIT = {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y}
BAD_ARRAYS = {
    "empty": (content(lambda b: b""), "data.path=PATH: the file is empty"),
    "not_a_zip": (
        content(lambda b: b"hello world"),
        "is not an .npz file: it begins with the bytes 68 65 6c",
    ),
    "pickle": (content(lambda b: PICKLE), "is a pickle, which is never loaded"),
    "npy": (
        content(lambda b: npy(X)),
        "is a single .npy array, not an .npz file; save arrays with np.savez",
    ),
    "truncated": (content(lambda b: b[:-30]), "the file is truncated or damaged: "),
    "truncated_early": (content(lambda b: b[:300]), "the file is truncated or damaged: "),
    "flipped_bit": (
        content(lambda b: b[:500] + bytes([b[500] ^ 1]) + b[501:]),
        "damaged: Bad CRC-32 for file 'x.npy'",
    ),
    "object_array": (
        zipped(x=npy(X.astype(object), allow_pickle=True), y=npy(Y)),
        "array x holds Python objects",
    ),
    "object_labels": (
        zipped(x=npy(X), y=npy(Y.astype(object), allow_pickle=True)),
        (
            "array y holds Python objects, which only a pickle could load; pickles are refused:"
            " save it with np.savez(…, y=y.astype(str))"
        ),
    ),
    "pickle_within": (zipped(x=PICKLE, y=npy(Y)), "array x is damaged or no plain array: "),
    "code_in_the_header": (
        zipped(x=npy(X).replace(b"'<f8'", b"f(1) "), y=npy(Y)),
        "array x is damaged or no plain array",
    ),
    "shape_of_more": (
        zipped(x=npy(X, shape=(41, 4)), y=npy(Y)),
        "it declares (41, 4) of float64, but has 1,280 bytes",
    ),
    "shape_of_less": (
        zipped(x=npy(X, shape=(39, 4)), y=npy(Y)),
        "array x is damaged: it declares (39, 4)",
    ),
    "shape_of_a_terabyte": (
        zipped(x=npy(X, shape=(10**9, 125)), y=npy(Y)),
        "array x is damaged: it declares (10000000",
    ),
    "negative_shape": (
        zipped(x=npy(X, shape=(-40, -4)), y=npy(Y)),
        "array x is damaged: it declares (-40, -4)",
    ),
    "twice": (content(doubled), "array x is there twice"),
    "no_arrays": (arrays(), "none of its arrays is known; needed are x and y, or x_train"),
    "other_names": (
        arrays(XS=X, YS=Y),
        "needed are x and y, or x_train, y_train, x_test, y_test; there are XS, YS",
    ),
    "no_y": (arrays(x=X), "array y is missing; needed are x and y"),
    "two_spellings": (
        arrays(X_train=X, X_Train=X, y_train=Y),
        "there are both X_train and X_Train, and no x_train",
    ),
    "no_y_test": (
        arrays(**{k: v for k, v in SPLIT.items() if k != "y_test"}),
        "array y_test is missing",
    ),
    "no_y_val": (arrays(**SPLIT, x_val=X), "array y_val is missing"),
    "no_samples": (arrays(x=X[:0], y=Y[:0]), "array x is empty, its shape is (0, 4)"),
    "no_features": (arrays(x=X[:, :0], y=Y), "array x is empty, its shape is (40, 0)"),
    "flat_x": (
        arrays(x=X[:, 0], y=Y),
        "array x has the shape (40,); it must be (n, features) or (n, height, width)",
    ),
    "single_number": (arrays(x=np.float64(3), y=Y), "array x has the shape ()"),
    "more_labels": (
        arrays(x=X, y=np.arange(41) % 4),
        "array y has the shape (41,); it must be (40,)",
    ),
    "one_hot": (
        arrays(x=X, y=np.eye(4)[Y]),
        "array y has the shape (40, 4); it must be (40,), one label for each",
    ),
    "nan": (
        arrays(x=at(X, (7, 2), np.nan), y=Y),
        "sample 7, feature 2 (both counted from 0) is nan, not a finite",
    ),
    "inf_in_the_test_split": (
        arrays(**SPLIT | {"x_test": at(X, (1, 0), -np.inf)}),
        "sample 1 of the test split, featu",
    ),
    "half_precision_inf": (
        arrays(x=at(X, 3, np.inf).astype(np.float16), y=Y),
        "sample 3, feature 0",
    ),
    "too_large": (
        arrays(x=at(X, (0, 1), 1e39), y=Y),
        "is 1e+39, not a finite number of float32's range",
    ),
    "text": (arrays(x=X.astype(str), y=Y), "array x holds text where numbers belong"),
    "complex": (arrays(x=X + 1j, y=Y), "array x holds complex128 where numbers belong"),
    "dates": (
        arrays(x=X, y=Y.astype("M8[D]")),
        "array y holds datetime64[D]; labels must be whole numbers or words",
    ),
    "measured_labels": (
        arrays(x=X, y=Y + 0.5),
        "label 0 (counted from 0) is 0.5; labels must be whole numbers",
    ),
    "nan_label": (arrays(x=X, y=at(Y * 1.0, 6, np.nan)), "label 6 (counted from 0) is nan"),
    "inf_label": (
        arrays(**SPLIT | {"y_test": at(Y * 1.0, 6, np.inf)}),
        "test label 6 (counted from 0) is inf",
    ),
    "one_class": (arrays(x=X, y=Y * 0), "all labels are 0; at least two classes are needed"),
    "one_training_class": (arrays(**SPLIT | {"y_train": Y * 0}), "all labels are 0"),
    "unknown_test_label": (
        arrays(**SPLIT | {"y_test": at(Y, 3, 9)}),
        "the test label 9 does not occur among the training",
    ),
    "words_and_numbers": (
        arrays(**SPLIT | {"y_test": Y.astype(str)}),
        "are not both numbers or both words",
    ),
    "too_few": (
        arrays(x=X[:5], y=Y[:5]),
        "5 samples, 1 of the rarest of 4 classes, are too few to split",
    ),
    "other_width": (
        arrays(**SPLIT | {"x_test": X[:, :3]}),
        "the test split has 3 features, the training split 4",
    ),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_arrays_that_cannot_be_used_are_refused_with_file_and_array(tmp_path, name):
    make, wrong = BAD_ARRAYS[name]
    data = make(tmp_path)
    with pytest.raises(DataError) as e:
        data.dataset(rng())
    text = str(e.value)
    assert wrong.replace("PATH", data.path) in text
    assert text.count(data.path) == 1
    assert "\n" not in text


def test_a_small_file_that_would_unfold_to_more_than_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{NPZ.__module__}.LIMIT", 10**6)
    make = zipped(x=npy(np.zeros((40, 4000))), y=npy(Y))
    data = make(tmp_path)
    assert (tmp_path / "data.npz").stat().st_size < 10_000
    with pytest.raises(DataError, match="its arrays need 1,280,576 bytes; the limit is 1,000,000"):
        data.load(rng())


def test_a_size_that_the_zip_understates_is_noticed(tmp_path):
    """The declared size bounds what is read, whatever the compressed data would give."""
    make = zipped(x=npy(np.zeros((40, 4000))), y=npy(Y))
    data = make(tmp_path)
    raw = (tmp_path / "data.npz").read_bytes()
    real, said = (
        (40 * 4000 * 8 + 128).to_bytes(4, "little"),
        (40 * 4 * 8 + 128).to_bytes(4, "little"),
    )
    assert raw.count(real) == 2  # in the local header and in the directory
    (tmp_path / "data.npz").write_bytes(raw.replace(real, said))
    with pytest.raises(DataError, match=r"truncated or damaged: Bad CRC-32 for file 'x\.npy'"):
        data.load(rng())


@pytest.mark.parametrize(
    ("plugin", "suffix"), [(registry.find("data", "csv"), ".csv"), (NPZ, ".npz")]
)
def test_a_path_that_leads_nowhere_is_told(tmp_path, plugin, suffix):
    with pytest.raises(DataError, match=rf"^data\.path=: set the file: data\.path=<file{suffix}>$"):
        plugin().load(rng())
    (tmp_path / f"iris{suffix}").write_bytes(b"?")
    with pytest.raises(
        DataError,
        match=rf"there is no such file; there are iris{suffix}; did you mean 'iris{suffix}'",
    ):
        plugin(path=str(tmp_path / f"irs{suffix}")).load(rng())
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        plugin(path=str(tmp_path / "nowhere" / "iris.csv")).load(rng())
    with pytest.raises(DataError, match="is not a file"):
        plugin(path=str(tmp_path)).load(rng())
