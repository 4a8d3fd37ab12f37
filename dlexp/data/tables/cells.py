"""Cells of a table as numbers and words, and columns of them as features."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlexp.core.arrays import Array
from dlexp.errors import DataError

MISSING = (
    "",
    "?",
    "NA",
    "na",
    "N/A",
    "n/a",
    "#N/A",
    "<NA>",
    "NaN",
    "nan",
    "NAN",
    "-nan",
    "-NaN",
    "NaT",
    "null",
    "NULL",
    "Null",
    "None",
)
EMPTY = ("",)  # what is missing where every word is a value
TRUTH = {"true": 1.0, "false": 0.0}
# as a shell takes them
SIGNS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " ", "point": "."}
LARGEST = np.float64(np.finfo(np.float32).max)
UNREAD = np.empty(0)  # the values of a dropped column
TOGETHER = 8  # columns written at a time: a line of the cache holds so many numbers


def number(cell: str, decimal: str = ".") -> float:
    """The number in a cell. Raises `ValueError` for others, and for Python's 1_000 and ٣.

    >>> number(" 2.5 "), number("2,5", ",")
    (2.5, 2.5)
    """
    if decimal != ".":
        if "." in cell:
            raise ValueError(cell)
        cell = cell.replace(decimal, ".")
    value = float(cell)
    if "_" in cell or not cell.strip().isascii():
        raise ValueError(cell)
    return value


def is_number(cell: str, decimal: str = ".") -> bool:
    """Whether a cell holds a number, finite or not."""
    try:
        number(cell, decimal)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Column:
    """A column: numbers (NaN where missing), or words as indices into `words` (−1: missing).

    One that is not `named` in the file is called as pandas calls it: `Unnamed: 0`.
    """

    name: str
    values: Array
    words: tuple[str, ...] | None = None
    named: bool = True

    def missing(self) -> Array:
        """Where there is no value."""
        return self.values < 0 if self.words is not None else np.isnan(self.values)

    def width(self) -> int:
        """How many features it becomes."""
        return 1 if self.words is None else len(self.words)

    def write(self, rows: Array, into: Array) -> None:
        """The column's features for these rows, (features, n): the number, or words one-hot."""
        if self.words is None:
            np.take(self.values, rows, out=into[0], mode="clip")  # "clip": no copy of the output
            return
        taken = self.values[rows]
        np.equal(taken, np.arange(len(self.words))[:, None], out=into, casting="unsafe")
        into[:, taken < 0] = np.nan


def matrix(columns: Sequence[Column], rows: Array) -> Array:
    """The features of these rows, (n, features) in float64; NaN where a value is missing."""
    groups = [columns[i : i + TOGETHER] for i in range(0, len(columns), TOGETHER)]
    widths = [sum(column.width() for column in group) for group in groups]
    out, at = np.empty((len(rows), sum(widths))), 0
    # the same for every group: new memory takes its time
    memory = np.empty((max(widths), len(rows)))
    for group, width in zip(groups, widths, strict=True):
        end = 0
        for column in group:
            column.write(rows, memory[end : end + column.width()])
            end += column.width()
        out[:, at : at + width] = memory[:width].T
        at += width
    return out


def of_words(name: str, series: Any, missing: Collection[str]) -> Column:
    """A column of text, each word once."""
    import pandas as pd

    codes, unique = pd.factorize(series)
    cells = [str(cell).strip() for cell in unique]
    words = tuple(sorted({cell for cell in cells if cell not in missing}))
    places = {word: i for i, word in enumerate(words)}
    # the last is that of codes −1
    new = np.array([*(places.get(cell, -1) for cell in cells), -1], np.int64)
    return Column(name, new[codes], words)


def as_numbers(column: Column, decimal: str = ".") -> Column:
    """The same as numbers where all its words are numbers, or true and false; else as it is."""
    words = column.words or ()
    if words and all(word.lower() in TRUTH for word in words):
        numbers = [TRUTH[word.lower()] for word in words]
    elif all(is_number(word, decimal) for word in words):
        numbers = [number(word, decimal) for word in words]
    else:
        return column
    return Column(column.name, np.array([*numbers, np.nan])[column.values], None, column.named)


def label_at(names: Sequence[str], label: str | None) -> int:
    """The index of the label's column, by default the last. Raises `DataError` if there is none."""
    if label is None:
        return len(names) - 1
    if label not in names:
        raise DataError(
            "there is no such column", key="label", value=label, allowed="\0".join(names)
        )
    return names.index(label)
