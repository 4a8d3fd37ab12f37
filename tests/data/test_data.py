"""The data plugins: what they draw, how they split, and their messages for unusable files."""

import hashlib
import logging
from dataclasses import replace

import numpy as np
import pytest

from dlexp import DataError, FieldError, Split, proportional, stratified, three_way
from dlexp.core import registry
from dlexp.core.dataset import standardized
from dlexp.data.download import read_idx, write_idx

KINDS = {cls.name: cls for cls in registry.every("data")}
DIGITS, MNIST, FASHION = KINDS["digits"], KINDS["mnist"], KINDS["fashion_mnist"]
NPZ = KINDS["npz"]
SYNTHETIC = ("blobs", "gaussian", "spirals")


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(params=sorted(KINDS))
def data(request, tmp_path):
    """Every data plugin, with what it needs in a folder."""
    return KINDS[request.param]().example(tmp_path)


# Every data plugin.


def test_the_shipped_data_are_registered():
    assert {
        "digits",
        "mnist",
        "fashion_mnist",
        "npz",
        "table",
        "csv",
        "spirals",
        "blobs",
        "gaussian",
    } <= set(KINDS)


def test_features_are_float32_and_labels_int64(data):
    for split in data.dataset(rng()).splits.values():
        assert split.x.dtype == np.float32
        assert split.labels.dtype == np.int64


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(data):
    first, again, other = (data.dataset(rng(seed)).sha256 for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_no_sample_is_in_two_splits_and_none_is_lost(data):
    splits = data.load(rng())
    samples = [row.tobytes() for split in splits for row in split.x]
    n = {
        "digits": 1797,
        "mnist": 460,
        "fashion_mnist": 460,
        "table": 120,
        "csv": 120,
        "npz": 120,
        "gaussian": 1000,
    }
    assert len(samples) == n.get(data.name, 1500)
    assert len(set(samples)) == len(samples)


def test_every_split_holds_the_classes_in_proportion(data):
    splits = data.load(rng())
    if isinstance(data, (MNIST, FASHION)):
        splits = splits[:2]  # the test split is as it comes
    counts = np.array([np.bincount(s.labels, minlength=10) for s in splits])
    share = counts.sum(0) / counts.sum()
    assert np.abs(counts - counts.sum(1, keepdims=True) * share).max() <= 1.5


def test_n_train_draws_that_many_in_proportion_and_leaves_the_rest_alone(data):
    whole, few = data.dataset(rng()), replace(data, n_train=30).dataset(rng())
    assert len(few.train) == 30
    for name in ("validation", "test"):
        np.testing.assert_array_equal(few.splits[name].x, whole.splits[name].x)
    known = {row.tobytes() for row in whole.train.x}
    assert all(row.tobytes() in known for row in few.train.x)
    share = np.bincount(whole.train.labels) / len(whole.train)
    assert np.abs(np.bincount(few.train.labels) - 30 * share).max() <= 1


def test_n_train_is_drawn_anew_for_every_seed(data):
    first, second = (replace(data, n_train=20).dataset(rng(seed)).train.x for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_more_training_samples_than_there_are_is_an_error_of_n_train(data):
    n = len(data.dataset(rng()).train)
    assert len(replace(data, n_train=n).dataset(rng()).train) == n
    with pytest.raises(
        DataError, match=f"^data.n_train={n + 1}: there are only {n} training samples$"
    ):
        replace(data, n_train=n + 1).dataset(rng())


def test_fewer_training_samples_than_classes_is_an_error_of_n_train(data):
    classes = data.dataset(rng()).n_classes
    with pytest.raises(
        DataError, match=rf"^data\.n_train={classes - 1}: there are {classes} classes"
    ):
        replace(data, n_train=classes - 1).dataset(rng())


def test_the_plugin_says_what_it_is_and_where_it_comes_from(data):
    lines = type(data).__doc__.splitlines()
    assert 20 < len(lines[0]) <= 116
    assert any(line.strip().startswith("Source: ") for line in lines)
    assert data.source()


# Splitting.


def test_a_rare_class_is_among_few_training_samples():
    labels = np.array([0] * 960 + [1] * 30 + [2] * 10)
    few = stratified(Split(np.zeros((1000, 1)), labels), 10, rng())
    assert np.bincount(few.labels).tolist() == [8, 1, 1]


def test_proportions_are_rounded_by_the_largest_remainder():
    labels = np.array([0] * 50 + [1] * 33 + [2] * 17)
    assert np.bincount(labels[proportional(labels, 10, rng())]).tolist() == [5, 3, 2]
    assert np.bincount(labels[proportional(labels, 99, rng())]).tolist() == [49, 33, 17]


def test_more_than_there_are_cannot_be_split_off():
    samples = Split(np.zeros((10, 1)), np.arange(10) % 2)
    with pytest.raises(DataError, match="only 4 samples, 5 are asked for"):
        three_way(samples, validation=5, test=6, rng=rng())


def test_standardizing_takes_mean_and_std_from_the_training_split_alone():
    train, other = (Split(rng(seed).normal(5, 3, (50, 2)), np.zeros(50, int)) for seed in (0, 1))
    a, b, c = standardized(train, other, other)
    np.testing.assert_allclose(a.x.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(a.x.std(axis=0), 1, atol=1e-6)
    np.testing.assert_allclose(
        b.x, (other.x - train.x.mean(0)) / train.x.std(0), rtol=1e-5, atol=1e-6
    )
    assert np.abs(c.x.mean(axis=0)).max() > 1e-3


@pytest.mark.parametrize("constant", [0.1, 7.0, 1e30])
def test_a_constant_column_becomes_zero_everywhere(constant):
    train = Split(np.stack([np.full(30, constant), np.arange(30.0)], axis=1), np.arange(30) % 2)
    test = Split(np.array([[constant + 1, 3.0]]), np.array([0]))
    a, _, c = standardized(train, test, test)
    assert (a.x[:, 0] == 0).all()
    assert (c.x[:, 0] == 0).all()
    assert a.x[:, 1].std() == pytest.approx(1)


# Drawn data.


@pytest.mark.parametrize("name", SYNTHETIC)
def test_drawn_data_have_the_size_asked_for(name):
    dataset = KINDS[name](n=200, classes=4).dataset(rng())
    assert [len(s) for s in dataset.splits.values()] == [140, 20, 40]
    assert dataset.n_classes == 4


@pytest.mark.parametrize("name", SYNTHETIC)
def test_fewer_than_ten_samples_a_class_are_refused(name):
    with pytest.raises(FieldError, match="n=39: must be at least 10 for each of the 4 classes"):
        KINDS[name](n=39, classes=4)


def test_spirals_lie_on_their_arms():
    samples = KINDS["spirals"](n=600, classes=3, noise=0.0).draw(rng())
    r = np.hypot(*samples.x.T)
    angle = np.arctan2(samples.x[:, 1], samples.x[:, 0]) - 2 * np.pi * (
        samples.labels / 3 + 0.7 * r
    )
    far = r > 0.01  # at the centre an angle is rounding error
    np.testing.assert_allclose(np.exp(1j * angle[far]), 1, atol=1e-3)
    assert r.max() <= 1


def test_spirals_have_the_noise_asked_for():
    quiet, noisy = (KINDS["spirals"](n=9000, noise=noise).draw(rng()).x for noise in (0.0, 0.05))
    assert (noisy - quiet).std() == pytest.approx(0.05, rel=0.05)


def test_blobs_have_the_spread_asked_for():
    samples = KINDS["blobs"](n=9000, classes=3, features=5, spread=0.7).draw(rng())
    for label in range(3):
        np.testing.assert_allclose(samples.x[samples.labels == label].std(axis=0), 0.7, rtol=0.05)
    assert samples.x.shape == (9000, 5)


def test_gaussian_inputs_are_standard_normal_and_their_labels_linear():
    samples = KINDS["gaussian"](n=20_000, features=20, classes=4).draw(rng())
    np.testing.assert_allclose(samples.x.mean(axis=0), 0, atol=0.03)
    np.testing.assert_allclose(samples.x.std(axis=0), 1, atol=0.03)
    assert np.bincount(samples.labels).min() > 2500  # no class is preferred
    means = np.stack([samples.x[samples.labels == k].mean(axis=0) for k in range(4)])
    # the teacher can be found
    assert ((samples.x @ means.T).argmax(axis=1) == samples.labels).mean() > 0.85


def test_no_class_of_gaussian_is_left_without_samples():
    for seed in range(20):
        samples = KINDS["gaussian"](n=2000, features=2, classes=4).draw(rng(seed))
        assert np.bincount(samples.labels, minlength=4).min() > 0


def test_gaussian_is_the_chapters_study_by_default():
    assert KINDS["gaussian"]().draw(rng()).x.shape == (1000, 100)


# MNIST and its like.


def idx_files(folder, *, train=120, test=60, dot=False, suffix=".gz", seed=0):
    for part, n in (("train", train), ("t10k", test)):
        if n:
            images = rng(seed).integers(0, 256, (n, 3, 2), dtype=np.uint8)
            for what, array in (
                ("images-idx3", images),
                ("labels-idx1", (np.arange(n) % 10).astype(np.uint8)),
            ):
                name = f"{part}-{what}-ubyte".replace("-idx", ".idx" if dot else "-idx")
                write_idx(folder / f"{name}{suffix}", array)


@pytest.mark.parametrize("plugin", [MNIST, FASHION])
@pytest.mark.parametrize("dot", [False, True])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_four_idx_files_of_either_spelling_are_found(tmp_path, plugin, dot, suffix):
    idx_files(tmp_path, dot=dot, suffix=suffix)
    dataset = plugin(folder=str(tmp_path)).dataset(rng())
    assert [len(s) for s in dataset.splits.values()] == [110, 10, 60]
    assert dataset.n_features == 6


def test_a_twelfth_is_for_validation_so_that_60000_become_55000_and_5000(tmp_path):
    idx_files(tmp_path, train=60_000, test=10)
    train, validation, test = MNIST(folder=str(tmp_path)).load(rng())
    assert [len(s) for s in (train, validation, test)] == [55_000, 5_000, 10]
    assert np.bincount(validation.labels).tolist() == [500] * 10


def test_pixels_become_shares_of_255_and_keep_their_labels(tmp_path):
    images = np.arange(60, dtype=np.uint8).reshape(60, 1, 1).repeat(2, axis=2)
    images[0], images[59] = 0, 255
    for part in ("train", "t10k"):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", images)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", (np.arange(60) % 10).astype(np.uint8))
    train, _, test = MNIST(folder=str(tmp_path)).load(rng())
    assert (test.x.min(), test.x.max()) == (0, 1)
    np.testing.assert_array_equal(test.x[1:59, 0], np.arange(1, 59, dtype=np.float32) / 255)
    pixel = np.rint(train.x[:, 0] * 255).astype(int)
    middle = pixel < 255
    np.testing.assert_array_equal(train.labels[middle], pixel[middle] % 10)


@pytest.mark.parametrize(("n", "sizes"), [(100, "80 / 10 / 10"), (10_000, "8,000 / 1,000 / 1,000")])
def test_test_images_alone_are_split_with_a_notice(tmp_path, caplog, n, sizes):
    idx_files(tmp_path, train=0, test=n)
    with caplog.at_level(logging.WARNING, logger="dlexp"):
        splits = MNIST(folder=str(tmp_path)).load(rng())
    assert f"there are only test images; they are split {sizes}" in caplog.text
    assert [len(s) for s in splits] == [n * 8 // 10, n // 10, n // 10]
    assert np.bincount(splits[1].labels).tolist() == [n // 100] * 10


def test_four_files_are_used_without_a_notice(tmp_path, caplog):
    idx_files(tmp_path)
    MNIST(folder=str(tmp_path)).load(rng())
    assert caplog.text == ""


def spoil(name, content):
    def change(folder):
        (folder / name).write_bytes(content)

    return change


def rewrite(name, array):
    def change(folder):
        write_idx(folder / name, array)

    return change


def remove(*names):
    def change(folder):
        for name in names:
            (folder / name).unlink()

    return change


ALL = tuple(
    f"{part}-{what}-ubyte.gz"
    for part in ("train", "t10k")
    for what in ("images-idx3", "labels-idx1")
)
BAD_FOLDERS = {
    "nothing_in_it": (
        remove(*ALL),
        "it holds no IDX files; looked for train-images-idx3-ubyte, train-labels",
    ),
    "no_labels": (remove(ALL[1]), "train-images-idx3-ubyte.gz but not the labels"),
    "no_images": (remove(ALL[2]), "t10k-labels-idx1-ubyte.gz but not the images"),
    "truncated": (spoil(ALL[0], b"\x1f\x8b\x08\0\0\0"), "train-images-idx3-ubyte.gz is truncated"),
    "web_page": (spoil(ALL[3], b"<html>"), "t10k-labels-idx1-ubyte.gz is a web page"),
    "more_labels": (rewrite(ALL[1], np.zeros(121, np.uint8)), "holds 120 images, but"),
    "label_of_10": (
        rewrite(ALL[3], np.array([0, 1, 10] * 20, np.uint8)),
        "label 2 is 10, more than 9",
    ),
    "flat_images": (
        rewrite(ALL[0], np.zeros((120, 6), np.uint8)),
        "uint8 of shape (120, 6), not bytes in 3 dimensions",
    ),
    "float_images": (
        rewrite(ALL[0], np.zeros((120, 3, 2), np.float32)),
        "float32 of shape (120, 3, 2), not bytes",
    ),
    "swapped": (rewrite(ALL[1], np.zeros((120, 3, 2), np.uint8)), "not bytes in 1 dimensions"),
    "other_size": (
        rewrite(ALL[2], np.zeros((60, 3, 3), np.uint8)),
        "it has 9 features, the training split 6",
    ),
    "one_class": (rewrite(ALL[1], np.zeros(120, np.uint8)), "all of one class"),
}


@pytest.mark.parametrize("name", BAD_FOLDERS)
def test_a_folder_that_cannot_be_used_is_refused_in_one_line(tmp_path, name):
    idx_files(tmp_path)
    change, wrong = BAD_FOLDERS[name]
    change(tmp_path)
    with pytest.raises(DataError) as e:
        MNIST(folder=str(tmp_path)).dataset(rng())
    assert wrong in str(e.value)
    assert "\n" not in str(e.value)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match=r"^data\.folder=.*nowhere: there is no such folder$"):
        MNIST(folder=str(tmp_path / "nowhere")).load(rng())


@pytest.mark.parametrize("plugin", [MNIST, FASHION])
def test_without_a_folder_the_cached_files_are_used_and_their_hashes_checked(
    tmp_path, monkeypatch, plugin
):
    monkeypatch.setenv("DLEXP_CACHE", str(tmp_path))
    (tmp_path / plugin.name).mkdir()
    idx_files(tmp_path / plugin.name)
    hashes = {
        name: hashlib.sha256((tmp_path / plugin.name / name).read_bytes()).hexdigest()
        for name in ALL
    }
    monkeypatch.setattr(plugin, "mirrors", ("file:///nowhere/",))
    monkeypatch.setattr(plugin, "sha256", hashes)
    assert len(plugin().dataset(rng()).train) == 110
    monkeypatch.setattr(plugin, "sha256", hashes | {ALL[0]: "0" * 64})
    with pytest.raises(DataError) as e:
        plugin().dataset(rng())
    assert "train-images-idx3-ubyte.gz could not be fetched: file:///nowhere/train-images" in str(
        e.value
    )
    assert "put the files into a folder and set data.folder=<folder>" in str(e.value)


@pytest.mark.parametrize("plugin", [MNIST, FASHION])
def test_all_four_files_have_a_hash_and_a_mirror(plugin):
    assert set(plugin.sha256) == set(ALL)
    assert all(len(digest) == 64 and int(digest, 16) for digest in plugin.sha256.values())
    assert all(m.startswith("http") and m.endswith("/") for m in plugin.mirrors)
    assert len(set(MNIST.sha256.values()) | set(FASHION.sha256.values())) == 8


def test_a_path_may_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    NPZ().example(tmp_path)
    assert len(NPZ(path="~/example.npz").dataset(rng()).train) == 84
    idx_files(tmp_path)
    assert len(MNIST(folder="~").dataset(rng()).train) == 110


@pytest.mark.parametrize(
    "name", ["digits", "mnist", "fashion_mnist", "npz", "table", "csv", "blobs"]
)
def test_class_means_already_tell_most_samples_apart(tmp_path, name):
    """So that checks which train on an example mean something."""
    dataset = KINDS[name]().example(tmp_path).dataset(rng())
    train, test = dataset.train, dataset.test
    means = np.stack([train.x[train.labels == k].mean(axis=0) for k in range(dataset.n_classes)])
    nearest = ((test.x[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == test.labels).mean() > 0.8


def test_the_example_of_mnist_is_four_files_that_read_idx_reads(tmp_path):
    MNIST().example(tmp_path)
    assert sorted(read_idx(p).shape for p in tmp_path.iterdir()) == [
        (100,),
        (100, 8, 8),
        (360,),
        (360, 8, 8),
    ]
