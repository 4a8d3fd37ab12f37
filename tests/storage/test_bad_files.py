"""Files that are damaged, hostile or something else, given to the command: one line, exit status 2,
nothing created.

What each loader refuses stands in tests/data/test_data_npz.py, test_data_csv.py, test_datafiles.py,
test_arrays.py and test_serving.py; here they come by the command line, and whole run and sweep
folders with them.
"""

import io
import json
import os
import pickle
import shutil
import zipfile

import numpy as np
import pytest

from dlexp.cli.main import main
from dlexp.data.download import write_idx
from dlexp.errors import UserError
from dlexp.runs import records
from dlexp.storage import checkpoint, journal, network_file

X, Y = np.random.default_rng(0).random((60, 3)), np.arange(60) % 3
HTML = b"<!doctype html>\n<html><title>404 Not Found</title></html>\n"


def savez(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def zipped(entries, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def header(shape, descr="<f8"):
    """An .npy file that promises and has nothing."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": descr, "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


def flipped(content, at):
    changed = bytearray(content)
    changed[at] ^= 1
    return bytes(changed)


GOOD = savez(x=X, y=Y)
SINGLE = io.BytesIO()
np.save(SINGLE, X)
objects = io.BytesIO()
np.savez(objects, x=np.array([[{}, 1]] * 60, dtype=object), y=Y)
NPZ = {
    "empty": (b"", "the file is empty"),
    "truncated": (GOOD[: len(GOOD) // 2], "truncated or damaged"),
    "bit flipped": (flipped(GOOD, 600), "truncated or damaged"),
    "web page": (HTML, "not an .npz file"),
    "pickle": (pickle.dumps([X, Y]), "a pickle, which is never loaded"),
    "single array": (SINGLE.getvalue(), "a single .npy array"),
    "gzip": (b"\x1f\x8b" + bytes(50), "not an .npz file"),
    "objects": (objects.getvalue(), "pickles are refused"),
    "pickle inside": (
        zipped({"x.npy": pickle.dumps(X), "y.npy": pickle.dumps(Y)}),
        "is damaged or no plain array",
    ),
    "terabytes": (
        zipped({"x.npy": header((10**9, 1000)), "y.npy": header((10**9,))}),
        "it declares",
    ),
    "negative": (zipped({"x.npy": header((-1, 3)), "y.npy": header((3,))}), "is damaged"),
    "bzip2": (
        zipped({"x.npy": header((2, 2)), "y.npy": header((2,))}, zipfile.ZIP_BZIP2),
        "packed otherwise",
    ),
    "other names": (savez(a=X, b=Y), "none of its arrays is known"),
    "wrong shape": (savez(x=X[:, 0], y=Y), "it must be (n, features)"),
    "wrong length": (savez(x=X, y=Y[:-1]), "one label for each sample"),
    "words": (savez(x=X.astype(str), y=Y), "holds text where numbers belong"),
    "complex": (savez(x=X + 1j, y=Y), "where numbers belong"),
    "nan": (savez(x=np.where(X[7, 1] == X, np.nan, X), y=Y), "sample 7, feature 1"),
    "infinite": (savez(x=np.where(X[7, 1] == X, np.inf, X), y=Y), "sample 7, feature 1"),
    "too large": (savez(x=X * 1e300, y=Y), "not a finite number of float32's range"),
    "half labels": (savez(x=X, y=Y + 0.5), "labels must be whole numbers"),
    "one class": (savez(x=X, y=Y * 0), "at least two classes are needed"),
    "no sample": (savez(x=X[:0], y=Y[:0]), "is empty"),
    "strange test labels": (
        savez(x_train=X, y_train=Y, x_test=X, y_test=Y + 1),
        "does not occur among",
    ),
}
CSV = {
    "empty": (b"", "the file is empty"),
    "web page": (HTML, "has only one column"),
    "utf-16": ("a,b\n1,2\n".encode("utf-16")[:-1], "is not utf-16"),
    "shift-jis": ("値,組\n1,犬\n".encode("shift-jis"), "is not UTF-8"),
    "nul": (b"a,b\n1,\0\n", "a NUL byte"),
    "npz": (GOOD, "line 1"),
    "quote": (b'a,b\n1,"2\n', "line"),
    "short line": (b"a,b,c\n1,2,3\n1,2\n", "line 3 has 2 columns"),
    "word": (b"a,b\n1,x\n2,x\nz,y\n", "line 4, column 'a': 'z' is not a number"),
    "nan": (b"a,b\n1,x\nnan,y\n", "line 3, column 'a'"),
    "header only": (b"a,b\n", "there is no sample"),
    "one line": (b"1,2\n", "set data.header=true or data.header=false"),
}


def refused(words, in_tmp, capsys, status=2):
    before = {p: p.stat().st_mtime_ns for p in in_tmp.rglob("*") if p.is_file()}
    assert main(words) == status
    err = capsys.readouterr().err
    assert err.startswith("dlexp: error: ")
    assert err.count("\n") == 1
    after = {p: p.stat().st_mtime_ns for p in in_tmp.rglob("*") if p.is_file()}
    assert {p.name for p in set(after) - set(before)} <= {"lock"}, "something was created"
    assert all(
        after[p] == before[p] for p in before if p.name not in ("lock", "run.log", "journal.jsonl")
    )
    return err


@pytest.mark.parametrize("name", NPZ)
def test_an_npz_file_that_is_none_is_told_with_its_name(name, in_tmp, capsys):
    content, said = NPZ[name]
    (in_tmp / "my.npz").write_bytes(content)
    err = refused(["data=npz", "data.path=my.npz"], in_tmp, capsys)
    assert "data.path=my.npz (command line): " in err
    assert said in err


@pytest.mark.parametrize("name", CSV)
def test_a_csv_file_that_is_none_is_told_with_its_name_and_line(name, in_tmp, capsys):
    content, said = CSV[name]
    (in_tmp / "my.csv").write_bytes(content)
    err = refused(["data=csv", "data.path=my.csv"], in_tmp, capsys)
    assert "data.path=my.csv (command line): " in err
    assert said in err


@pytest.mark.parametrize("data", ["npz", "csv"])
@pytest.mark.parametrize(
    "path",
    ["/dev/zero", "/dev/null", "fifo", "folder", "gone", "a/b/c", "", "folder/../gone", "~x"],
)
def test_what_is_no_file_is_told_at_once(data, path, in_tmp, capsys):
    os.mkfifo(in_tmp / "fifo")
    (in_tmp / "folder").mkdir()
    assert "data.path=" in refused([f"data={data}", f"data.path={path}"], in_tmp, capsys)


IDX = {
    "truncated": (lambda b: b[:-1], "is truncated"),
    "web page": (lambda b: HTML, "is a web page"),
    "wrong magic": (lambda b: b"\1" + b[1:], "is not an IDX file"),
    "terabytes": (lambda b: b[:4] + b"\xff" * 12, "too large or damaged"),
    "longer": (lambda b: b + b"x", "bytes after its end"),
    "empty": (lambda b: b"", "is empty"),
}


@pytest.mark.parametrize("name", IDX)
def test_damaged_images_are_told_with_their_file(name, in_tmp, capsys):
    change, said = IDX[name]
    (in_tmp / "my").mkdir()
    write_idx(in_tmp / "my" / "train-labels-idx1-ubyte", (np.arange(60) % 10).astype("u1"))
    images = in_tmp / "my" / "train-images-idx3-ubyte"
    write_idx(images, np.zeros((60, 2, 2), "u1"))
    images.write_bytes(change(images.read_bytes()))
    err = refused(["data=mnist", "data.folder=my"], in_tmp, capsys)
    assert "train-images-idx3-ubyte" in err
    assert said in err


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An outputs folder with a run that was cut short, and one that ended."""
    home = tmp_path_factory.mktemp("trained")
    before = os.environ.get("DLEXP_OUTPUTS")
    os.environ["DLEXP_OUTPUTS"] = str(home)
    try:
        words = [
            "data=blobs",
            "model.hidden=[4]",
            "observer=none",
            "tracking=none",
            "checkpoint.epochs=1",
        ]
        assert main(["epochs=2", *words]) == 0
    finally:
        (
            os.environ.pop("DLEXP_OUTPUTS")
            if before is None
            else os.environ.update(DLEXP_OUTPUTS=before)
        )
    (run,) = (home / "runs").iterdir()
    lines = (run / "journal.jsonl").read_text().splitlines(keepends=True)
    cut = run.with_name("cut")
    shutil.copytree(run, cut)
    (cut / "journal.jsonl").write_text("".join(lines[:-1]))
    run.rename(run.with_name("ended"))
    return home


@pytest.fixture
def outputs(trained, in_tmp):
    shutil.copytree(trained, in_tmp / "outputs")
    return in_tmp / "outputs" / "runs"


DAMAGES = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "web page": lambda path: path.write_bytes(HTML),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size) + b"\n"),
    "not utf-8": lambda path: path.write_bytes(b"\xff\xfe\n"),
    "number": lambda path: path.write_text("5\n"),
    "list": lambda path: path.write_text("[]\n"),
    "deep": lambda path: path.write_text("[" * 100_000 + "\n"),
    "pickle": lambda path: path.write_bytes(pickle.dumps({"tree": X})),
    "folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("file", ["config.yaml", "run.json", "journal.jsonl"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_told_by_every_command_that_reads_it(
    file, damage, outputs, in_tmp, capsys
):
    if (file, damage) == ("journal.jsonl", "empty") or (file, damage) == ("journal.jsonl", "half"):
        pytest.skip("a run killed in that moment leaves such a journal")
    for verb, run in (("resume", "cut"), ("replay", "ended"), ("probe", "ended")):
        DAMAGES[damage](outputs / run / file) if verb != "probe" else None
        err = refused(
            [verb, str(outputs / run), *(["observer=[path]"] if verb == "probe" else [])],
            in_tmp,
            capsys,
        )
        assert file in err or run in err


@pytest.mark.parametrize(
    "key", ["id", "name", "params", "defaults", "tags", "sources", "dataset", "tracking"]
)
@pytest.mark.parametrize("value", ["x", ["x"], 5, None])
def test_a_value_of_another_kind_in_a_runs_description_is_told_with_its_key(
    key, value, outputs, in_tmp, capsys
):
    path = outputs / "cut" / "run.json"
    if (isinstance(value, str) and key in ("id", "name")) or (
        value is None and key in ("dataset", "tracking")
    ):
        pytest.skip("it may be that")
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {key: value}))
    for verb in ("resume", "replay"):
        err = refused([verb, "cut"], in_tmp, capsys)
        assert err.startswith(f"dlexp: error: {path}: {key} must be a ")
    assert main(["doctor", "--dry-run"]) == 1
    assert f"cut/run.json: is damaged ({key} must be a " in capsys.readouterr().out


@pytest.mark.parametrize("name", ["lock", "run.log"])
def test_a_folder_where_a_file_belongs_is_told_in_one_line(name, outputs, in_tmp, capsys):
    path = outputs / "cut" / name
    path.unlink(missing_ok=True)
    path.mkdir()
    assert f"{path}: cannot be written: Is a directory" in refused(
        ["resume", "cut"], in_tmp, capsys
    )
    assert not journal.is_alive(path.parent), "so that sync and the senders pass"
    assert main(["doctor"]) in (0, 1)
    assert main(["replay", "cut"]) == 0
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("damage", sorted(set(DAMAGES) - {"gone"}))
def test_a_damaged_checkpoint_is_told_with_what_to_do(damage, outputs, in_tmp, capsys):
    path = outputs / "cut" / "checkpoints" / "last.npz"
    DAMAGES[damage](path)
    err = refused(["resume", "cut"], in_tmp, capsys)
    assert f"{path}: the checkpoint cannot be read" in err
    assert "delete it to start again from step 0" in err


def trees(tree, path=()):
    """Every place in a tree."""
    yield path
    inner = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, (list, tuple))
        else ()
    )
    for key, value in inner:
        yield from trees(value, (*path, key))


def changed(tree, path, value):
    if not path:
        return value
    tree = tree.copy() if isinstance(tree, dict) else list(tree)
    tree[path[0]] = changed(tree[path[0]], path[1:], value)
    return tree


def test_a_checkpoint_of_something_else_is_told_and_never_half_taken(outputs, in_tmp, capsys):
    path = outputs / "cut" / "checkpoints" / "last.npz"
    tree = checkpoint.load(path)
    for place in [
        (),
        ("measured",),
        ("trainer",),
        ("trainer", "t"),
        ("trainer", "storage"),
        ("trainer", "slots"),
        ("trainer", "rngs"),
        ("trainer", "best"),
        ("observers",),
    ]:
        for value in ("x", [1, 2], {}, None):
            if (place, value) in ((("observers",), {}), (("trainer", "best"), {})):
                continue
            checkpoint.save(path, {"x": value} if place == () else changed(tree, place, value))
            err = refused(["resume", "cut"], in_tmp, capsys)
            assert f"{path}: the checkpoint does not fit what is trained now" in err, (
                place,
                value,
            )


@pytest.mark.parametrize("damage", sorted(set(DAMAGES) - {"gone"}))
def test_a_damaged_network_is_told(damage, outputs):
    path = outputs / "ended" / "network.npz"
    DAMAGES[damage](path)
    with pytest.raises(UserError, match=r"network\.npz"):
        network_file.load_network(path)


def test_no_value_of_another_kind_in_a_runs_description_or_configuration_makes_a_traceback(outputs):
    import yaml

    run = outputs / "ended"
    for file, load, dump in (
        ("run.json", json.loads, json.dumps),
        ("config.yaml", yaml.safe_load, yaml.safe_dump),
    ):
        text = (run / file).read_text("utf-8")
        tree = load(text)
        places = [
            p
            for p in trees(tree)
            if len(p) < 2 or p[0] in ("optimizer", "tracking", "observer", "early_stopping")
        ]
        for place in places:
            for value in (None, 5, "../x", [], {}, [[1]]):
                (run / file).write_text(dump(changed(tree, place, value)), encoding="utf-8")
                try:
                    records.read(run)
                except UserError as e:
                    assert "\n" not in str(e)  # noqa: PT017
        (run / file).write_text(text, encoding="utf-8")
    assert records.read(run).status == "FINISHED"


@pytest.mark.parametrize(
    "text", ["", "5", "[]", "{", "null", '{"axes": 5}', '{"axes": {"a": 1}}', "[" * 100_000]
)
def test_a_damaged_sweep_is_told_by_the_commands_that_read_it(text, in_tmp, capsys):
    folder = in_tmp / "outputs" / "sweeps" / "mine"
    folder.mkdir(parents=True)
    (folder / "sweep.json").write_text(text)
    assert "sweep.json" in refused(["report", "mine"], in_tmp, capsys)
    assert "mine" in refused(["resume", "mine"], in_tmp, capsys)
