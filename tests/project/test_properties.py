"""Whatever comes in, nothing but a `UserError` comes out: overrides, data files, checkpoints,
networks, journals.

Examples are drawn by Hypothesis, the same ones every time; `pytest -m slow` draws twenty times as
many.
"""

import gzip
import io
import json
import string
import tempfile
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from dlexp import Dense, Network
from dlexp.config import compose_run, overrides, yamlfile
from dlexp.core import kinds, registry
from dlexp.core.trainer import Record
from dlexp.data import download
from dlexp.errors import UserError
from dlexp.storage import archives, checkpoint, journal, network_file
from dlexp.storage.records import RunDescription

HEALTH = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
FAST = settings(derandomize=True, deadline=None, database=None, suppress_health_check=HEALTH)


def drawn(n, **given_):
    """The test for n examples, and under the mark `slow` for 20 n."""

    def twice(test):
        def fast():
            settings(FAST, max_examples=n)(given(**given_)(test))()

        def slow():
            settings(FAST, max_examples=20 * n)(given(**given_)(test))()

        runs = [
            pytest.param(fast, id="fast"),
            pytest.param(slow, id="thorough", marks=pytest.mark.slow),
        ]
        return pytest.mark.parametrize("run", runs)(_called(test))

    return twice


def _called(test):
    def call(run):
        run()

    call.__name__, call.__doc__ = test.__name__, test.__doc__
    return call


def only_a_user_error(call, *given_):
    """What the call returns, or None where it refuses; a refusal is one line."""
    try:
        return call(*given_)
    except UserError as e:
        message = str(e)
    assert message.strip()
    assert "\n" not in message
    return None


KEYS = [
    *overrides.ROOT,
    "optimizer.lr",
    "model.hidden",
    "regularizer.dropout.ratio",
    "data.path",
    "hydra.mode",
    "init",
    "hydra.sweeper.params.seed",
    "hydra/launcher",
    "tracking.uri",
    "study.title",
    "_target_",
    "",
]
PIECES = [
    "1",
    "0.1",
    "-1",
    "1e-3",
    "adam",
    "sgd",
    "none",
    "[",
    "]",
    "{",
    "}",
    "(",
    ")",
    ",",
    ":",
    "'",
    '"',
    "\\",
    "$",
    "${",
    "seed",
    ".",
    "range",
    "choice",
    "interval",
    "glob",
    "null",
    "true",
    "nan",
    " ",
    "=",
    "~",
    "+",
    "@",
    "/",
    "*",
    "é",
    "日",
    "\n",
    "\0",
    "\udc80",
    "010",
    "???",
    "#",
    "%",
    "[[",
    "0x1",
]
VALUES = st.lists(st.sampled_from(PIECES), max_size=6).map("".join) | st.text(max_size=12)
TYPED = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "", "", "+", "++", "~"]),
    st.sampled_from(KEYS) | st.text(max_size=8),
    st.sampled_from(["=", "=", "=", "", "@x="]),
    VALUES,
)


@drawn(200, words=st.lists(TYPED, max_size=3))
def test_no_override_makes_a_traceback(words):
    only_a_user_error(lambda: overrides.check(overrides.normalize(words)))


LIKELY = st.builds(
    "{}={}".format,
    st.sampled_from(
        [
            "optimizer.lr",
            "seed",
            "model.hidden",
            "epochs",
            "dtype",
            "steps",
            "regularizer",
            "sweep",
            "zip",
            "early_stopping.patience",
            "checkpoint.seconds",
            "tracking.uri",
            "optimizer",
            "data.n_train",
        ]
    ),
    st.sampled_from(
        [
            "1",
            "0",
            "-1",
            "1e400",
            "[1]",
            "[]",
            "{a:1}",
            "null",
            "true",
            "x",
            "''",
            "???",
            "${seed}",
            "${x}",
            "[1,[2]]",
            "none",
            "adam",
            "9e99",
            "[null]",
            "1.5",
            "[none]",
            "{}",
            "9223372036854775808",
        ]
    ),
)


@drawn(20, words=st.lists(LIKELY, min_size=1, max_size=2))
def test_no_configuration_makes_a_traceback(words):
    setup = only_a_user_error(compose_run, *words)
    assert setup is None or setup.yaml


@drawn(
    150,
    content=st.binary(max_size=60)
    | st.text(st.sampled_from(list("abn0:- []{}&*#!'\"\n\t,|>?%@`~<=\r\ufeff")), max_size=40).map(
        str.encode
    ),
)
def test_no_yaml_file_makes_a_traceback(content):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.yaml"
        file.write_bytes(content)
        only_a_user_error(lambda: yamlfile.construct(yamlfile.read(file, "x.yaml"), "x.yaml"))


def _npz(**given_):
    file = io.BytesIO()
    np.savez(file, **given_)
    return file.getvalue()


def _saved(save):
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / "x")
        return (Path(folder) / "x").read_bytes()


RNG = np.random.default_rng(0)
NETWORK = Network([Dense(units=4), registry.find("activation", "relu")(), Dense(units=3)], 5)
TREE = {
    "t": 3,
    "slots": {"m": RNG.random(4)},
    "best": (None, [1.5]),
    "rng": {"state": 2**70},
    "ns": SimpleNamespace(a=1),
}
IMAGES = np.arange(60, dtype="u1").reshape(3, 4, 5)


def _parquet(**columns):
    file = io.BytesIO()
    pd.DataFrame(columns).to_parquet(file)
    return file.getvalue()


def data(name, **settings):
    plugin = registry.find("data", name)(**settings)
    return lambda path: replace(plugin, path=str(path)).load(np.random.default_rng(0))


LOADERS = {  # what is read: a good file, who reads it
    "npz": (_npz(x=RNG.random((30, 2)), y=np.arange(30) % 3), data("npz")),
    "table": (
        b"id;b;c;kind\n"
        + b"".join(
            b"%d;%d,5;%s;%d\n" % (i, i * 7 % 5, (b"u", b"NA")[i % 2], i % 2) for i in range(20)
        ),
        data("table", missing="mean"),
    ),
    "table.gz": (
        gzip.compress(
            b"a b c\n" + b"".join(b"%d %d.5 %d\n" % (i * i, i * 7 % 5, i % 2) for i in range(20))
        ),
        data("table"),
    ),
    "parquet": (_parquet(a=np.arange(20) ** 2, b=[*"uv"] * 10, c=np.arange(20) % 2), data("table")),
    "csv": (
        b"a,b,c\n" + b"".join(b"%d,%d.5,%d\n" % (i, i * 7 % 5, i % 2) for i in range(20)),
        data("csv"),
    ),
    "idx": (_saved(lambda path: download.write_idx(path, IMAGES)), download.read_idx),
    "idx.gz": (
        _saved(
            lambda path: (
                download.write_idx(path.with_suffix(".gz"), IMAGES)
                or path.with_suffix(".gz").rename(path)
            )
        ),
        download.read_idx,
    ),
    "arrays": (
        _saved(lambda path: archives.write_arrays(path, {"a": RNG.random(5)})),
        archives.read_arrays,
    ),
    "checkpoint": (_saved(lambda path: checkpoint.save(path, TREE)), checkpoint.load),
    "network": (
        _saved(lambda path: network_file.save_network(path, NETWORK)),
        network_file.load_network,
    ),
}
DAMAGE = st.lists(
    st.tuples(
        st.sampled_from(["flip", "put", "cut", "take", "add", "copy"]),
        st.integers(0, 2**16),
        st.integers(0, 2**16),
        st.binary(max_size=8),
    ),
    min_size=1,
    max_size=4,
)


def damaged(content, damage):
    """Bits flipped, bytes overwritten, cut off, taken out, put in, copied elsewhere."""
    b = bytearray(content)
    for what, i, j, more in damage:
        at, to = i % (len(b) + 1), j % (len(b) + 1)
        match what:
            case "flip" if at < len(b):
                b[at] ^= 1 << j % 8
            case "put":
                b[at : at + len(more)] = more
            case "cut":
                del b[at:]
            case "take":
                del b[min(at, to) : min(at, to) + j % 40]
            case "add":
                b[at:at] = more
            case "copy":
                b[at : at + 8] = b[to : to + 8]
    return bytes(b)


@drawn(350, name=st.sampled_from(sorted(LOADERS)), damage=DAMAGE)
def test_no_damaged_file_makes_a_traceback(name, damage):
    good, load = LOADERS[name]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"x.{name}"
        file.write_bytes(damaged(good, damage))
        only_a_user_error(load, file)


@drawn(
    120,
    name=st.sampled_from(["npz", "arrays", "checkpoint", "network"]),
    method=st.sampled_from(
        [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
    ),
    shape=st.lists(st.sampled_from([-1, 0, 1, 3, 30, 2**31, 2**40]), max_size=4).map(tuple),
    more=st.binary(max_size=20),
    kind=st.sampled_from(["<f8", ">f4", "|O", "<U5", "|V0", "|u1", "<M8[ns]", "<c16", "nope"]),
)
def test_no_archive_of_promises_makes_a_traceback_or_takes_memory(name, method, shape, more, kind):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": kind, "fortran_order": False, "shape": shape}
    )
    good, load = LOADERS[name]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.npz"
        with zipfile.ZipFile(io.BytesIO(good)) as old, zipfile.ZipFile(file, "w", method) as new:
            for i, entry in enumerate(old.namelist()):
                replaced = entry.endswith(".npy") and i == len(more) % len(old.namelist())
                new.writestr(entry, header.getvalue() + more if replaced else old.read(entry))
        tracemalloc.start()
        try:
            only_a_user_error(load, file)
            assert tracemalloc.get_traced_memory()[1] < 2**24
        finally:
            tracemalloc.stop()


PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | hnp.arrays(
        hnp.boolean_dtypes()
        | hnp.integer_dtypes()
        | hnp.floating_dtypes()
        | hnp.unicode_string_dtypes(max_len=3),
        hnp.array_shapes(min_dims=0, max_dims=3, max_side=3),
    )
    | hnp.from_dtype(np.dtype("f4"), allow_nan=False).map(np.float32)
)
NAMES = st.text(string.ascii_letters, min_size=1, max_size=5)
TREES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(NAMES | st.integers() | st.tuples(st.integers()), inner, max_size=3)
        | st.dictionaries(NAMES, inner, max_size=3).map(lambda d: SimpleNamespace(**d))
    ),
    max_leaves=8,
)


def same(a, b):
    """The same to the type and the bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (np.ndarray, np.generic)):
        return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return [*a] == [*b] and all(same(a[k], b[k]) for k in a)
    if isinstance(a, SimpleNamespace):
        return same(vars(a), vars(b))
    return repr(a) == repr(b)


@drawn(150, tree=st.dictionaries(NAMES, TREES, max_size=3))
def test_a_checkpoint_is_what_was_saved_to_the_type_and_the_bit(tree):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "last.npz"
        checkpoint.save(file, tree)
        first = file.read_bytes()
        loaded = checkpoint.load(file)
        assert same(loaded, tree)
        checkpoint.save(file, loaded)
        assert file.read_bytes() == first


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
EVENT = st.fixed_dictionaries(
    {"event": st.sampled_from(["start", "record", "note", "finish", "resume"]) | JSON},
    optional={
        "time_ms": st.integers() | JSON,
        "elapsed": st.floats() | JSON,
        "epoch": st.integers() | JSON,
        "step": st.integers() | JSON,
        "error": JSON,
        "metrics": st.dictionaries(st.text(max_size=5), st.floats() | JSON, max_size=2),
        "status": st.just("FINISHED") | JSON,
    },
)
LINES = st.lists(
    (EVENT | JSON).map(lambda e: json.dumps(e).encode()) | st.binary(max_size=20), max_size=5
)


@drawn(250, lines=LINES, cut=st.integers(0, 30))
def test_no_journal_makes_a_traceback_and_its_complete_lines_are_read(lines, cut):
    text = b"".join(line + b"\n" for line in lines)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "journal.jsonl").write_bytes(text[: max(0, len(text) - cut)])
        found = only_a_user_error(journal.events, Path(folder))
        records = only_a_user_error(journal.records, Path(folder))
    assert (found is None) == (records is None)
    assert found is None or all(isinstance(event.kind, str) for event in found[0])


@drawn(
    60,
    metrics=st.lists(st.dictionaries(st.text(max_size=6), st.floats(), max_size=3), max_size=4),
    cut=st.integers(0, 80),
)
def test_what_a_journal_was_told_it_tells_again_up_to_where_it_was_cut(metrics, cut):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        book = journal.Journal(folder, RunDescription(id="x"))
        for i, m in enumerate(metrics):
            book.record(Record(i, 10 * i, m))
        book.finish("FINISHED")
        whole = journal.records(folder)
        file = folder / "journal.jsonl"
        file.write_bytes(file.read_bytes()[: -cut or None])
        part = journal.records(folder)
    assert [(r.epoch, r.step) for r in whole] == [(i, 10 * i) for i in range(len(metrics))]
    for r, m in zip(whole, metrics, strict=True):
        assert [*r.metrics] == [*m]
        assert all(r.metrics[n] == v or not np.isfinite(v) for n, v in m.items())
    assert [r.step for r in part] == [r.step for r in whole[: len(part)]]


def test_every_kind_of_damage_is_among_the_examples():
    assert {
        damaged(b"0123456789", [(what, 3, 5, b"xyz")]) != b"0123456789"
        for what in ("flip", "put", "cut", "take", "add", "copy")
    } == {True}
    assert set(kinds.KINDS) <= set(KEYS)
