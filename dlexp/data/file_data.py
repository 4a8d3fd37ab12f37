"""Classification tasks in files of the user's own."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from dlexp import paths
from dlexp.core.arrays import Array, Rng
from dlexp.core.dataset import Split, standardized, three_way
from dlexp.core.fields import between
from dlexp.core.kinds.data import Data
from dlexp.errors import DataError, nearest

SHOWN = 20  # names in an error message
MOST_EXACT = 2**53  # the largest whole number up to which float64 knows every one
Raw = tuple[Array, Array]  # features (n, …) and labels (n,), as they stand in the file
# a NumPy number: a plain one would become float16 beside float16
LARGEST = np.float64(np.finfo(np.float32).max)


@dataclass(frozen=True, kw_only=True)
class FileData(Data):
    """Labelled samples from the file `path`; a subclass reads its format.

    Labels, whole numbers or words, become 0 … K − 1 in sorted order. Images (n, height, width) are
    flattened. Samples that the file does not split are split here, stratified by the seed: shares
    `validation` and `test` of them, the rest for training. With `standardize` each column becomes
    (x − mean) / std, both taken from the whole training split (before `n_train`); a column that is
    constant there becomes 0. Features are float32 in the end.

    Raises `DataError` with the path and what is wrong.
    """

    path: str = ""
    standardize: bool = True
    validation: float = between(0.01, 0.45, 0.1)
    test: float = between(0.01, 0.45, 0.2)
    suffix: ClassVar[str]

    @abstractmethod
    def read(self, file: Path) -> Mapping[str, Raw]:
        """Features and labels under "all", or under "train", "test" and perhaps "validation"."""

    def source(self) -> str:
        return self.path

    def files(self) -> list[Path]:
        return [self._file()]

    def refused(
        self, wrong: str, *, key: str = "path", asked: str = "", known: Sequence[str] = ()
    ) -> DataError:
        """The error for this file; the hint is the name of `known` nearest to `asked`."""
        names = ", ".join(known[:SHOWN]) + (
            f", … ({len(known)} in all)" if len(known) > SHOWN else ""
        )
        spelled = {name.lower(): name for name in known}
        hint = spelled.get(nearest(asked.lower(), spelled), "")
        wrong = f"{wrong}; there are {names}" if known else wrong
        return DataError(wrong, key=f"data.{key}", value=getattr(self, key), hint=hint)

    def load(self, rng: Rng) -> tuple[Split, Split, Split]:
        raw = self.read(self._file())
        numbers = self._classes({name: labels for name, (_, labels) in raw.items()})
        parts = {
            name: Split(self._features(name, x), numbers[name]) for name, (x, _) in raw.items()
        }
        self._check_widths(parts)
        if "all" in parts:
            train, validation, test = self._cut(parts["all"], self.validation, self.test, rng)
        elif "validation" in parts:
            train, validation, test = parts["train"], parts["validation"], parts["test"]
        else:
            train, validation, _ = self._cut(parts["train"], self.validation, 0, rng)
            test = parts["test"]
        if self.standardize:
            return standardized(train, validation, test)
        train, validation, test = (
            Split(s.x.astype(np.float32), s.labels) for s in (train, validation, test)
        )
        return train, validation, test

    def _file(self) -> Path:
        if not self.path:
            raise self.refused(f"set the file: data.path=<file{self.suffix}>")
        file = paths.expanded(self.path)
        if not file.parent.is_dir():
            raise self.refused(f"there is no folder {file.parent}")
        if not file.exists():
            others = sorted(p.name for p in file.parent.glob(f"*{self.suffix}"))
            raise self.refused("there is no such file", asked=file.name, known=others)
        if not file.is_file():
            raise self.refused("is not a file")
        if not os.access(file, os.R_OK):
            raise self.refused("the file may not be read (permissions)")
        if file.stat().st_size == 0:
            raise self.refused("the file is empty")
        return file

    def _features(self, name: str, x: Array) -> Array:
        """Flattened, and every number finite in float32."""
        x = x.reshape(len(x), -1)
        bad = ~(np.abs(x) <= LARGEST)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            where = "" if name == "all" else f" of the {name} split"
            value = f"{x[row, column]}, not a finite number of float32's range"
            raise self.refused(
                f"sample {row}{where}, feature {column} (both counted from 0) is {value}"
            )
        return x

    def _check_widths(self, parts: Mapping[str, Split]) -> None:
        for name, split in parts.items():
            if split.x.shape[1] != (wanted := parts.get("train", split).x.shape[1]):
                raise self.refused(
                    f"the {name} split has {split.x.shape[1]} features, the training split {wanted}"
                )

    def _classes(self, raw: Mapping[str, Array]) -> dict[str, Array]:
        """Labels of every split as 0 … K − 1, by the sorted labels of the training split."""
        labels = {name: self._whole(name, array) for name, array in raw.items()}
        known = np.unique(labels["train" if "train" in labels else "all"])
        if len(known) < 2:
            raise self.refused(
                f"all labels are {known.tolist()[0]!r}; at least two classes are needed"
            )
        for name, array in labels.items():
            if array.dtype.kind != known.dtype.kind:
                raise self.refused(
                    f"the {name} labels and the training labels are not both numbers or both words"
                )
            if strange := np.setdiff1d(array, known).tolist():
                raise self.refused(
                    f"the {name} label {strange[0]!r} does not occur among the training labels"
                )
        return {
            name: np.searchsorted(known, array).astype(np.int64) for name, array in labels.items()
        }

    def _whole(self, name: str, labels: Array) -> Array:
        """Labels as int64 or as text."""
        if labels.dtype.kind == "U":
            return labels
        numbers = labels.astype(np.float64)
        if (
            bad := np.flatnonzero((numbers != np.floor(numbers)) | (np.abs(numbers) > MOST_EXACT))
        ).size:
            where = "" if name == "all" else f"{name} "
            wrong = f"{where}label {bad[0]} (counted from 0) is {labels[bad[0]]}"
            raise self.refused(f"{wrong}; labels must be whole numbers (up to 2**53) or words")
        return labels.astype(np.int64)

    def _cut(
        self, samples: Split, validation: float, test: float, rng: Rng
    ) -> tuple[Split, Split, Split]:
        n, counts = len(samples), np.bincount(samples.labels)
        n_validation, n_test = (
            max(1, round(share * n)) if share else 0 for share in (validation, test)
        )
        splits = (
            three_way(samples, n_validation, n_test, rng) if n_validation + n_test < n else None
        )
        if splits is None or len(np.unique(splits[0].labels)) < len(counts):
            few = f"{n} samples, {counts.min()} of the rarest of {len(counts)} classes"
            raise self.refused(f"{few}, are too few to split: every class needs a training sample")
        return splits
