"""Classification tasks in the user's tables: one column is the label, the others features."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from dlexp.core.arrays import Array, Rng
from dlexp.core.dataset import Dataset, Split, shift_and_scale, stratified
from dlexp.core.fields import one_of
from dlexp.data.file_data import FileData, Raw
from dlexp.data.tables.cells import EMPTY, MISSING, SIGNS, Column, is_number, matrix, number
from dlexp.data.tables.columns import NUMBERING, doubts, numbering, option
from dlexp.data.tables.preparation import Preparation
from dlexp.errors import DataError, FieldError, shown

if TYPE_CHECKING:
    from dlexp.data.tables.reading import Table

MOST_WORDS = 50  # a column of text with more of them is not encoded


@dataclass(frozen=True, kw_only=True)
class TableData(FileData):
    """Labelled samples from a table with named columns; a subclass says what its defaults are.

    Raises `DataError` with the path, the column, its first line, and the option to set.
    """

    label: str | None = None
    drop: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    missing: str = one_of("refuse", "drop", "mean")
    delimiter: str | None = None
    header: bool | None = None
    decimal: str | None = None
    encoding: str | None = None
    # names, in small letters, of columns that are no features
    leaves_out: ClassVar[Collection[str]] = NUMBERING
    no_label: ClassVar[Collection[str]] = MISSING

    def __post_init__(self) -> None:
        super().__post_init__()
        sign = SIGNS.get(self.delimiter or "", self.delimiter)
        if sign is not None and (len(sign) != 1 or sign in '"\r\n\0'):
            wrong = (
                "must be one character (no quote, no line end), or one of the words"
                f" {', '.join(SIGNS)}"
            )
            raise FieldError(wrong, key="delimiter", value=repr(self.delimiter))
        if self.decimal not in (None, ".", ",", "point", "comma"):
            raise FieldError("must be point or comma", key="decimal", value=self.decimal)
        if self.decimal in (",", "comma") and self.delimiter in (",", "comma"):
            raise FieldError("the delimiter is a comma already", key="decimal", value=self.decimal)
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
                codecs.getincrementaldecoder(self.encoding)
            except (LookupError, ValueError):
                raise FieldError(
                    "there is no such encoding of text; choose from utf-8, utf-16, gb18030,"
                    " cp1252, …",
                    key="encoding",
                    value=self.encoding,
                ) from None

    def read(self, file: Path) -> Mapping[str, Raw]:
        table = self._table(file)
        columns, _ = self._chosen(table)
        rows, _ = self._rows(table, columns)
        return {"all": (matrix(columns, rows), self._labels(table, rows)[0])}

    def load(self, rng: Rng) -> tuple[Split, Split, Split]:
        made = self._prepared(rng)
        return made.train, made.validation, made.test

    def dataset(self, rng: Rng) -> Dataset:
        made = self._prepared(rng)
        return (
            made
            if self.n_train is None
            else replace(made, train=stratified(made.train, self.n_train, rng))
        )

    def _prepared(self, rng: Rng) -> Dataset:
        """The splits, before `n_train`, with what was done to the table."""
        table = self._table(self._file())
        label = table.columns[table.label]
        suspected = (
            []
            if self.label
            else doubts([c for c in table.columns if c.name not in self.drop], label)
        )
        try:
            columns, dropped = self._chosen(table)
            rows, filled = self._rows(table, columns)
            labels, classes = self._labels(table, rows)
            splits = self._cut(Split(rows, labels), self.validation, self.test, rng)
            begun = Preparation(
                label.name, classes, decimal=table.form.decimal if table.form else "."
            )
            made, preparation = self._scaled(columns, splits, begun)
        except DataError as e:
            if self.label is None and "data.label=" not in e.message:
                taken = (
                    f"{shown(label.name)}, the last column, is taken as the label:"
                    " data.label=<column> names another"
                )
                e.message = f"{e.message}; {suspected[0] if suspected else taken}"
            raise
        notes = {
            "label": label.name,
            "class_names": list(classes),
            "feature_names": preparation.features,
            "dropped": dropped,
            "dropped_samples": len(label.values) - len(rows),
            "filled": filled,
            "encoded": {c.name: list(c.words) for c in columns if c.words is not None},
            "warnings": suspected,
        }
        return Dataset(
            made[0],
            made[1],
            made[2],
            name=self.name,
            source=self.source(),
            preparation=preparation,
            notes=notes,
        )

    def _table(self, file: Path) -> Table:
        from dlexp.data.tables import reading  # which needs what no other data need

        try:
            return reading.read(
                file,
                self.label,
                drop=self.drop,
                words=self.words,
                no_label=self.no_label,
                encoding=self.encoding,
                delimiter=self.delimiter,
                decimal=self.decimal,
                header=self.header,
            )
        except DataError as e:
            known = e.allowed.split("\0") if e.key == "label" else ()
            raise self.refused(
                e.message, key=e.key or "path", asked=str(e.value), known=known
            ) from None

    def _chosen(self, table: Table) -> tuple[list[Column], dict[str, str]]:
        """The features, and the columns that are left out (but the label) with the reason."""
        known = [column.name for column in table.columns]
        for key in ("drop", "keep", "words"):
            if strange := [name for name in getattr(self, key) if name not in known]:
                raise self.refused(
                    f"there is no column {shown(strange[0])}",
                    key=key,
                    asked=strange[0],
                    known=known,
                )
        label = table.columns[table.label].name
        if label in self.drop:
            raise self.refused(
                f"{shown(label)} is the label: set data.label=<another column>", key="drop"
            )
        columns, dropped = [], {}
        for column in (c for c in table.columns if c.name != label):
            if column.name in self.drop:
                dropped[column.name] = "data.drop"
            elif column.name not in self.keep and (why := numbering(column, self.leaves_out)):
                dropped[column.name] = why
            else:
                columns.append(column)
        if not columns:
            cure = (
                f": {option('keep', [*dropped][:1])} uses it" if dropped and not self.drop else ""
            )
            raise self.refused(f"no column is left beside the label {shown(label)}{cure}")
        for column in columns:
            if len(column.words or ()) > MOST_WORDS:
                wrong = (
                    f"column {shown(column.name)} holds {len(column.words or ())} different words,"
                    " more than"
                )
                cure = f"{MOST_WORDS}: {option('drop', [*self.drop, column.name])} leaves it out"
                raise self.refused(f"{wrong} {cure}{self._is_it_the_label(column)}")
        return columns, dropped

    def _is_it_the_label(self, column: Column) -> str:
        return f"; is it the label? {option('label', column.name)}" if self.label is None else ""

    def _rows(self, table: Table, columns: Sequence[Column]) -> tuple[Array, dict[str, int]]:
        """Which samples are used; and of how many a value is filled in, by column."""
        label = table.columns[table.label]
        gaps = {c.name: gone for c in (label, *columns) if (gone := c.missing()).any()}
        if label.name in gaps and self.missing != "drop":
            gap = self._gap(table, label.name, gaps[label.name])
            raise self.refused(f"{gap} no label: data.missing=drop leaves them out")
        if gaps and self.missing == "refuse":
            name = next(iter(gaps))
            gap = self._gap(table, name, gaps[name])
            more = f", as have others in {len(gaps) - 1} more columns" if len(gaps) > 1 else ""
            cure = (
                "data.missing=drop leaves such samples out, data.missing=mean puts in the training"
                " samples' mean"
            )
            column = f"{option('drop', [*self.drop, name])} leaves out the column"
            raise self.refused(f"{gap} no value{more}: {cure}, {column}")
        if self.missing == "drop" and gaps:
            rows = np.flatnonzero(~np.logical_or.reduce([*gaps.values()]))
            if not len(rows):
                most = max(gaps, key=lambda name: int(gaps[name].sum()))
                cure = option("drop", [*self.drop, most])
                raise self.refused(
                    f"no sample is without missing values; {cure} leaves out the column with most"
                )
            return rows, {}
        return np.arange(len(label.values)), {name: int(gone.sum()) for name, gone in gaps.items()}

    def _gap(self, table: Table, name: str, gone: Array) -> str:
        """How many values a column lacks, and where the first is."""
        i = [c.name for c in table.columns].index(name)
        marks = EMPTY if name in self.words else self.no_label if i == table.label else MISSING
        place, cell = table.place(i, lambda text: text in marks, int(gone.argmax()))
        return (
            f"{place}, column {shown(name)}: {shown(cell)} is missing; {int(gone.sum())} of"
            f" {len(gone)} samples have"
        )

    def _labels(self, table: Table, rows: Array) -> tuple[Array, tuple[str | int, ...]]:
        """Labels as 0 … K − 1, and the classes they stand for."""
        column = table.columns[table.label]
        words = column.words or ()
        decimal = table.form.decimal if table.form else "."
        name = f"column {shown(column.name)}, taken as the label"
        if numeric := all(is_number(word, decimal) for word in words):
            numbers = [number(word, decimal) for word in words]
            if broken := [word for word, n in zip(words, numbers, strict=True) if n != np.floor(n)]:
                place, cell = table.place(table.label, lambda c: c == broken[0], 0)
                wrong = (
                    f"{name}: {place} has {cell or broken[0]}, but classes are whole numbers or"
                    " words"
                )
                raise self.refused(
                    f"{wrong}; fractional targets (regression) are not trained; data.label=<column>"
                    " names another"
                )
        raw = np.array(numbers if numeric else words)[column.values[rows]]
        if len(np.unique(raw)) < 2:
            only = int(raw[0]) if numeric else str(raw[0])
            others = (
                "; data.label=<column> names another of"
                f" {', '.join(c.name for c in table.columns)[:300]}"
            )
            raise self.refused(
                f"{name}: all labels are {only!r}; at least two classes are needed{others}"
            )
        known = np.unique(self._whole("all", raw))
        return self._classes({"all": raw})["all"], tuple(known.tolist())

    def _scaled(
        self, columns: Sequence[Column], splits: Sequence[Split], begun: Preparation
    ) -> tuple[list[Split], Preparation]:
        """The splits, given as rows, with features fitted on the training split."""
        train = matrix(columns, splits[0].x)
        fill = self._means(columns, train) if self.missing == "mean" else None
        if fill is not None:
            np.copyto(train, fill, where=np.isnan(train))
        n = train.shape[1]
        shift, scale = shift_and_scale(train) if self.standardize else (np.zeros(n), np.ones(n))
        done = replace(
            begun,
            columns=tuple((c.name, c.words) for c in columns),
            shift=tuple(shift.tolist()),
            scale=tuple(scale.tolist()),
            fill=None if fill is None else tuple(fill.tolist()),
        )
        first = Split(done.scaled(train), splits[0].labels)
        del train  # in a large table half of the memory
        rest = [Split(done.scaled(matrix(columns, s.x)), s.labels) for s in splits[1:]]
        return [first, *rest], done

    def _means(self, columns: Sequence[Column], train: Array) -> Array:
        """The mean of each feature where it has a value."""
        gone = np.isnan(train)
        there = (~gone).sum(axis=0)
        means: Array = np.where(gone, 0.0, train).sum(axis=0) / np.maximum(there, 1)
        if not there.all():
            owner = [c.name for c in columns for _ in range(c.width())][int(there.argmin())]
            cure = option("drop", [*self.drop, owner])
            raise self.refused(
                f"column {shown(owner)} has no value in the training split; {cure} leaves it out"
            )
        return means
