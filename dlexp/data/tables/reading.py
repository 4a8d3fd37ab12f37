"""The user's tables, read with pandas: text (see `delimited`) and Parquet (see `parquet`)."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dlexp.data.tables.cells import (
    EMPTY,
    LARGEST,
    MISSING,
    UNREAD,
    Column,
    as_numbers,
    is_number,
    label_at,
    number,
    of_words,
)
from dlexp.data.tables.columns import option
from dlexp.data.tables.delimited import COMMA, Form, opened, recognised
from dlexp.errors import DataError, shown

NO_TEXT = {
    b"PK": "a zip, an .npz file (data=npz reads it) or an Excel file",
    b"\x93N": "an array of NumPy's",
    b"BZ": "packed with bzip2",
    b"\xfd7": "packed with xz",
    b"(\xb5": "packed with zstd",
    b"\x80\x04": "a pickle, which is never loaded",
}


@dataclass(frozen=True)
class Table:
    """The columns read, the label's as words; `form` is the text format, None for Parquet."""

    columns: tuple[Column, ...]
    label: int
    form: Form | None

    def place(self, i: int, wanted: Callable[[str], bool], row: int) -> tuple[str, str]:
        """Position and text of the first `wanted` cell of column i; the row for Parquet."""
        if self.form is None:
            return f"row {row + 1}", ""
        for line, cells in self.form.lines():
            if i < len(cells) and wanted(cells[i].strip()):
                return f"line {line}", cells[i].strip()
        return f"sample {row + 1}", ""


def read(
    file: Path,
    label: str | None,
    *,
    drop: Sequence[str] = (),
    words: Sequence[str] = (),
    no_label: Collection[str] = MISSING,
    **options: Any,
) -> Table:
    """The table in a file; `options` are those of `delimited.recognised`.

    `label` names its column, None the last one; a cell of `no_label` is no label; columns in `drop`
    may hold anything. In columns of `words`, whatever a cell holds is a word, and only an empty one
    is missing. Raises `DataError` for a file that is no table, its key the name of the field to
    change.
    """
    with file.open("rb") as stream:
        start = stream.read(4)
    if start == b"PAR1":
        from dlexp.data.tables import parquet  # which needs what no text needs

        columns, at = parquet.read(file, label, drop, words)
        return Table(tuple(columns), at, None)
    if wrong := NO_TEXT.get(start[:2]):
        raise DataError(
            f"line 1 is no text: the file is {wrong}; save the table as CSV (also packed with gzip)"
            " or Parquet"
        )
    form = recognised(file, **options)
    at = label_at(form.names, label)
    marks = {at: no_label} | {i: EMPTY for i, n in enumerate(form.names) if n in words}
    frame = _frame(form, {at, *form.words, *marks})
    # pandas fills up a line that is too short, as far as the last column
    if frame[len(form.names) - 1].isna().any():
        _check_widths(form)
    unread = {i for i, n in enumerate(form.names) if n in drop and i != at}
    columns = [
        Column(n, UNREAD) if i in unread else _column(form, i, n, frame[i], marks.get(i), drop)
        for i, n in enumerate(form.names)
    ]
    return Table(tuple(columns), at, form)


def _frame(form: Form, words: Collection[int]) -> Any:
    """The cells as pandas reads them: text in the columns `words`, elsewhere inferred."""
    import pandas as pd

    n = len(form.names)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # a column of both is read again, as text
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)
            frame = pd.read_csv(
                str(form.file),
                sep=r"\s+" if form.delimiter == " " else form.delimiter,
                header=None,
                names=range(n),
                skiprows=form.skip,
                index_col=False,
                dtype=dict.fromkeys(words, "str"),
                keep_default_na=False,
                na_values={i: [""] if i in words else list(MISSING) for i in range(n)},
                skipinitialspace=True,
                decimal=form.decimal,
                encoding=form.encoding,
                compression="gzip" if form.packed else None,
            )
    except (
        ValueError,
        OverflowError,
        pd.errors.ParserWarning,
    ) as e:  # pandas' own errors among them
        _check_widths(form)
        raise DataError(f"cannot be read as a table: {' '.join(str(e).split())[:200]}") from None
    if not len(frame):
        raise DataError("there is no sample in it, only a line of column names")
    texts = {i for i in range(n) if i not in words and frame[i].dtype.kind not in "biuf"}
    return _frame(form, {*words, *texts}) if texts else frame


def _check_widths(form: Form) -> None:
    """Raises `DataError` for the first line with another number of columns or wrong quotes."""
    n, names = len(form.names), "line of names" if form.skip else "first line"
    if not form.quoted and form.delimiter != " " and form.encoding in ("utf-8", "utf-8-sig"):
        sign = form.delimiter.encode()
        with opened(form.file, form.packed) as stream:
            if all(line.count(sign) == n - 1 or not line.strip() for line in stream):
                return
    line = 0
    try:
        for line, row in form.lines(strict=True):
            if len(row) != n:
                raise DataError(f"line {line} has {len(row)} columns, the {names} {n}")
    except csv.Error as e:
        raise DataError(f"line {line + 1}: {e}") from None


def _column(
    form: Form, i: int, name: str, series: Any, marks: Collection[str] | None, drop: Sequence[str]
) -> Column:
    """A column of numbers or words; with `marks` of missing values (a label) always of words."""
    if marks is None and series.dtype.kind in "biuf":
        values = series.to_numpy(np.float64)
        return _checked(form, i, Column(name, values, None, i not in form.nameless), drop)
    column = of_words(name, series, MISSING if marks is None else marks)
    column = replace(column, named=i not in form.nameless)
    return (
        column if marks is not None else _checked(form, i, as_numbers(column, form.decimal), drop)
    )


def _checked(form: Form, i: int, column: Column, drop: Sequence[str]) -> Column:
    """The column. Raises `DataError`, with the line, for a number that float32 cannot hold."""
    if column.words is not None:
        _check_words(form, i, column, drop)
        return column
    values = column.values
    if abs(values.min()) <= LARGEST and abs(values.max()) <= LARGEST:
        return column
    bad = np.flatnonzero(~(np.abs(values) <= LARGEST) & ~np.isnan(values))
    if bad.size:
        place, cell = Table((), 0, form).place(
            i, lambda text: _is_too_large(text, form.decimal), int(bad[0])
        )
        finite = (
            "a finite number" if np.isinf(values[bad[0]]) else "a finite number of float32's range"
        )
        raise DataError(f"{place}, column {shown(column.name)}: {shown(cell)} is not {finite}")
    return column


def _is_too_large(cell: str, decimal: str) -> bool:
    return (
        cell not in MISSING
        and is_number(cell, decimal)
        and not abs(number(cell, decimal)) <= LARGEST
    )


def _check_words(form: Form, i: int, column: Column, drop: Sequence[str]) -> None:
    """Raises `DataError` for numbers with a few words among them, which are no categories."""
    words = column.words or ()
    strange = {word for word in words if not is_number(word, form.decimal)}
    if 2 * len(strange) > len(words):
        return
    place, cell = Table((), 0, form).place(i, strange.__contains__, 0)
    as_words, without = option("words", [column.name]), option("drop", [*drop, column.name])
    cure = f"; {as_words} makes every value of it a word, {without} leaves the column out"
    if COMMA.fullmatch(cell) and form.delimiter != ",":
        cure = "; for decimal commas set data.decimal=comma"
    raise DataError(
        f"{place}, column {shown(column.name)}: {shown(cell)} is not a number, as others in it"
        f" are{cure}"
    )
