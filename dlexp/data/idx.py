"""Data sets of small images in the four IDX files that MNIST made customary."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from dlexp import paths
from dlexp.core.arrays import Array, Rng
from dlexp.core.dataset import Split, three_way
from dlexp.core.kinds.data import Data
from dlexp.data.download import cache_folder, fetch, read_idx, write_idx
from dlexp.errors import DataError

log = logging.getLogger("dlexp")

PARTS = {"train": "training", "t10k": "test"}  # as the files are named, and in words
CLASSES = 10


@dataclass(frozen=True, kw_only=True)
class IdxImages(Data):
    """Images (n, height, width) of bytes in ten classes; pixels become float32 in 0 … 1, flattened.

    The files are train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
    t10k-labels-idx1-ubyte, gzipped (.gz) or not; "-idx" may be spelled ".idx". They are looked for
    in `folder`, or fetched once into the cache folder (`DLEXP_CACHE`, or the user's cache folder of
    the system). A twelfth of the training images is kept for validation, stratified (60,000 become
    55,000 and 5,000); the t10k images are the test split. Where there are only test or only
    training images, those are split 80 % / 10 % / 10 %, with a notice.

    A subclass names the `mirrors` (URLs of folders), the SHA-256 of each gzipped file, and a `link`
    to a description. Raises `DataError` where files are missing, damaged, do not belong together,
    or cannot be fetched.
    """

    folder: str | None = None
    mirrors: ClassVar[Sequence[str]]
    sha256: ClassVar[Mapping[str, str]]
    link: ClassVar[str]

    def source(self) -> str:
        return self.link if self.folder is None else self.folder

    def files(self) -> list[Path]:
        return [path for pair in self._pairs().values() for path in pair]

    def load(self, rng: Rng) -> tuple[Split, Split, Split]:
        parts = {part: self._samples(*pair) for part, pair in self._pairs().items()}
        if len(parts) == 2:
            train, validation, _ = three_way(
                parts["train"], round(len(parts["train"]) / 12), 0, rng
            )
            splits = train, validation, parts["t10k"]
        else:
            [(part, samples)] = parts.items()
            tenth = round(len(samples) / 10)
            splits = three_way(samples, tenth, tenth, rng)
            sizes = " / ".join(f"{len(s):,}" for s in splits)
            log.warning(
                "%s: there are only %s images; they are split %s", self.folder, PARTS[part], sizes
            )
        train, validation, test = (Split(s.x / np.float32(255), s.labels) for s in splits)
        return train, validation, test

    def _pairs(self) -> dict[str, tuple[Path, Path]]:
        """The images and the labels of each part."""
        return self._fetched() if self.folder is None else self._found(paths.expanded(self.folder))

    def _fetched(self) -> dict[str, tuple[Path, Path]]:
        advice = (
            "put the files into a folder and set data.folder=<folder> (files:"
            f" {', '.join(self.sha256)})"
        )
        cache = cache_folder(self.name)
        path = {
            name: fetch([mirror + name for mirror in self.mirrors], digest, cache, advice=advice)
            for name, digest in self.sha256.items()
        }
        return {
            part: (path[f"{part}-images-idx3-ubyte.gz"], path[f"{part}-labels-idx1-ubyte.gz"])
            for part in PARTS
        }

    def _found(self, folder: Path) -> dict[str, tuple[Path, Path]]:
        """Images and labels of each part that the folder holds."""
        if not folder.is_dir():
            raise DataError("there is no such folder", key="data.folder", value=self.folder)
        files: dict[str, tuple[Path, Path]] = {}
        for part in PARTS:
            images, labels = (
                _existing(folder, part, what) for what in ("images-idx3", "labels-idx1")
            )
            if images and labels:
                files[part] = images, labels
            elif images or labels:
                there, missing = ("images", "labels") if images else ("labels", "images")
                wrong = (
                    f"it holds {images or labels} but not the {missing} that belong to these"
                    f" {there}"
                )
                raise DataError(wrong, key="data.folder", value=self.folder)
        if not files:
            names = ", ".join(
                f"{part}-{what}-ubyte" for part in PARTS for what in ("images-idx3", "labels-idx1")
            )
            wrong = (
                f"it holds no IDX files; looked for {names}, each also with .gz and with .idx for"
                " -idx"
            )
            raise DataError(wrong, key="data.folder", value=self.folder)
        return files

    def _samples(self, images: Path, labels: Path) -> Split:
        """The samples of two files, pixels still as bytes."""
        x, t = read_idx(images), read_idx(labels)
        for path, array, dimensions in ((images, x, 3), (labels, t, 1)):
            if array.dtype != np.uint8 or array.ndim != dimensions:
                wrong = (
                    f"{path} holds {array.dtype} of shape {array.shape}, not bytes in {dimensions}"
                    " dimensions"
                )
                raise DataError(wrong, key="data")
        if len(x) != len(t):
            raise DataError(
                f"{images} holds {len(x)} images, but {labels} {len(t)} labels", key="data"
            )
        if t.max() >= CLASSES:
            at = int(np.argmax(t >= CLASSES))
            raise DataError(
                f"{labels} is damaged: label {at} is {t[at]}, more than {CLASSES - 1}", key="data"
            )
        return Split(x.reshape(len(x), -1), t.astype(np.int64))

    def example(self, folder: Path) -> IdxImages:
        """Four small files of 8 × 8 pixels: a bright row or column in noise for each class."""
        rng = np.random.default_rng(0)
        for part, n in (("train", 360), ("t10k", 100)):
            labels = (np.arange(n) % CLASSES).astype(np.uint8)
            write_idx(folder / f"{part}-images-idx3-ubyte.gz", _stripes(labels, rng))
            write_idx(folder / f"{part}-labels-idx1-ubyte", labels)
        return replace(self, folder=str(folder))


def _existing(folder: Path, part: str, what: str) -> Path | None:
    names = [f"{part}-{what}-ubyte", f"{part}-{what}-ubyte".replace("-idx", ".idx")]
    return next(
        (folder / n for name in names for n in (name, f"{name}.gz") if (folder / n).is_file()), None
    )


def _stripes(labels: Array, rng: Rng) -> Array:
    """One 8 × 8 image per label: rows 1, 3, 5, 7 and columns 1–6 are bright for labels 0–9."""
    images = rng.integers(0, 100, (len(labels), 8, 8), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        if label < 4:
            image[2 * label + 1] += 150
        else:
            image[:, label - 3] += 150
    return images
