"""A report as text for a terminal, at most 100 columns wide; wide characters count as two."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from itertools import pairwise

from dlexp.report.blocks import Block, Code, Facts, Grid, Heading, Shown, Words
from dlexp.report.words import clean, cut, plain, width

# text is set to the terminal's width between these; without a terminal, to the latter
NARROW, COLUMNS = 40, 100
GAP, INDENT = "  ", "    "
NARROWEST = 8  # width of a column that is cut


def render(blocks: Sequence[Block], columns: int | None = None) -> str:
    """The blocks in lines of `columns`; None: of the terminal, for what is printed at once."""
    wide = columns or max(NARROW, min(shutil.get_terminal_size((COLUMNS, 24)).columns, COLUMNS))
    return "\n".join(line.rstrip() for block in blocks for line in _lines(block, wide)) + "\n"


def _lines(block: Block, columns: int) -> Iterator[str]:
    match block:
        case Heading(text, _):
            yield ""
            yield from _wrapped(text, columns, "# ")
        case Words(_, kind):
            yield from _wrapped(block.whole, columns, "! " if kind == "warning" else "")
        case Grid():
            yield ""
            yield from table(block, columns)
            yield from _wrapped(block.caption, columns) if block.caption else ()
        case Facts(items):
            for term, text, _ in items:
                yield from _wrapped(text, columns, f"{plain(term)}  ")
        case Shown(picture):
            yield f"  {picture.path}"
        case Code(lines):
            yield from (clean(line) for line in lines)


def _wrapped(text: str, columns: int, mark: str = "") -> list[str]:
    """Lines of at most `columns` columns, indented by the width of the mark after the first."""
    indent = " " * min(width(mark), 12)
    lines, line, fresh = [], mark, True
    for word in plain(text).split():
        for piece in _pieces(word, columns - len(indent)):
            if not fresh and width(line) + 1 + width(piece) > columns:
                lines.append(line)
                line, fresh = indent, True
            line += piece if fresh else f" {piece}"
            fresh = False
    return [*lines, line]


def _pieces(word: str, columns: int) -> Iterator[str]:
    """A word, or parts of one that is wider than a line."""
    while width(word) > columns:
        part = cut(word, columns)[:-1]
        yield part
        word = word[len(part) :]
    yield word


def table(grid: Grid, columns: int = COLUMNS) -> list[str]:
    """The rows of a table. Wide columns of text are cut to fit, numbers never.

    Where that is not enough a row goes on in the next line, indented.
    """
    rows = [[plain(cell) for cell in row] for row in [grid.header, *grid.rows]]
    widths = [max(width(row[i]) for row in rows) for i in range(len(grid.header))]
    least = {
        i: _least([row[i] for row in rows[1:]], columns)
        for i, a in enumerate(grid.align)
        if a == "s"
    }
    while _total(widths) > columns:
        soft = [i for i in least if widths[i] > least[i]]
        if not soft:
            break
        widest = max(soft, key=lambda i: widths[i])
        widths[widest] -= 1
    folds = list(pairwise(_folds(widths, columns)))

    def lines(row: Sequence[str]) -> list[str]:
        cells = [_cell(cell, w, a) for cell, w, a in zip(row, widths, grid.align, strict=True)]
        parts = [INDENT * (a > 0) + GAP.join(cells[a:b]) for a, b in folds]
        return [line for line in parts if line.strip()]

    rule = "─" * max(len(INDENT) * (a > 0) + _total(widths[a:b]) for a, b in folds)
    return [*lines(rows[0]), rule, *(line for row in rows[1:] for line in lines(row))]


def _least(cells: Sequence[str], columns: int) -> int:
    """The least width of a column of text that keeps names distinct, up to a quarter of a line."""
    names = {*cells}
    for least in range(NARROWEST, max(2 * NARROWEST, columns // 4) + 1):
        if len({cut(name, least) for name in names}) == len(names):
            return least
    return NARROWEST


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _folds(widths: Sequence[int], columns: int) -> list[int]:
    """Which columns of a table begin a new line, and after the last the number of all."""
    folds = [0]
    for i in range(1, len(widths)):
        if len(INDENT) * (folds[-1] > 0) + _total(widths[folds[-1] : i + 1]) > columns:
            folds.append(i)
    return [*folds, len(widths)]


def _cell(text: str, columns: int, align: str) -> str:
    text = cut(text, columns)
    space = " " * (columns - width(text))
    return space + text if align == "r" else text + space
