"""Labelled samples in three splits, checked before training."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dlexp.core.arrays import Array
from dlexp.errors import DataError, shown

if TYPE_CHECKING:
    from zipfile import ZipFile

MAX_NAMES = 20  # in a message


@dataclass(frozen=True)
class Split:
    """Features (n, features) as floats and labels (n,) as whole numbers 0 … classes − 1."""

    x: Array
    labels: Array

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Array) -> Split:
        """The samples at `indices`."""
        return Split(self.x[indices], self.labels[indices])


class TablePreparation(Protocol):
    """How the columns of a table became features; saved with a network."""

    @property
    def features(self) -> Sequence[str]:
        """The names of the features."""

    @property
    def classes(self) -> Sequence[str | int]:
        """The labels in the order of the outputs."""

    def write(self, archive: ZipFile) -> None:
        """Write it into a network's file."""


@dataclass(frozen=True)
class Dataset:
    """The three splits of a task. Raises `DataError` for a split that cannot be used.

    For a table, `preparation` is how its columns became features; `notes` record it.
    """

    train: Split
    validation: Split
    test: Split
    name: str = "data"
    source: str = ""
    preparation: TablePreparation | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, split in self.splits.items():
            _check(name, split, self.train.x.shape[-1])
        # np.unique would import numpy.ma, 12 ms
        if self.train.labels.min() == self.train.labels.max():
            wrong = "the training labels are all of one class; at least two are needed"
            raise DataError(wrong, key="data")

    @property
    def splits(self) -> dict[str, Split]:
        """Split by name: train, validation, test."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def n_features(self) -> int:
        """Numbers per sample."""
        return int(self.train.x.shape[1])

    @cached_property
    def n_classes(self) -> int:
        """Classes, counted as the largest label of any split plus one."""
        return 1 + max(int(s.labels.max()) for s in self.splits.values())

    @cached_property
    def sha256(self) -> str:
        """Fingerprint of all splits: shapes, types and every byte."""
        digest = hashlib.sha256()
        for split in self.splits.values():
            for array in (split.x, split.labels):
                digest.update(f"{array.shape} {array.dtype.str} ".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """The task as plain data, for the journal and for MLflow."""
        sizes = {name: len(split) for name, split in self.splits.items()}
        return {
            "name": self.name,
            "source": self.source,
            "sha256": self.sha256,
            "features": self.n_features,
            "classes": self.n_classes,
            **sizes,
            **self.notes,
        }

    def messages(self) -> list[str]:
        """Lines that describe a table."""
        return messages(self.describe()) if self.notes else []


def _check(name: str, split: Split, features: int) -> None:
    x, labels = split.x, split.labels
    wrong = ""
    if x.ndim != 2 or labels.shape != x.shape[:1]:
        wrong = f"features {x.shape} and labels {labels.shape} must be (n, features) and (n,)"
    elif not len(split):
        wrong = "it has no samples"
    elif x.shape[1] != features:
        wrong = f"it has {x.shape[1]} features, the training split {features}"
    elif not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        wrong = "labels must be whole numbers from 0"
    elif not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0]
        wrong = f"sample {row}, feature {column} is {x[row, column]}, not a finite number"
    if wrong:
        raise DataError(f"the {name} split cannot be used: {wrong}", key="data")


def proportional(labels: Array, n: int, rng: np.random.Generator, *, least: int = 0) -> Array:
    """Indices of n samples, the classes in proportion (largest remainders first), in random order.

    Every class gets at least `least`, or all it has. Raises `DataError` if there are fewer than n
    samples.

    >>> labels = np.array([0] * 30 + [1] * 10)
    >>> np.bincount(labels[proportional(labels, 8, np.random.default_rng(0))]).tolist()
    [6, 2]
    """
    if n > len(labels):
        raise DataError(f"there are only {len(labels)} samples, {n} are asked for", key="data")
    classes, counts = np.unique(labels, return_counts=True)
    quota = _quota(counts, n, np.minimum(counts, least))
    drawn = [
        rng.permutation(np.flatnonzero(labels == c))[:k]
        for c, k in zip(classes, quota, strict=True)
    ]
    return rng.permutation(np.concatenate(drawn))


def _quota(counts: Array, n: int, least: Array) -> Array:
    """How many samples of each class make n; `least` are the minima, together no more than n."""
    share = counts * n / counts.sum()
    quota: Array = np.maximum(np.floor(share).astype(int), least)
    while quota.sum() < n:
        quota[np.argmax(share - quota)] += 1
    while quota.sum() > n:
        quota[np.argmax(np.where(quota > least, quota - share, -np.inf))] -= 1
    return quota


def stratified(split: Split, n: int, rng: np.random.Generator) -> Split:
    """n samples of a split, the classes in proportion and each class at least once.

    Raises `DataError` if n is larger than the split or smaller than the number of classes.
    """
    classes = len(np.unique(split.labels))
    if n > len(split):
        wrong = f"there are only {len(split)} training samples"
        raise DataError(wrong, key="data.n_train", value=n)
    if n < classes:
        wrong = f"there are {classes} classes, and each needs a training sample"
        raise DataError(wrong, key="data.n_train", value=n)
    return split.take(proportional(split.labels, n, rng, least=1))


def three_way(
    samples: Split, validation: int, test: int, rng: np.random.Generator
) -> tuple[Split, Split, Split]:
    """Cut samples into training, validation and test splits, every class in proportion in each."""
    rest = np.arange(len(samples))
    parts = []
    for size in (test, validation):
        drawn = proportional(samples.labels[rest], size, rng)
        parts.append(samples.take(rest[drawn]))
        rest = np.delete(rest, drawn)
    return samples.take(rest), parts[1], parts[0]


def standardized(train: Split, validation: Split, test: Split) -> tuple[Split, Split, Split]:
    """x ← (x − mean) / std by column, in float32; mean and std come from the training split.

    Computed in float64. A column that is constant in the training split becomes 0 in all three.
    Source: LeCun, Bottou, Orr & Müller (1998), section 4.3, https://doi.org/10.1007/3-540-49430-8_2
    """
    shift, scale = shift_and_scale(train.x)
    with np.errstate(over="ignore"):  # `Dataset` refuses an infinite result
        done = [
            Split(((s.x - shift) * scale).astype(np.float32), s.labels)
            for s in (train, validation, test)
        ]
    return done[0], done[1], done[2]


def shift_and_scale(x: Array) -> tuple[Array, Array]:
    """The mean and 1 / std (0 for a constant column) of each column, in float64."""
    x = x.astype(np.float64, copy=False)
    std = x.std(axis=0)
    varies = (x.min(axis=0) < x.max(axis=0)) & (std > np.finfo(np.float64).tiny)
    return x.mean(axis=0), np.divide(1.0, std, out=np.zeros_like(std), where=varies)


def messages(dataset: Mapping[str, Any] | None) -> list[str]:
    """Lines that describe a table, from the `dataset` in a run.json."""
    if not dataset or "label" not in dataset:
        return []
    classes = [str(name) for name in dataset.get("class_names") or ()]
    parts = [f"label {shown(str(dataset['label']))} ({len(classes)} classes: {_listed(classes)})"]
    parts.append(f"{dataset.get('features')} features")
    if encoded := dataset.get("encoded"):
        parts.append(f"one-hot: {_listed([*encoded])}")
    if dropped := dataset.get("dropped"):
        parts.append(f"left out: {_listed([f'{name} ({why})' for name, why in dropped.items()])}")
    if n := dataset.get("dropped_samples"):
        parts.append(f"{n} samples with missing values left out")
    if filled := dataset.get("filled"):
        counts = [f"{name} ({n})" for name, n in filled.items()]
        parts.append(f"filled with means: {_listed(counts)}")
    return [
        f"table     {'; '.join(parts)}",
        *(f"warning   {line}" for line in dataset.get("warnings") or ()),
    ]


def _listed(names: Sequence[str]) -> str:
    more = f", … ({len(names)} in all)" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more
