"""Which columns of a table tell nothing of its samples, and which one looks like the label."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np

from dlexp.data.tables.cells import Column, is_number
from dlexp.data.tables.headers import LABELS
from dlexp.errors import shown

UNNAMED = "Unnamed: 0"
# names, in small letters, of columns that number the samples
NUMBERING = (UNNAMED.lower(), "id", "index")


def numbering(column: Column, names: Collection[str] = NUMBERING) -> str:
    """Why a column only numbers the samples; empty where it does not, or for given `names`.

    >>> numbering(Column("Id", np.array([7.0, 9.0]))), numbering(Column("a", np.array([1.0, 2.0])))
    ('called like a numbering', 'counts the samples')
    >>> numbering(Column("a", np.array([1.0, 3.0])))
    ''
    >>> numbering(Column("a", np.array([1.0, 2.0])), names=())
    ''
    """
    if column.name.lower() in names or (column.name == UNNAMED and not column.named):
        return "called like a numbering"
    values = column.values
    if (
        names is not NUMBERING
        or column.words is not None
        or len(values) < 2
        or values[0] not in (0, 1)
    ):
        return ""
    return (
        "counts the samples" if np.array_equal(values, np.arange(len(values)) + values[0]) else ""
    )


def doubts(columns: Sequence[Column], taken: Column) -> list[str]:
    """Where another column looks more like the label than `taken`, the default."""
    others = [column for column in columns if column.name != taken.name]
    called = [
        (column.name, "is called like a label")
        for column in others
        if column.name.lower() in LABELS
    ]
    worded = [
        (column.name, "is the only column with words")
        for column in others
        if column.words is not None
    ]
    alone = len(worded) == 1 and all(is_number(word) for word in taken.words or ())
    return [
        f"{shown(taken.name)}, the last column, is taken as the label, but {shown(name)} {why}:"
        f" {option('label', name)}"
        for name, why in called or worded * alone
    ]


def option(key: str, value: str | Sequence[str]) -> str:
    """What to type, as a shell takes it.

    >>> print(option("drop", ["Id", "a b"]), option("label", "class"), option("label", "null"))
    'data.drop=[Id,"a b"]' data.label=class 'data.label="null"'
    """
    import shlex

    if isinstance(value, str):
        return shlex.quote(f"data.{key}={_quoted(value)}")
    return shlex.quote(f"data.{key}=[{','.join(map(_quoted, value))}]")


def _quoted(name: str) -> str:
    """A name as Hydra reads it back."""
    plain = re.fullmatch(r"[a-z_]\w*|0|[1-9]\d{0,8}", name, re.ASCII | re.IGNORECASE)
    if plain and name.lower() not in ("null", "true", "false", "nan", "inf"):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
