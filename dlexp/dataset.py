"""Labelled samples in three splits, checked before anything is trained on them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dlexp.errors import DataError

Array = np.ndarray[Any, np.dtype[Any]]


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


@dataclass(frozen=True)
class Dataset:
    """The three splits of a task. Raises `DataError` where a split cannot be trained or tested on."""

    train: Split
    validation: Split
    test: Split
    name: str = "data"
    source: str = ""

    def __post_init__(self) -> None:
        for name, split in self.splits.items():
            _check(name, split, self.train.x.shape[-1])
        if len(np.unique(self.train.labels)) < 2:
            raise DataError("the training labels are all of one class; at least two are needed", key="data")

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
        }


def _check(name: str, split: Split, features: int) -> None:
    x, labels = split.x, split.labels
    wrong = ""
    if x.ndim != 2 or labels.shape != x.shape[:1]:
        wrong = f"features {x.shape} and labels {labels.shape} must be (n, features) and (n,)"
    elif not len(split):
        wrong = "there is not one sample in it"
    elif x.shape[1] != features:
        wrong = f"it has {x.shape[1]} features, the training split {features}"
    elif not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        wrong = "labels must be whole numbers from 0"
    elif not np.isfinite(x).all():
        row, column = np.argwhere(~np.isfinite(x))[0]
        wrong = f"sample {row}, feature {column} is {x[row, column]}, not a finite number"
    if wrong:
        raise DataError(f"the {name} split cannot be used: {wrong}", key="data")


def proportional(labels: Array, n: int, rng: np.random.Generator) -> Array:
    """Indices of n samples, the classes in proportion (largest remainders first), in random order.

    Raises `DataError` if there are fewer than n.

    >>> labels = np.array([0] * 30 + [1] * 10)
    >>> np.bincount(labels[proportional(labels, 8, np.random.default_rng(0))]).tolist()
    [6, 2]
    """
    if n > len(labels):
        raise DataError(f"there are only {len(labels)} samples to draw from", key="data.n_train", value=n)
    classes, counts = np.unique(labels, return_counts=True)
    share = counts * n / len(labels)
    quota = np.floor(share).astype(int)
    quota[np.argsort(quota - share, kind="stable")[: n - quota.sum()]] += 1
    drawn = [rng.permutation(np.flatnonzero(labels == c))[:k] for c, k in zip(classes, quota, strict=True)]
    return rng.permutation(np.concatenate(drawn))


def stratified(split: Split, n: int, rng: np.random.Generator) -> Split:
    """n samples of a split, the classes in proportion."""
    return split.take(proportional(split.labels, n, rng))


def three_way(samples: Split, validation: int, test: int, rng: np.random.Generator) -> tuple[Split, Split, Split]:
    """Cut samples into training, validation and test splits, every class in proportion in each."""
    rest = np.arange(len(samples))
    parts = []
    for size in (test, validation):
        drawn = proportional(samples.labels[rest], size, rng)
        parts.append(samples.take(rest[drawn]))
        rest = np.delete(rest, drawn)
    return samples.take(rest), parts[1], parts[0]
