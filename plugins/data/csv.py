"""Your own table from a CSV file."""

import numpy as np

from dlexp import FieldError, FileData, plugin

LIMIT = 2**30  # bytes of text


@plugin("csv")
class Csv(FileData):
    """Your own table from a CSV file: data.path=<file.csv>, a line of column names, then one sample a line

    One column, the last or the one that `label` names, holds the class: whole numbers or words. All others are numbers.
    The samples are split into training, validation and test samples (70 % / 10 % / 20 % unless `validation` and `test`
    say otherwise). `delimiter` is one character, or "tab". Text is UTF-8, with or without a byte-order mark; empty
    lines are skipped; 1 GiB is the limit. Errors name line and column. `FileData` says what becomes of the numbers.
    Source: RFC 4180, https://www.rfc-editor.org/rfc/rfc4180
    """

    suffix = ".csv"
    label: str | None = None
    delimiter: str = ","

    def __post_init__(self):
        super().__post_init__()
        if self.delimiter != "tab" and (len(self.delimiter) != 1 or self.delimiter in '"\r\n\0'):
            raise FieldError("must be one character (no quote, no line end), or the word tab", key="delimiter",
                             value=repr(self.delimiter))  # fmt: skip

    def read(self, file):
        import csv
        import io

        text = io.StringIO(self._text(file), newline="")
        lines = csv.reader(text, delimiter="\t" if self.delimiter == "tab" else self.delimiter, strict=True)
        try:
            rows = ((lines.line_num, row) for row in lines if row)
            header = self._header(next(rows, (0, [])))
            at = self._label_column(header)
            return {"all": self._table(rows, header, at)}
        except csv.Error as e:
            raise self.refused(f"line {lines.line_num}: {e}") from None

    def _text(self, file):
        if (size := file.stat().st_size) > LIMIT:
            raise self.refused(f"the file has {size:,} bytes; the limit is {LIMIT:,}: use an .npz file and data=npz")
        try:
            content = file.read_bytes()
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as e:
            # e.start counts from after a byte-order mark
            line = e.object.count(b"\n", 0, e.start) + 1
            wrong = f"line {line}: byte {e.object[e.start]:#04x} is not UTF-8"
            raise self.refused(f"{wrong}; save the file as UTF-8") from None
        except OSError as e:
            raise self.refused(f"the file cannot be read: {e.strerror}") from None

    def _header(self, first):
        """The column names, which must be names."""
        line, names = first[0], [name.strip() for name in first[1]]
        if not any(names):
            raise self.refused("there is no text in it; a line of column names is needed")
        if len(names) == 1:
            other = next((f"; is the delimiter {c!r}?" for c in ";\t|,:" if c in names[0]), "")
            raise self.refused(f"line {line} has only one column, {_shown(names[0])}; two are needed{other}")
        counted = names == [str(i) for i in range(len(names))]  # pandas names the columns of an array so
        numbers = [name for name in names if _is_number(name)]
        if not counted and (len(numbers) == len(names) or any(not name.isdigit() for name in numbers)):
            wrong = f"line {line} holds numbers ({_shown(numbers[0])}) where column names belong"
            raise self.refused(f"{wrong}; put a line of names above the first sample")
        for i, name in enumerate(names):
            if not name:
                raise self.refused(f"line {line}: column {i + 1} has no name")
            if name in names[:i]:
                wrong = f"line {line}: columns {names.index(name) + 1} and {i + 1} are both named {_shown(name)}"
                raise self.refused(f"{wrong}; is it a line of names at all?")
        return names

    def _label_column(self, names):
        if self.label is None:
            return len(names) - 1
        if self.label not in names:
            raise self.refused("there is no such column", key="label", asked=self.label, known=names)
        return names.index(self.label)

    def _table(self, rows, header, at):
        from array import array

        features = [name for i, name in enumerate(header) if i != at]
        values, labels = array("d"), []
        for line, row in rows:
            if len(row) != len(header):
                raise self.refused(f"line {line} has {len(row)} columns, the line of names {len(header)}")
            labels.append(self._label(line, header[at], row.pop(at).strip()))
            values.extend(self._numbers(line, features, row))
        if not labels:
            raise self.refused("there is no sample in it, only a line of column names")
        table = np.frombuffer(values, np.float64).reshape(len(labels), len(features))
        # Numbers as numbers, so that class 10 comes after class 9.
        return table, np.array([_number(cell) for cell in labels] if all(map(_is_number, labels)) else labels)

    def _label(self, line, name, cell):
        if cell.lower() in ("", "nan"):
            raise self.refused(f"line {line}, column {_shown(name)}: there is no label")
        return cell

    def _numbers(self, line, names, row):
        from math import isfinite

        try:
            numbers = [_number(cell) for cell in row]
        except ValueError:
            numbers = []
        if numbers and all(map(isfinite, numbers)):
            return numbers
        cells = zip(names, row, strict=True)
        name, cell = next((n, c) for n, c in cells if not _is_number(c) or not isfinite(float(c)))
        wrong = "is empty" if not cell.strip() else f"{_shown(cell)} is not a {'finite ' * _is_number(cell)}number"
        raise self.refused(f"line {line}, column {_shown(name)}: {wrong}")

    def example(self, folder):
        """Three clusters of 40 samples with 4 features, labelled with words."""
        from dataclasses import replace

        rng = np.random.default_rng(0)
        labels = np.arange(120) % 3
        x = rng.standard_normal((120, 4)) + 3 * np.eye(3, 4)[labels]
        names = np.array(["ant", "bee", "cat"])[labels]
        lines = [",".join([*map(str, row), name]) for row, name in zip(x.tolist(), names, strict=True)]
        (folder / "example.csv").write_text("\n".join(["a,b,c,d,animal", *lines]) + "\n", encoding="utf-8")
        return replace(self, path=str(folder / "example.csv"), label=None, delimiter=",")


def _number(cell):
    """What float says, without what only Python calls a number: 1_000, ٣."""
    if "_" in cell or not cell.strip().isascii():
        raise ValueError(cell)
    return float(cell)


def _is_number(cell):
    try:
        _number(cell)
    except ValueError:
        return False
    return True


def _shown(text):
    return repr(text if len(text) <= 40 else f"{text[:37]}…")
