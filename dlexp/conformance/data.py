"""Promises of every data set, tested with its own small `example` if it has one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from unittest import SkipTest

import numpy as np

from dlexp.conformance import toy
from dlexp.core.dataset import Split
from dlexp.core.kinds.data import Data
from dlexp.errors import UserError

Splits = tuple[Split, Split, Split]


@contextmanager
def ready(p: Data) -> Iterator[Data]:
    with toy.folder() as place:
        yield cast("Data", toy.ready(p, place))


def load(p: Data, seed: int = 0) -> Splits:
    return p.load(np.random.default_rng(seed))


def _rows(split: Split) -> list[bytes]:
    return [row.tobytes() for row in np.ascontiguousarray(split.x)]


def _equal(a: Splits, b: Splits) -> bool:
    return all(
        np.array_equal(s.x, t.x) and np.array_equal(s.labels, t.labels)
        for s, t in zip(a, b, strict=True)
    )


def check_gives_three_splits(p: Data) -> None:
    with ready(p) as q:
        splits = load(q)
        assert len(splits) == 3, (
            f"load returns {len(splits)} splits: return training, validation and test"
        )
        for name, split in zip(("training", "validation", "test"), splits, strict=True):
            x, labels = split.x, split.labels
            assert x.ndim == 2, f"the {name} features have shape {x.shape}: make it (n, features)"
            assert len(x) > 0, f"the {name} split is empty"
            assert labels.shape == x.shape[:1], (
                f"{len(x)} {name} samples have labels of shape {labels.shape}"
            )
            assert x.shape[1] == splits[0].x.shape[1], (
                f"the {name} split has {x.shape[1]} features, training {splits[0].x.shape[1]}"
            )


def check_features_are_finite_floats(p: Data) -> None:
    with ready(p) as q:
        for split in load(q):
            assert np.issubdtype(split.x.dtype, np.floating), (
                f"features are {split.x.dtype}: make them floats"
            )
            assert np.isfinite(split.x).all(), (
                "not all features are finite: replace or drop nan and infinity"
            )


def check_labels_count_from_zero(p: Data) -> None:
    with ready(p) as q:
        splits = load(q)
        for split in splits:
            assert np.issubdtype(split.labels.dtype, np.integer), (
                f"labels are {split.labels.dtype}: make them int64"
            )
        classes = np.unique(splits[0].labels)
        assert np.array_equal(classes, np.arange(len(classes))), (
            f"the training labels are {classes[:20]}: count from 0"
        )
        assert len(classes) >= 2, "all training samples are of one class"
        for split in splits[1:]:
            strange = np.setdiff1d(split.labels, classes)
            assert not strange.size, f"classes {strange} are not in the training split"


def check_same_rng_gives_the_same_splits(p: Data) -> None:
    with ready(p) as q:
        same = _equal(load(q), load(q))
    assert same, "equal generators give different splits: draw only from the rng that is passed"


def check_other_seeds_draw_other_splits(p: Data) -> None:
    with ready(p) as q:
        a, b = np.random.default_rng(0), np.random.default_rng(1)
        untouched = a.bit_generator.state
        first, second = q.load(a), q.load(b)
        if a.bit_generator.state == untouched:
            raise SkipTest("its splits are fixed: load draws nothing from rng")
        assert not _equal(first, second), (
            "load draws from rng, but two seeds give the same splits: use the drawn numbers"
        )


def check_splits_do_not_overlap(p: Data) -> None:
    with ready(p) as q:
        rows = [_rows(split) for split in load(q)]
    if any(len(set(part)) < len(part) for part in rows):
        raise SkipTest(
            "it has equal samples within a split: those shared between splits may be equal by"
            " nature"
        )
    for i, j, names in (
        (0, 1, "training and validation"),
        (0, 2, "training and test"),
        (1, 2, "validation and test"),
    ):
        shared = len(set(rows[i]) & set(rows[j]))
        assert not shared, (
            f"{shared} samples are in both the {names} split: cut one pool into three"
        )


def check_dataset_holds_what_load_gives(p: Data) -> None:
    with ready(p) as q:
        splits, again = load(q), load(q)
        if not _equal(splits, again) or any(split.x.ndim != 2 for split in splits):
            raise SkipTest("load itself fails other checks")
        made = dataclasses.replace(cast("Any", q), n_train=None).dataset(np.random.default_rng(0))
    held = (made.train, made.validation, made.test)
    assert _equal(held, splits), (
        "dataset gives other samples than load: do not override `dataset`, or use `load` in it"
    )
    n = made.n_features if made.preparation is None else len(made.preparation.features)
    assert n == made.n_features, (
        f"its preparation gives {n} features, the samples have {made.n_features}"
    )


def check_n_train_keeps_that_many_in_proportion(p: Data) -> None:
    with ready(p) as q:
        whole = (
            dataclasses.replace(cast("Any", q), n_train=None)
            .dataset(np.random.default_rng(0))
            .train
        )
        counts = np.bincount(whole.labels)
        n = max(len(whole) // 2, len(counts))
        few = dataclasses.replace(cast("Any", q), n_train=n)
        train, other = (few.dataset(np.random.default_rng(seed)).train for seed in (0, 1))
    assert len(train) == n, f"n_train={n} leaves {len(train)} training samples"
    off = np.abs(np.bincount(train.labels, minlength=len(counts)) - counts * n / len(whole))
    assert (off <= 1).all(), (
        f"n_train={n} leaves {np.bincount(train.labels)} of {counts}: keep the proportions"
    )
    assert not np.array_equal(train.x, other.x), (
        f"two seeds draw the same {n} training samples: use rng"
    )


def check_n_train_leaves_the_other_splits_alone(p: Data) -> None:
    with ready(p) as q:
        whole = dataclasses.replace(cast("Any", q), n_train=None).dataset(np.random.default_rng(0))
        few = dataclasses.replace(cast("Any", q), n_train=len(whole.train) // 2).dataset(
            np.random.default_rng(0)
        )
    for name in ("validation", "test"):
        same = np.array_equal(whole.splits[name].x, few.splits[name].x)
        assert same, (
            f"n_train changes the {name} split: draw the subset from the training split alone"
        )


def check_refuses_an_n_train_beyond_what_there_is(p: Data) -> None:
    with ready(p) as q:
        many = len(load(q)[0]) + 1
        try:
            dataclasses.replace(cast("Any", q), n_train=many).dataset(np.random.default_rng(0))
        except UserError:
            return
    raise AssertionError(
        f"n_train={many} is accepted for {many - 1} training samples: raise a UserError"
    )


def check_says_where_it_comes_from(p: Data) -> None:
    with ready(p) as q:
        text = q.source()
    assert isinstance(text, str), "source() must be text: a link, a path, or a formula's name"
    assert text.strip(), "source() is empty: return a link, a path, or a formula's name"
