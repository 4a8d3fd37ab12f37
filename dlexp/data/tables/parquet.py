"""Tables in Parquet files."""

from __future__ import annotations

from collections.abc import Sequence
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
    label_at,
    of_words,
)
from dlexp.data.tables.columns import option
from dlexp.errors import DataError, shown

UNFOLDED = 2**31  # bytes that the cells of a file may need


def read(
    file: Path, label: str | None, drop: Sequence[str], words: Sequence[str]
) -> tuple[list[Column], int]:
    """A file's columns, and the label's index; sizes are checked before anything is unpacked.

    Columns in `drop` may hold anything; in those of `words` every value is a word. Raises
    `DataError` for a file that is no table, or damaged.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file) as source:
            metadata = source.metadata
            groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
            claimed = max(
                sum(g.total_byte_size for g in groups), 8 * metadata.num_rows * metadata.num_columns
            )
            if not 0 <= claimed <= UNFOLDED or sum(g.num_rows for g in groups) != metadata.num_rows:
                raise DataError(f"its cells need {claimed:,} bytes; the limit is {UNFOLDED:,}")
            schema = source.schema_arrow
            names = [name.strip() or f"Unnamed: {i}" for i, name in enumerate(schema.names)]
            if len(set(names)) < len(names) or len(names) < 2:
                raise DataError(
                    "two columns of different names are needed at least, and no name may be there"
                    " twice"
                )
            at = label_at(names, label)
            unread = {i for i, name in enumerate(names) if name in drop and i != at}
            for i, field in enumerate(schema):
                if i not in unread:
                    _check_type(names[i], field.type, pa, drop)
            table = source.read()
    except (
        pa.ArrowException,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        MemoryError,
        OverflowError,
    ) as e:
        if isinstance(e, DataError):
            raise
        raise DataError(
            f"the file is truncated or damaged: {' '.join(str(e).split())[:200]}"
        ) from None
    if not table.num_rows:
        raise DataError("there is no sample in it")
    columns = [
        Column(n, UNREAD) if i in unread else _of_arrow(n, table.column(i), pa, i == at, n in words)
        for i, n in enumerate(names)
    ]
    return columns, at


def _check_type(name: str, kind: Any, pa: Any, drop: Sequence[str]) -> None:
    t = pa.types
    kind = kind.value_type if t.is_dictionary(kind) else kind
    fits = (
        t.is_integer,
        t.is_floating,
        t.is_boolean,
        t.is_decimal,
        t.is_string,
        t.is_large_string,
        t.is_null,
    )
    if not any(is_it(kind) for is_it in fits) and str(kind) != "string_view":
        wrong = f"column {shown(name)} holds {kind}, neither numbers nor words"
        raise DataError(f"{wrong}: {option('drop', [*drop, name])} leaves it out")


def _of_arrow(name: str, column: Any, pa: Any, is_label: bool, is_words: bool) -> Column:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or str(kind) == "string_view"
    if text:
        made = of_words(name, column.to_pandas(), EMPTY if is_words else MISSING)
        return made if is_label or is_words else as_numbers(made)
    if is_label or is_words:
        return of_words(
            name, column.to_pandas().map(_whole, na_action="ignore").astype("str"), MISSING
        )
    values = column.to_pandas().astype("float64").to_numpy()
    if bad := np.flatnonzero(~(np.abs(values) <= LARGEST) & ~np.isnan(values)).tolist():
        wrong = f"{values[bad[0]]}, not a finite number of float32's range"
        raise DataError(f"row {bad[0] + 1}, column {shown(name)} is {wrong}")
    return Column(name, values)


def _whole(value: Any) -> str:
    """A label as a word: 1.0 is 1."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
