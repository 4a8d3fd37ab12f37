"""The data plugins: what they draw, how they split, and what they say to files that cannot be used."""

import hashlib
import io
import logging
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from dlexp import DataError, FieldError, Split, proportional, registry, stratified, three_way
from dlexp.datafiles import read_idx, write_idx
from dlexp.dataset import standardized

KINDS = {cls.name: cls for cls in registry.every("data")}
DIGITS, MNIST, FASHION = KINDS["digits"], KINDS["mnist"], KINDS["fashion_mnist"]
CSV, NPZ = KINDS["csv"], KINDS["npz"]
SYNTHETIC = ("blobs", "gaussian", "spirals")


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(params=sorted(KINDS))
def data(request, tmp_path):
    """Every data plugin, with what it needs in a folder."""
    return KINDS[request.param]().example(tmp_path)


# Every data plugin.


def test_the_shipped_data_are_registered():
    assert {"digits", "mnist", "fashion_mnist", "npz", "csv", "spirals", "blobs", "gaussian"} <= set(KINDS)


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
    n = {"digits": 1797, "mnist": 460, "fashion_mnist": 460, "csv": 120, "npz": 120, "gaussian": 1000}
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
    with pytest.raises(DataError, match=f"^data.n_train={n + 1}: there are only {n} training samples$"):
        replace(data, n_train=n + 1).dataset(rng())


def test_fewer_training_samples_than_classes_is_an_error_of_n_train(data):
    classes = data.dataset(rng()).n_classes
    with pytest.raises(DataError, match=rf"^data\.n_train={classes - 1}: there are {classes} classes"):
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
    np.testing.assert_allclose(b.x, (other.x - train.x.mean(0)) / train.x.std(0), rtol=1e-5, atol=1e-6)
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
    angle = np.arctan2(samples.x[:, 1], samples.x[:, 0]) - 2 * np.pi * (samples.labels / 3 + 0.7 * r)
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
    assert ((samples.x @ means.T).argmax(axis=1) == samples.labels).mean() > 0.85  # the teacher can be found


def test_gaussian_is_the_chapters_study_by_default():
    assert KINDS["gaussian"]().draw(rng()).x.shape == (1000, 100)


# MNIST and its like.


def idx_files(folder, *, train=120, test=60, dot=False, suffix=".gz", seed=0):
    for part, n in (("train", train), ("t10k", test)):
        if n:
            images = rng(seed).integers(0, 256, (n, 3, 2), dtype=np.uint8)
            for what, array in (("images-idx3", images), ("labels-idx1", (np.arange(n) % 10).astype(np.uint8))):
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


ALL = tuple(f"{part}-{what}-ubyte.gz" for part in ("train", "t10k") for what in ("images-idx3", "labels-idx1"))
BAD_FOLDERS = {
    "nothing_in_it": (remove(*ALL), "it holds no IDX files; looked for train-images-idx3-ubyte, train-labels"),
    "no_labels": (remove(ALL[1]), "train-images-idx3-ubyte.gz but not the labels"),
    "no_images": (remove(ALL[2]), "t10k-labels-idx1-ubyte.gz but not the images"),
    "truncated": (spoil(ALL[0], b"\x1f\x8b\x08\0\0\0"), "train-images-idx3-ubyte.gz is truncated"),
    "web_page": (spoil(ALL[3], b"<html>"), "t10k-labels-idx1-ubyte.gz is a web page"),
    "more_labels": (rewrite(ALL[1], np.zeros(121, np.uint8)), "holds 120 images, but"),
    "label_of_10": (rewrite(ALL[3], np.array([0, 1, 10] * 20, np.uint8)), "label 2 is 10, more than 9"),
    "flat_images": (
        rewrite(ALL[0], np.zeros((120, 6), np.uint8)),
        "uint8 of shape (120, 6), not bytes in 3 dimensions",
    ),
    "float_images": (rewrite(ALL[0], np.zeros((120, 3, 2), np.float32)), "float32 of shape (120, 3, 2), not bytes"),
    "swapped": (rewrite(ALL[1], np.zeros((120, 3, 2), np.uint8)), "not bytes in 1 dimensions"),
    "other_size": (rewrite(ALL[2], np.zeros((60, 3, 3), np.uint8)), "it has 9 features, the training split 6"),
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
def test_without_a_folder_the_cached_files_are_used_and_their_hashes_checked(tmp_path, monkeypatch, plugin):
    monkeypatch.setenv("DLEXP_CACHE", str(tmp_path))
    (tmp_path / plugin.name).mkdir()
    idx_files(tmp_path / plugin.name)
    hashes = {name: hashlib.sha256((tmp_path / plugin.name / name).read_bytes()).hexdigest() for name in ALL}
    monkeypatch.setattr(plugin, "mirrors", ("file:///nowhere/",))
    monkeypatch.setattr(plugin, "sha256", hashes)
    assert len(plugin().dataset(rng()).train) == 110
    monkeypatch.setattr(plugin, "sha256", hashes | {ALL[0]: "0" * 64})
    with pytest.raises(DataError) as e:
        plugin().dataset(rng())
    assert "train-images-idx3-ubyte.gz could not be fetched: file:///nowhere/train-images" in str(e.value)
    assert "put the files into a folder and say data.folder=<folder>" in str(e.value)


@pytest.mark.parametrize("plugin", [MNIST, FASHION])
def test_all_four_files_have_a_hash_and_a_mirror(plugin):
    assert set(plugin.sha256) == set(ALL)
    assert all(len(digest) == 64 and int(digest, 16) for digest in plugin.sha256.values())
    assert all(m.startswith("http") and m.endswith("/") for m in plugin.mirrors)
    assert len(set(MNIST.sha256.values()) | set(FASHION.sha256.values())) == 8


# Files of one's own.


def table(text, **settings):
    """A CSV plugin on this text; bytes or str."""

    def make(folder):
        (folder / "table.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        return CSV(path=str(folder / "table.csv"), **settings)

    return make


def rows(n=20, head="a,b,kind\n", line="{i},{j}.5,{k}\n", words="xyz"):
    return head + "".join(line.format(i=i, j=i * i, k=words[i % len(words)]) for i in range(n))


def test_a_table_is_read_line_by_line(tmp_path):
    data = table(rows(30), standardize=False)(tmp_path)
    train, validation, test = data.load(rng())
    assert [len(s) for s in (train, validation, test)] == [21, 3, 6]
    both = np.concatenate([s.x for s in (train, validation, test)])
    labels = np.concatenate([s.labels for s in (train, validation, test)])
    order = np.argsort(both[:, 0])
    np.testing.assert_array_equal(both[order, 0], np.arange(30))
    np.testing.assert_array_equal(both[order, 1], np.arange(30) ** 2 + 0.5)
    np.testing.assert_array_equal(labels[order], np.arange(30) % 3)


@pytest.mark.parametrize(
    "make",
    [
        table(b"\xef\xbb\xbf" + rows().encode(), label="kind"),
        table(rows().replace("\n", "\r\n")),
        table(rows().replace("\n", "\n\n")),
        table(rows().rstrip("\n")),
        table(rows().replace(",", ";"), delimiter=";"),
        table(rows().replace(",", "\t"), delimiter="tab"),
        table(rows(head="kind,a,b\n", line='"{k}",{i}, {j}.5 \n'), label="kind"),
        table(rows(head="a,kind,b\n", line="{i},{k},{j}.5\n"), label="kind"),
        table(rows(head="0,1,2\n")),
    ],
    ids=["byte_order_mark", "crlf", "empty_lines", "no_last_newline", "semicolon", "tab", "quoted", "label", "counted"],
)
def test_spellings_of_one_table_give_the_same_samples(tmp_path, make):
    (tmp_path / "plain").mkdir()
    expected = table(rows())(tmp_path / "plain").dataset(rng()).sha256
    assert make(tmp_path).dataset(rng()).sha256 == expected


def test_whole_number_labels_are_sorted_as_numbers(tmp_path):
    data = table(rows(words=["10", "9", "-1"]), standardize=False)(tmp_path)
    train, *_ = data.load(rng())
    by_label = {int(label): int(x[0]) % 3 for x, label in zip(train.x, train.labels, strict=True)}
    assert by_label == {0: 2, 1: 1, 2: 0}  # −1, 9, 10


BAD_TABLES = {
    "empty": (table(""), "data.path=PATH: the file is empty"),
    "only_blank_lines": (table("\n\n"), "there is no text in it"),
    "only_names": (table("a,b,kind\n"), "there is no sample in it, only a line of column names"),
    "no_names": (table(rows(head="")), "line 1 holds numbers ('0') where column names belong"),
    "no_names_all_numbers": (table(rows(head="", words="01")), "where column names belong"),
    "no_names_pixels": (table("x,0,0,0\n" + rows()), "columns 2 and 3 are both named '0'"),
    "doubled_name": (table(rows(head="a,a,kind\n")), "line 1: columns 1 and 2 are both named 'a'"),
    "nameless": (table(rows(head=",b,kind\n")), "line 1: column 1 has no name"),
    "one_column": (table("a;b;kind\n1;2;x\n"), "line 1 has only one column, 'a;b;kind'; two are needed; is the delim"),
    "text_for_a_number": (table(rows() + "1,red,x\n"), "line 22, column 'b': 'red' is not a number"),
    "text_before_the_label": (table(rows() + "\nred,1,x\n"), "line 23, column 'a': 'red' is not a number"),
    "decimal_comma": (table(rows() + '1,"2,5",x\n'), "line 22, column 'b': '2,5' is not a number"),
    "long_text": (table(rows() + f"1,{'r' * 99},x\n"), f"line 22, column 'b': '{'r' * 37}…' is not a number"),
    "empty_cell": (table(rows() + "1,,x\n"), "line 22, column 'b': is empty"),
    "blank_cell": (table(rows() + "1,  ,x\n"), "line 22, column 'b': is empty"),
    "nan": (table(rows() + "nan,2,x\n"), "line 22, column 'a': 'nan' is not a finite number"),
    "inf": (table(rows() + "1,-inf,x\n"), "line 22, column 'b': '-inf' is not a finite number"),
    "overflow": (table(rows() + "1,1e999,x\n"), "line 22, column 'b': '1e999' is not a finite number"),
    "more_than_float32": (table(rows() + "1,1e39,x\n"), "sample 20, feature 1 (both counted from 0) is 1e+39"),
    "no_label": (table(rows() + "1,2,\n"), "line 22, column 'kind': there is no label"),
    "nan_label": (table(rows() + "1,2,NaN\n"), "line 22, column 'kind': there is no label"),
    "measured_label": (table(rows(words=["0.5", "1.5"])), "label 0 (counted from 0) is 0.5; labels must be whole"),
    "short_line": (table(rows() + "1,2\n"), "line 22 has 2 columns, the line of names 3"),
    "long_line": (table(rows() + "1,2,x,4\n"), "line 22 has 4 columns, the line of names 3"),
    "line_numbers_count_quoted_line_ends": (
        table('a,"b\nc",kind\n1,?,x\n'),
        r"line 3, column 'b\nc': '?' is not a number",
    ),
    "latin_1": (table(rows().encode() + "1,2,é\n".encode("latin-1")), "line 22: byte 0xe9 is not UTF-8"),
    "utf_16": (table(rows().encode("utf-16")), "line 1: byte 0xff is not UTF-8; save the file as UTF-8"),
    "open_quote": (table(rows() + '1,"2,x\n'), "line 22: unexpected end of data"),
    "one_class": (table(rows(words="x")), "all labels are 'x'; at least two classes are needed"),
    "too_few": (table(rows(2)), "2 samples, 1 of the rarest of 2 classes, are too few to split"),
    "every_sample_its_class": (table(rows(20, words=[str(i) for i in range(20)])), "1 of the rarest of 20 classes"),
    "strange_label": (table(rows(), label="kin"), "data.label=kin: there is no such column; there are a, b, kind; did"),
    "label_in_capitals": (table(rows(), label="KIND"), "did you mean 'kind'?"),
    "many_columns": (table(",".join(f"c{i}" for i in range(785)) + "\n", label="y"), "c19, … (785 in all)"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_table_that_cannot_be_used_is_refused_with_line_and_column(tmp_path, name):
    make, wrong = BAD_TABLES[name]
    data = make(tmp_path)
    with pytest.raises(DataError) as e:
        data.dataset(rng())
    text = str(e.value)
    assert wrong.replace("PATH", data.path) in text
    assert text.startswith(("data.path=", "data.label="))
    assert "\n" not in text


def test_a_table_over_the_limit_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{CSV.__module__}.LIMIT", 100)
    with pytest.raises(DataError, match=r"the file has \d+ bytes; the limit is 100: use an \.npz file"):
        table(rows())(tmp_path).load(rng())


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", "tabs"])
def test_a_delimiter_that_is_none_is_refused(delimiter):
    with pytest.raises(FieldError, match="must be one character"):
        CSV(delimiter=delimiter)


# npz.

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
        header = {"descr": descr or array.dtype.str, "fortran_order": False, "shape": shape or array.shape}
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


def test_arrays_that_come_split_stay_so(tmp_path):
    parts = {"x_train": X, "y_train": Y, "x_val": X[:8], "y_val": Y[:8], "x_test": X[8:20], "y_test": Y[8:20]}
    train, validation, test = arrays(**parts)(tmp_path, standardize=False).load(rng())
    for split, name in ((train, "train"), (validation, "val"), (test, "test")):
        np.testing.assert_array_equal(split.x, parts[f"x_{name}"].astype(np.float32))
        np.testing.assert_array_equal(split.labels, parts[f"y_{name}"])


def test_validation_samples_are_taken_from_the_training_samples_where_none_are_given(tmp_path):
    data = arrays(x_train=X, y_train=Y, x_test=X[:5], y_test=Y[:5], more=X)(tmp_path, standardize=False)
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


PICKLE = b"\x80\x04\x95\x0f\x00\x00\x00\x00\x00\x00\x00."
SPLIT = {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y}
BAD_ARRAYS = {
    "empty": (content(lambda b: b""), "data.path=PATH: the file is empty"),
    "not_a_zip": (content(lambda b: b"hello world"), "is not an .npz file: it begins with the bytes 68 65 6c"),
    "pickle": (content(lambda b: PICKLE), "is a pickle, which is never loaded"),
    "npy": (content(lambda b: npy(X)), "is a single .npy array, not an .npz file; save arrays with np.savez"),
    "truncated": (content(lambda b: b[:-30]), "the file is truncated or damaged: "),
    "truncated_early": (content(lambda b: b[:300]), "the file is truncated or damaged: "),
    "flipped_bit": (content(lambda b: b[:500] + bytes([b[500] ^ 1]) + b[501:]), "damaged: Bad CRC-32 for file 'x.npy'"),
    "object_array": (zipped(x=npy(X.astype(object), allow_pickle=True), y=npy(Y)), "array x holds Python objects"),
    "object_labels": (zipped(x=npy(X), y=npy(Y.astype(object), allow_pickle=True)), "array y holds Python objects"),
    "pickle_within": (zipped(x=PICKLE, y=npy(Y)), "array x is damaged or no plain array: "),
    "code_in_the_header": (
        zipped(x=npy(X).replace(b"'<f8'", b"f(1) "), y=npy(Y)),
        "array x is damaged or no plain array",
    ),
    "shape_of_more": (zipped(x=npy(X, shape=(41, 4)), y=npy(Y)), "it declares (41, 4) of float64, but has 1,280 bytes"),
    "shape_of_less": (zipped(x=npy(X, shape=(39, 4)), y=npy(Y)), "array x is damaged: it declares (39, 4)"),
    "shape_of_a_terabyte": (
        zipped(x=npy(X, shape=(10**9, 125)), y=npy(Y)),
        "array x is damaged: it declares (10000000",
    ),
    "negative_shape": (zipped(x=npy(X, shape=(-40, -4)), y=npy(Y)), "array x is damaged: it declares (-40, -4)"),
    "no_arrays": (arrays(), "none of its arrays is known; needed are x and y, or x_train"),
    "other_names": (
        arrays(X=X, Y=Y),
        "needed are x and y, or x_train, y_train, x_test, y_test; there are X, Y; did you",
    ),
    "no_y": (arrays(x=X), "array y is missing; needed are x and y"),
    "y_in_capitals": (
        arrays(x=X, Y=Y),
        "array y is missing; needed are x and y, or x_train, y_train, x_test, y_test; th",
    ),
    "no_y_test": (arrays(**{k: v for k, v in SPLIT.items() if k != "y_test"}), "array y_test is missing"),
    "no_y_val": (arrays(**SPLIT, x_val=X), "array y_val is missing"),
    "no_samples": (arrays(x=X[:0], y=Y[:0]), "array x is empty, its shape is (0, 4)"),
    "no_features": (arrays(x=X[:, :0], y=Y), "array x is empty, its shape is (40, 0)"),
    "flat_x": (arrays(x=X[:, 0], y=Y), "array x has the shape (40,); it must be (n, features) or (n, height, width)"),
    "single_number": (arrays(x=np.float64(3), y=Y), "array x has the shape ()"),
    "more_labels": (arrays(x=X, y=np.arange(41) % 4), "array y has the shape (41,); it must be (40,)"),
    "one_hot": (arrays(x=X, y=np.eye(4)[Y]), "array y has the shape (40, 4); it must be (40,), one label for each"),
    "nan": (arrays(x=at(X, (7, 2), np.nan), y=Y), "sample 7, feature 2 (both counted from 0) is nan, not a finite"),
    "inf_in_the_test_split": (
        arrays(**SPLIT | {"x_test": at(X, (1, 0), -np.inf)}),
        "sample 1 of the test split, featu",
    ),
    "half_precision_inf": (arrays(x=at(X, 3, np.inf).astype(np.float16), y=Y), "sample 3, feature 0"),
    "too_large": (arrays(x=at(X, (0, 1), 1e39), y=Y), "is 1e+39, not a finite number of float32's range"),
    "text": (arrays(x=X.astype(str), y=Y), "array x holds text where numbers belong"),
    "complex": (arrays(x=X + 1j, y=Y), "array x holds complex128 where numbers belong"),
    "dates": (arrays(x=X, y=Y.astype("M8[D]")), "array y holds datetime64[D]; labels must be whole numbers or words"),
    "measured_labels": (arrays(x=X, y=Y + 0.5), "label 0 (counted from 0) is 0.5; labels must be whole numbers"),
    "nan_label": (arrays(x=X, y=at(Y * 1.0, 6, np.nan)), "label 6 (counted from 0) is nan"),
    "inf_label": (arrays(**SPLIT | {"y_test": at(Y * 1.0, 6, np.inf)}), "test label 6 (counted from 0) is inf"),
    "one_class": (arrays(x=X, y=Y * 0), "all labels are 0; at least two classes are needed"),
    "one_training_class": (arrays(**SPLIT | {"y_train": Y * 0}), "all labels are 0"),
    "unknown_test_label": (
        arrays(**SPLIT | {"y_test": at(Y, 3, 9)}),
        "the test label 9 does not occur among the training",
    ),
    "words_and_numbers": (arrays(**SPLIT | {"y_test": Y.astype(str)}), "are not both numbers or both words"),
    "too_few": (arrays(x=X[:5], y=Y[:5]), "5 samples, 1 of the rarest of 4 classes, are too few to split"),
    "other_width": (arrays(**SPLIT | {"x_test": X[:, :3]}), "the test split has 3 features, the training split 4"),
}


@pytest.mark.parametrize("name", BAD_ARRAYS)
def test_arrays_that_cannot_be_used_are_refused_with_file_and_array(tmp_path, name):
    make, wrong = BAD_ARRAYS[name]
    data = make(tmp_path)
    with pytest.raises(DataError) as e:
        data.dataset(rng())
    text = str(e.value)
    assert wrong.replace("PATH", data.path) in text
    assert data.path in text
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
    real, said = (40 * 4000 * 8 + 128).to_bytes(4, "little"), (40 * 4 * 8 + 128).to_bytes(4, "little")
    assert raw.count(real) == 2  # in the local header and in the directory
    (tmp_path / "data.npz").write_bytes(raw.replace(real, said))
    with pytest.raises(DataError, match=r"truncated or damaged: Bad CRC-32 for file 'x\.npy'"):
        data.load(rng())


# The path.


@pytest.mark.parametrize(("plugin", "suffix"), [(CSV, ".csv"), (NPZ, ".npz")])
def test_a_path_that_leads_nowhere_is_told(tmp_path, plugin, suffix):
    with pytest.raises(DataError, match=rf"^data\.path=: say which file: data\.path=<file{suffix}>$"):
        plugin().load(rng())
    (tmp_path / f"iris{suffix}").write_bytes(b"?")
    with pytest.raises(DataError, match=rf"there is no such file; there are iris{suffix}; did you mean 'iris{suffix}'"):
        plugin(path=str(tmp_path / f"irs{suffix}")).load(rng())
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        plugin(path=str(tmp_path / "nowhere" / "iris.csv")).load(rng())
    with pytest.raises(DataError, match="is not a file"):
        plugin(path=str(tmp_path)).load(rng())


def test_a_path_may_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    NPZ().example(tmp_path)
    assert len(NPZ(path="~/example.npz").dataset(rng()).train) == 84
    idx_files(tmp_path)
    assert len(MNIST(folder="~").dataset(rng()).train) == 110


@pytest.mark.parametrize("name", ["digits", "mnist", "fashion_mnist", "npz", "csv", "blobs"])
def test_class_means_already_tell_most_samples_apart(tmp_path, name):
    """So that checks which train on an example mean something."""
    dataset = KINDS[name]().example(tmp_path).dataset(rng())
    train, test = dataset.train, dataset.test
    means = np.stack([train.x[train.labels == k].mean(axis=0) for k in range(dataset.n_classes)])
    nearest = ((test.x[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == test.labels).mean() > 0.8


def test_the_example_of_mnist_is_four_files_that_read_idx_reads(tmp_path):
    MNIST().example(tmp_path)
    assert sorted(read_idx(p).shape for p in tmp_path.iterdir()) == [(100,), (100, 8, 8), (360,), (360, 8, 8)]
