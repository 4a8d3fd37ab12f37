"""Tables of the user's own, read with pandas: text (`delimited` says how it is recognised) and Parquet."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dlexp.cells import MISSING, TRUTH, Column, is_number, number, shown
from dlexp.columns import option
from dlexp.delimited import COMMA, Form, opened, recognised
from dlexp.errors import DataError

LARGEST = np.float64(np.finfo(np.float32).max)
UNREAD = np.empty(0)  # the values of a dropped column
UNFOLDED = 2**31  # bytes that the cells of a Parquet file may need
NO_TEXT = {b"PK": "a zip, an .npz file (data=npz reads it) or an Excel file", b"\x93N": "an array of NumPy's",
           b"BZ": "packed with bzip2", b"\xfd7": "packed with xz", b"(\xb5": "packed with zstd",
           b"\x80\x04": "a pickle, which is never loaded"}  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Columns as they were read, the label's as words; `form` is how it is written, None for Parquet."""

    columns: tuple[Column, ...]
    label: int
    form: Form | None

    def place(self, i: int, wanted: Callable[[str], bool], row: int) -> tuple[str, str]:
        """Where the first cell of column i is that is `wanted`, and the cell; of Parquet, which has no lines, `row`."""
        if self.form is None:
            return f"row {row + 1}", ""
        for line, cells in self.form.lines():
            if i < len(cells) and wanted(cells[i].strip()):
                return f"line {line}", cells[i].strip()
        return f"sample {row + 1}", ""


def read(file: Path, label: str | None, *, drop: Sequence[str] = (), no_label: Collection[str] = MISSING,
         **said: Any) -> Table:  # fmt: skip
    """The table in a file; `said` is what `delimited.recognised` takes.

    `label` names its column, None the last one; a cell of `no_label` is no label; columns in `drop` may hold anything.
    Raises `DataError` for a file that is no table, its key the name of the field to change.
    """
    with file.open("rb") as stream:
        start = stream.read(4)
    if start == b"PAR1":
        return _of_parquet(file, label, drop)
    if wrong := NO_TEXT.get(start[:2]):
        raise DataError(
            f"line 1 is no text: the file is {wrong}; save the table as CSV (also packed with gzip) or Parquet"
        )
    form = recognised(file, **said)
    at = _label(form.names, label)
    frame = _frame(form, {at, *form.words})
    if frame[len(form.names) - 1].isna().any():  # pandas fills up a line that is too short, as far as the last column
        _check_widths(form)
    unread = {i for i, n in enumerate(form.names) if n in drop and i != at}
    columns = [
        Column(n, UNREAD) if i in unread else _column(form, i, n, frame[i], no_label if i == at else None, drop)
        for i, n in enumerate(form.names)
    ]
    return Table(tuple(columns), at, form)


def _label(names: Sequence[str], label: str | None) -> int:
    if label is None:
        return len(names) - 1
    if label not in names:
        raise DataError("there is no such column", key="label", value=label, allowed="\0".join(names))
    return names.index(label)


def _frame(form: Form, words: Collection[int]) -> Any:
    """The cells as pandas reads them: text in the columns `words`, elsewhere what pandas sees in them."""
    import pandas as pd

    n = len(form.names)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            warnings.simplefilter("ignore", pd.errors.DtypeWarning)  # a column of both is read again, as text
            frame = pd.read_csv(
                str(form.file), sep=r"\s+" if form.delimiter == " " else form.delimiter, header=None, names=range(n),
                skiprows=form.skip, index_col=False, dtype=dict.fromkeys(words, "str"), keep_default_na=False,
                na_values={i: [""] if i in words else list(MISSING) for i in range(n)}, skipinitialspace=True,
                decimal=form.decimal, encoding=form.encoding, compression="gzip" if form.packed else None,
            )  # fmt: skip
    except (ValueError, OverflowError, pd.errors.ParserWarning) as e:  # pandas' own errors among them
        _check_widths(form)
        raise DataError(f"cannot be read as a table: {' '.join(str(e).split())[:200]}") from None
    if not len(frame):
        raise DataError("there is no sample in it, only a line of column names")
    texts = {i for i in range(n) if i not in words and frame[i].dtype.kind not in "biuf"}
    return _frame(form, {*words, *texts}) if texts else frame


def _check_widths(form: Form) -> None:
    """Raises `DataError` for the first line that has not as many columns as the first, or whose quotes are wrong."""
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


def _column(form: Form, i: int, name: str, series: Any, no_label: Collection[str] | None,
            drop: Sequence[str]) -> Column:  # fmt: skip
    """A column of numbers or of words; the label's is always one of words."""
    if no_label is None and series.dtype.kind in "biuf":
        values = series.to_numpy(np.float64)
        return _checked(form, i, Column(name, values, None, i not in form.nameless), drop)
    column = _words(name, series, MISSING if no_label is None else no_label)
    column = replace(column, named=i not in form.nameless)
    return column if no_label is not None else _checked(form, i, as_numbers(column, form.decimal), drop)


def _words(name: str, series: Any, missing: Collection[str]) -> Column:
    """A column of text, each word once."""
    import pandas as pd

    codes, found = pd.factorize(series)
    cells = [str(cell).strip() for cell in found]
    words = tuple(sorted({cell for cell in cells if cell not in missing}))
    places = {word: i for i, word in enumerate(words)}
    new = np.array([*(places.get(cell, -1) for cell in cells), -1], np.int64)  # the last is that of codes −1
    return Column(name, new[codes], words)


def as_numbers(column: Column, decimal: str = ".") -> Column:
    """The same as numbers where all its words are numbers, or true and false; else as it is."""
    words = column.words or ()
    if words and all(word.lower() in TRUTH for word in words):
        found = [TRUTH[word.lower()] for word in words]
    elif all(is_number(word, decimal) for word in words):
        found = [number(word, decimal) for word in words]
    else:
        return column
    return Column(column.name, np.array([*found, np.nan])[column.values], None, column.named)


def _checked(form: Form, i: int, column: Column, drop: Sequence[str]) -> Column:
    """The column. Raises `DataError` for a number that none is, or that float32 does not hold, with its line."""
    if column.words is not None:
        _check_words(form, i, column, drop)
        return column
    values = column.values
    if abs(values.min()) <= LARGEST and abs(values.max()) <= LARGEST:
        return column
    bad = np.flatnonzero(~(np.abs(values) <= LARGEST) & ~np.isnan(values))
    if bad.size:
        place, cell = Table((), 0, form).place(i, lambda text: _is_too_large(text, form.decimal), int(bad[0]))
        finite = "a finite number" if np.isinf(values[bad[0]]) else "a finite number of float32's range"
        raise DataError(f"{place}, column {shown(column.name)}: {shown(cell)} is not {finite}")
    return column


def _is_too_large(cell: str, decimal: str) -> bool:
    return cell not in MISSING and is_number(cell, decimal) and not abs(number(cell, decimal)) <= LARGEST


def _check_words(form: Form, i: int, column: Column, drop: Sequence[str]) -> None:
    """Raises `DataError` for a column of numbers with a few words among them: those are no categories."""
    words = column.words or ()
    strange = {word for word in words if not is_number(word, form.decimal)}
    if 2 * len(strange) > len(words):
        return
    place, cell = Table((), 0, form).place(i, strange.__contains__, 0)
    cure = f"; {option('drop', [*drop, column.name])} leaves the column out"
    if COMMA.fullmatch(cell) and form.delimiter != ",":
        cure = "; for decimal commas say data.decimal=comma"
    raise DataError(f"{place}, column {shown(column.name)}: {shown(cell)} is not a number, as others in it are{cure}")


def _of_parquet(file: Path, label: str | None, drop: Sequence[str]) -> Table:
    """The columns of a Parquet file; its sizes are added up before anything is unpacked."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file) as source:
            told = source.metadata
            groups = [told.row_group(i) for i in range(told.num_row_groups)]
            claimed = max(sum(g.total_byte_size for g in groups), 8 * told.num_rows * told.num_columns)
            if not 0 <= claimed <= UNFOLDED or sum(g.num_rows for g in groups) != told.num_rows:
                raise DataError(f"its cells need {claimed:,} bytes; the limit is {UNFOLDED:,}")
            schema = source.schema_arrow
            names = [name.strip() or f"Unnamed: {i}" for i, name in enumerate(schema.names)]
            if len(set(names)) < len(names) or len(names) < 2:
                raise DataError("two columns of different names are needed at least, and no name may be there twice")
            at = _label(names, label)
            unread = {i for i, name in enumerate(names) if name in drop and i != at}
            for i, field in enumerate(schema):
                if i not in unread:
                    _check_type(names[i], field.type, pa, drop)
            table = source.read()
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, MemoryError, OverflowError) as e:
        if isinstance(e, DataError):
            raise
        raise DataError(f"the file is truncated or damaged: {' '.join(str(e).split())[:200]}") from None
    if not table.num_rows:
        raise DataError("there is no sample in it")
    columns = [
        Column(n, UNREAD) if i in unread else _of_arrow(n, table.column(i), pa, i == at) for i, n in enumerate(names)
    ]
    return Table(tuple(columns), at, None)


def _check_type(name: str, kind: Any, pa: Any, drop: Sequence[str]) -> None:
    t = pa.types
    kind = kind.value_type if t.is_dictionary(kind) else kind
    fits = (t.is_integer, t.is_floating, t.is_boolean, t.is_decimal, t.is_string, t.is_large_string, t.is_null)
    if not any(is_it(kind) for is_it in fits) and str(kind) != "string_view":
        wrong = f"column {shown(name)} holds {kind}, neither numbers nor words"
        raise DataError(f"{wrong}: {option('drop', [*drop, name])} leaves it out")


def _of_arrow(name: str, column: Any, pa: Any, is_label: bool) -> Column:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view"
    if text:
        made = _words(name, column.to_pandas(), MISSING)
        return made if is_label else as_numbers(made)
    if is_label:
        return _words(name, column.to_pandas().map(_whole, na_action="ignore").astype("str"), MISSING)
    values = column.to_pandas().astype("float64").to_numpy()
    if bad := np.flatnonzero(~(np.abs(values) <= LARGEST) & ~np.isnan(values)).tolist():
        wrong = f"{values[bad[0]]}, not a finite number of float32's range"
        raise DataError(f"row {bad[0] + 1}, column {shown(name)} is {wrong}")
    return Column(name, values)


def _whole(value: Any) -> str:
    """A label as a word: 1.0 is 1."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
