"""Tables as text: encoding, delimiter, decimal sign and header, recognised unless given."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from dlexp.data.tables.cells import MISSING, SIGNS, is_number
from dlexp.data.tables.headers import is_header
from dlexp.errors import DataError, shown

LIMIT = 2**30  # bytes of text, unpacked
LOOKED_AT = 500  # lines by which a form is recognised
AT_FIRST = 50  # of these, those by which the delimiter is
HEAD = 2**20  # characters of them, where there are three lines
CHUNK = 2**20
COMMA = re.compile(r"[+-]?\d*,\d+(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
POINT = re.compile(r"[+-]?\d*\.\d+(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
MARKS = {  # byte-order marks, the longer ones first
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
HANZI = re.compile(rb"(?:[\x00-\x7f]|[\xa1-\xf7][\xa1-\xfe])*")  # text in the first planes of GBK
OTHERS = {
    "gb18030": "Chinese",
    "cp1252": "Western European",
    "shift_jis": "Japanese",
    "cp1251": "Cyrillic",
}


@dataclass(frozen=True)
class Form:
    """The format of a table. `skip` counts the lines before the first sample."""

    file: Path
    packed: bool
    encoding: str
    delimiter: str
    decimal: str
    names: tuple[str, ...]
    skip: int
    words: frozenset[int]  # columns that do not only hold numbers in the lines looked at
    nameless: frozenset[int]  # columns that line 1 leaves without a name
    quoted: bool  # whether a quotation mark is among all its bytes

    def lines(self, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
        """The samples, each with its last line's number. Raises `csv.Error` for wrong quotes."""
        with opened(self.file, self.packed) as content, _text(content, self.encoding) as text:
            reader = _reader(text, self.delimiter, strict=strict)
            for row in islice(reader, self.skip, None):
                if not _is_blank(row):
                    yield reader.line_num, row


def opened(file: Path, packed: bool) -> IO[bytes]:
    """The bytes of the text, unpacked."""
    return cast("IO[bytes]", gzip.open(file, "rb") if packed else file.open("rb"))


def recognised(
    file: Path,
    *,
    encoding: str | None,
    delimiter: str | None,
    decimal: str | None,
    header: bool | None,
) -> Form:
    """The form of a text table; fields that are not None are fixed.

    Raises `DataError`, its key a field's name, for data that are no text, or an undecided field.
    """
    with file.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    encoding, quoted = _survey(file, packed, encoding)
    with opened(file, packed) as content, _text(content, encoding) as text:
        looked_at = _beginning(text)
    if not "".join(looked_at).strip():
        raise DataError("there is no text in it; a table is needed")
    sign = SIGNS.get(delimiter or "", delimiter) or _delimiter(looked_at[:AT_FIRST])
    numbered = _rows(looked_at, sign)
    rows = [row for _, _, row in numbered]
    width = Counter(map(len, rows)).most_common(1)[0][0]
    first_line, before, first = numbered[0]
    _check_first(first_line, first, width, header)
    point = SIGNS.get(decimal or "", decimal) or _decimal(rows, sign)
    whole = [row for row in rows[1:] if len(row) == len(first)]
    if header is None and (header := is_header(first, whole, point)) is None:
        wrong = f"line {first_line} may be the names of the columns or the first sample"
        raise DataError(f"{wrong}: set data.header=true or data.header=false")
    names = _named(first_line, first) if header else tuple(map(str, range(len(first))))
    samples = whole if header else [first, *whole]
    words = {i for i in range(len(first)) if any(_is_word(row[i], point) for row in samples)}
    skip = before + 1 if header else before
    nameless = frozenset(i for i, cell in enumerate(first) if header and not cell.strip())
    return Form(
        file, packed, encoding, sign, point, names, skip, frozenset(words), nameless, quoted
    )


def _survey(file: Path, packed: bool, encoding: str | None) -> tuple[str, bool]:
    """Reads all bytes once to check the size limit, NUL bytes and the encoding."""
    size, plain, quoted = 0, True, False
    with _refusing_damage(), opened(file, packed) as stream:
        start = stream.read(4)
        if encoding is None:
            encoding = next(
                (name for mark, name in MARKS.items() if start.startswith(mark)), "utf-8"
            )
        wide = "16" in encoding or "32" in encoding
        marks = [mark for mark, name in MARKS.items() if name == codecs.lookup(encoding).name]
        if wide and start and marks and not start.startswith(tuple(marks)):
            raise DataError(
                f"it is not {encoding}: it does not start with a byte-order mark; if it is one, set"
                f" data.encoding={encoding}-le or {encoding}-be; else leave data.encoding out"
            )
        decoder = codecs.getincrementaldecoder(encoding)()
        chunk = start + stream.read(CHUNK)
        while chunk:
            size += len(chunk)
            if size > LIMIT:
                more = "use a Parquet file, or an .npz file and data=npz"
                raise DataError(
                    f"its text has more than {LIMIT:,} bytes, which is the limit: {more}"
                )
            plain, quoted = plain and chunk.isascii(), quoted or b'"' in chunk
            try:
                text = "" if plain and not wide else decoder.decode(chunk)
            except UnicodeDecodeError as e:
                raise _undecodable(file, packed, encoding, e) from None
            except UnicodeError as e:  # of codecs such as idna
                raise DataError(f"it is not {encoding}: {e}; leave data.encoding out") from None
            if "\0" in text if wide else b"\0" in chunk:
                raise DataError(
                    "there is a NUL byte in it, which no text has; for UTF-16 set"
                    " data.encoding=utf-16-le"
                )
            chunk = stream.read(CHUNK)
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as e:
            raise _undecodable(file, packed, encoding, e) from None
    return encoding, quoted


@contextmanager
def _refusing_damage() -> Iterator[None]:
    """What unpacking a damaged file raises, in one line."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as e:
        raise DataError(f"the file is truncated or damaged: {e}") from None
    except OSError as e:
        raise DataError(f"the file cannot be read: {e.strerror or e}") from None


def _undecodable(file: Path, packed: bool, encoding: str, error: UnicodeDecodeError) -> DataError:
    """The error for text in another encoding: its line, and the encodings to try."""
    shown_name = "UTF-8" if encoding in ("utf-8", "utf-8-sig") else encoding
    wrong, line = f"it is not {shown_name} throughout", b""
    if "16" not in encoding and "32" not in encoding:
        with opened(file, packed) as stream:
            for i, line in enumerate(stream, 1):
                try:
                    line.decode(encoding)
                except UnicodeDecodeError as e:
                    wrong = f"line {i}: byte {line[e.start]:#04x} is not {shown_name}"
                    break
    if line[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        line = b""
    order = (
        list(OTHERS)
        if HANZI.fullmatch(line.rstrip(b"\r\n"))
        else ["cp1252", *(n for n in OTHERS if n != "cp1252")]
    )
    names = ", ".join(f"{name} ({OTHERS[name]})" for name in order if name != encoding)
    return DataError(f"{wrong}; set its encoding: data.encoding={names}; or save the file as UTF-8")


def _text(stream: IO[bytes], encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, encoding, newline="")


def _beginning(text: io.TextIOWrapper) -> list[str]:
    """The lines looked at, with their ends."""
    lines: list[str] = []
    size = 0
    for line in islice(text, LOOKED_AT):
        lines.append(line)
        size += len(line)
        if size > HEAD and len(lines) > 2:
            break
    return lines


def _reader(lines: Iterable[str], delimiter: str, *, strict: bool = False) -> Any:
    csv.field_size_limit(LIMIT)
    if delimiter == " ":
        lines = (line.strip() + "\n" for line in lines)
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=strict)


def _rows(lines: Sequence[str], delimiter: str) -> list[tuple[int, int, list[str]]]:
    """Rows that hold something, each with the number of its line and of the rows before it."""
    reader = _reader(iter(lines), delimiter)
    return [(reader.line_num, i, row) for i, row in enumerate(reader) if not _is_blank(row)]


def _is_blank(row: Sequence[str]) -> bool:
    return not row or (len(row) == 1 and not row[0].strip())


def _delimiter(lines: Sequence[str]) -> str:
    """The delimiter with equal columns in all lines and most numbers; by default a comma."""
    best = ((False, 0.0, 1), ",")
    for sign in (",", ";", "\t", "|", " "):
        if sign == " " and best[0][2] > 1:
            break
        rows = [row for _, _, row in _rows(lines, sign)]
        width, often = Counter(map(len, rows)).most_common(1)[0]
        if width > 1 and 2 * often >= len(rows):
            cells = [cell.strip() for row in rows for cell in row]
            numbers = sum(
                is_number(cell) or (sign != "," and bool(COMMA.fullmatch(cell))) for cell in cells
            )
            best = max(
                best,
                ((often >= 0.95 * len(rows), numbers / len(cells), width), sign),
                key=lambda b: b[0],
            )
    return best[1]


def _decimal(rows: Sequence[Sequence[str]], delimiter: str) -> str:
    if delimiter == ",":
        return "."
    cells = [cell.strip() for row in rows for cell in row]
    comma = next((cell for cell in cells if COMMA.fullmatch(cell)), None)
    point = next((cell for cell in cells if POINT.fullmatch(cell)), None)
    if comma and point:
        wrong = f"there are numbers with a comma, {shown(comma)}, and with a point, {shown(point)}"
        raise DataError(f"{wrong}: set data.decimal=comma or data.decimal=point")
    return "," if comma else "."


def _check_first(line: int, first: Sequence[str], width: int, header: bool | None) -> None:
    """Raises `DataError` for a one-column table, or a first line narrower or wider than others."""
    if width == 1 and len(first) == 1:
        wrong = f"line {line} has only one column, {shown(first[0].strip())}; two are needed"
        raise DataError(
            f"{wrong}: set data.delimiter=comma, semicolon, tab, pipe or space where there are more"
        )
    if len(first) != width:
        most = f"line {line} has {len(first)} columns, most lines have {width}"
        raise DataError(f"{most}: take out what stands above the table, or name each column")


def _named(line: int, first: Sequence[str]) -> tuple[str, ...]:
    """The column names, all different; one without a name is called as pandas calls it."""
    names = [cell.strip() or f"Unnamed: {i}" for i, cell in enumerate(first)]
    for i, name in enumerate(names):
        if name in names[:i]:
            wrong = (
                f"line {line}: columns {names.index(name) + 1} and {i + 1} are both named"
                f" {shown(name)}"
            )
            raise DataError(f"{wrong}; if it is a sample, set data.header=false")
    return tuple(names)


def _is_word(cell: str, decimal: str) -> bool:
    return cell.strip() not in MISSING and not is_number(cell, decimal)
