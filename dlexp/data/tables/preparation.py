"""How table columns become a network's inputs; stored with the network for raw tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlexp.core.arrays import Array
from dlexp.data.tables.cells import MISSING, TRUTH, Column, is_number, matrix, number
from dlexp.errors import DataError, nearest, shown

if TYPE_CHECKING:
    import zipfile

ENTRY = "table.json"
LONGEST = 1 << 26  # bytes of a table's description
BLOCK = 1024  # rows scaled at a time: they stay in cache
NAMED = 20  # names in a message


@dataclass(frozen=True)
class Preparation:
    """What was done to a table before it was trained on, so that it can be done again.

    `columns` are the feature columns in their order, each with its words, or None for numbers;
    `classes` the labels in the order of the outputs; `fill` replaces missing values (None where
    they are refused), `shift` and `scale` are those of the training split; all three are of
    features.
    """

    label: str
    classes: tuple[str | int, ...]
    columns: tuple[tuple[str, tuple[str, ...] | None], ...] = ()
    fill: tuple[float, ...] | None = None
    shift: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    decimal: str = "."

    @property
    def features(self) -> list[str]:
        """The features' names: a column's, or a column's with one of its words."""
        return [
            n
            for name, words in self.columns
            for n in ([name] if words is None else [f"{name}={w}" for w in words])
        ]

    def write(self, archive: zipfile.ZipFile) -> None:
        """Into a network's file, as the entry `table.json`."""
        import json
        import zipfile

        archive.writestr(zipfile.ZipInfo(ENTRY), json.dumps(asdict(self)))

    @staticmethod
    def read(archive: zipfile.ZipFile, n_in: int) -> Preparation | None:
        """Inverse of `write`; None where there is none. Raises `DataError` and `archives.DAMAGE`.

        `n_in` is how many inputs the network has.
        """
        import json

        if ENTRY not in archive.namelist():
            return None
        with archive.open(ENTRY) as entry:
            text = entry.read(LONGEST + 1)
        if len(text) > LONGEST:
            raise DataError(f"the description of its table is longer than {LONGEST} bytes")
        stored = json.loads(text)
        made = Preparation(
            label=str(stored["label"]),
            classes=tuple(stored["classes"]),
            columns=tuple(
                (str(n), None if w is None else tuple(map(str, w))) for n, w in stored["columns"]
            ),
            fill=None if stored["fill"] is None else tuple(map(float, stored["fill"])),
            shift=tuple(map(float, stored["shift"])),
            scale=tuple(map(float, stored["scale"])),
            decimal=str(stored["decimal"]),
        )
        fill = made.shift if made.fill is None else made.fill
        if {n_in, len(made.features)} != {len(part) for part in (made.shift, made.scale, fill)}:
            raise DataError(
                f"its table has {len(made.features)} features, the network takes {n_in}"
            )
        return made

    def scaled(self, x: Array) -> Array:
        """The network's inputs for `matrix`: filled, scaled, float32. `x` is overwritten."""
        shift, scale, fill = (
            np.asarray(part) for part in (self.shift, self.scale, self.fill or ())
        )
        out = np.empty(x.shape, np.float32)
        for i in range(0, len(x), BLOCK):
            part = x[i : i + BLOCK]
            if self.fill is not None:
                np.copyto(part, fill, where=np.isnan(part))
            part -= shift
            part *= scale
            with np.errstate(over="ignore"):  # an infinite result is found and named by `Dataset`
                out[i : i + BLOCK] = part
        return out

    def fits(self, data: Any) -> bool:
        """Whether data are a table with names, to be prepared, and not features that are."""
        if isinstance(data, Mapping):
            return True
        names = getattr(data, "columns", None)
        if names is None:
            return False
        known, counted = (
            {name for name, _ in self.columns},
            [str(i) for i in range(len(self.features))],
        )
        given = [str(name).strip() for name in names]
        return given != counted or known <= set(given)

    def __call__(self, data: Any) -> Array:
        """The network's inputs, (n, features), for a raw table: a DataFrame or columns by name.

        Further columns, the label's among them, are not looked at. Raises `DataError` for a column
        that is not there, for words or missing values that the training table did not have.
        """
        columns_by_name = {
            str(name).strip(): name
            for name in (data if isinstance(data, Mapping) else data.columns)
        }
        columns = []
        for name, words in self.columns:
            if name not in columns_by_name:
                there = ", ".join([*columns_by_name][:NAMED])
                hint = nearest(name, columns_by_name)
                raise DataError(
                    f"the data have no column {shown(name)}; there are {there}", hint=hint
                )
            columns.append(
                self._column(
                    name, words, np.asarray(data[columns_by_name[name]], object).reshape(-1)
                )
            )
        if len({len(c.values) for c in columns}) > 1:
            raise DataError("the columns of the data are not of one length")
        return self.scaled(matrix(columns, np.arange(len(columns[0].values))))

    def _column(self, name: str, words: tuple[str, ...] | None, cells: Array) -> Column:
        texts = ["" if cell is None else str(cell).strip() for cell in cells.tolist()]
        gone = [text in MISSING and text not in (words or ()) for text in texts]
        if self.fill is None and any(gone):
            where = f"row {gone.index(True)} (counted from 0), column {shown(name)}"
            raise DataError(
                f"{where}: the value is missing, and the network was trained without any"
            )
        places = {} if words is None else {word: i for i, word in enumerate(words)}
        values = np.empty(len(texts), np.float64 if words is None else np.int64)
        for i, text in enumerate(texts):
            try:
                values[i] = (
                    (np.nan, -1)[words is not None] if gone[i] else self._value(text, places, words)
                )
            except (ValueError, KeyError):
                known = (
                    "not a finite number"
                    if words is None
                    else f"none of its words: {', '.join(places)[:200]}"
                )
                raise DataError(
                    f"row {i} (counted from 0), column {shown(name)}: {shown(text)} is {known}"
                ) from None
        return Column(name, values, words)

    def _value(self, text: str, places: Mapping[str, int], words: object) -> float:
        if words is not None:
            return places[text]
        value = TRUTH.get(text.lower())
        if value is None:
            value = number(text) if is_number(text) else number(text, self.decimal)
        if not math.isfinite(value):
            raise ValueError(text)
        return value


def _pairs(name: str, words: Sequence[str]) -> list[str]:
    return [f"{name}={word}" for word in words]
