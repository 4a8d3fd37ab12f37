"""A report as text for a terminal: at most 100 columns, aligned, wide characters counted as wide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dlexp.report.blocks import Block, Code, Facts, Grid, Heading, Shown, Words
from dlexp.report.words import clean, cut, plain, width

COLUMNS = 100
GAP = "  "
NARROWEST = 8  # of a column that has to give way


def render(blocks: Sequence[Block]) -> str:
    """The blocks one below the other."""
    return "\n".join(line.rstrip() for block in blocks for line in _lines(block)) + "\n"


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, _):
            yield ""
            yield from _wrapped(text, "# ")
        case Words(_, kind):
            yield from _wrapped(block.whole, "! " if kind == "warning" else "")
        case Grid():
            yield ""
            yield from table(block)
            yield from _wrapped(block.caption) if block.caption else ()
        case Facts(items):
            for term, text, _ in items:
                yield from _wrapped(text, f"{plain(term)}  ")
        case Shown(picture):
            yield f"  {picture.path}"
        case Code(lines):
            yield from (clean(line) for line in lines)


def _wrapped(text: str, mark: str = "") -> list[str]:
    """Lines of at most 100 columns; those after the first are indented by the width of the mark."""
    indent = " " * min(width(mark), 12)
    lines, line, fresh = [], mark, True
    for word in plain(text).split():
        for piece in _pieces(word, COLUMNS - len(indent)):
            if not fresh and width(line) + 1 + width(piece) > COLUMNS:
                lines.append(line)
                line, fresh = indent, True
            line += piece if fresh else f" {piece}"
            fresh = False
    return [*lines, line]


def _pieces(word: str, room: int) -> Iterator[str]:
    """A word, or parts of one that is wider than a line."""
    while width(word) > room:
        part = cut(word, room)[:-1]
        yield part
        word = word[len(part) :]
    yield word


def table(grid: Grid) -> list[str]:
    """The rows of a table; where they are too wide the widest column of text gives way."""
    rows = [[plain(cell) for cell in row] for row in [grid.header, *grid.rows]]
    widths = [max(width(row[i]) for row in rows) for i in range(len(grid.header))]
    while sum(widths) + len(GAP) * (len(widths) - 1) > COLUMNS:
        soft = [i for i, a in enumerate(grid.align) if a == "s" and widths[i] > NARROWEST]
        if not soft:
            break
        widest = max(soft, key=lambda i: widths[i])
        widths[widest] -= 1
    lines = [GAP.join(_cell(cell, w, a) for cell, w, a in zip(row, widths, grid.align, strict=True)) for row in rows]
    return [lines[0], "─" * (sum(widths) + len(GAP) * (len(widths) - 1)), *lines[1:]]


def _cell(text: str, room: int, align: str) -> str:
    text = cut(text, room)
    space = " " * (room - width(text))
    return space + text if align == "r" else text + space
