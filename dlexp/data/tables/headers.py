"""Whether the first line of a table holds the names of its columns, or its first sample."""

from __future__ import annotations

from collections.abc import Sequence

from dlexp.data.tables.cells import MISSING, is_number

# what a column of labels is often called
LABELS = ("label", "class", "target", "species", "y", "survived")
COUNTED = 3  # cells 0, 1, 2, … that are names rather than numbers


def is_header(
    first: Sequence[str], rest: Sequence[Sequence[str]], decimal: str = "."
) -> bool | None:
    """True for names, False for a sample, None if undecided: no sample may be lost.

    A word above numbers is a name. A word that stands below it in its column again is a value, and
    a number above numbers is one, unless the numbers only count the columns.

    >>> rows = [["1", "x"], ["2", "y"]]
    >>> is_header(["a", "b"], rows), is_header(["3", "x"], rows)
    (True, False)
    >>> is_header(["95", "48", "van"], [["91", "41", "bus"], ["104", "50", "opel"]]) is None
    True
    """
    cells = [cell.strip() for cell in first]
    if not rest:
        return not any(is_number(cell, decimal) for cell in cells) or None
    seen = [
        _evidence(cell, [row[i].strip() for row in rest if i < len(row)], decimal)
        for i, cell in enumerate(cells)
    ]
    names, numbers, again, new = (seen.count(kind) for kind in ("name", "number", "again", "new"))
    if cells == [str(i) for i in range(len(cells))]:  # pandas names the columns of an array so
        last = {row[-1].strip() for row in rest}
        return None if cells[-1] in last else True
    if names:
        # names, too: `year,2010,2011,kind`
        counts = [cell for cell in cells if is_number(cell, decimal)]
        if counts and (
            again or len(set(counts)) < len(counts) or not all(map(str.isdigit, counts))
        ):
            return None
        return True if not again or names >= min(2, len(cells) - 1) else None
    words = [cell for cell in cells if cell not in MISSING and not is_number(cell, decimal)]
    if not words:
        return False
    if numbers:
        return False if again else True if _are_names(cells, words, decimal) else None
    if again:
        return False if again > new else None
    return True if new >= 2 or any(word.lower() in LABELS for word in words) else None


def _evidence(cell: str, below: Sequence[str], decimal: str) -> str:
    """What a cell of the first line is, given those below: name, number, known or new word."""
    held = [text for text in below if text not in MISSING]
    if cell in MISSING or not held:
        return ""
    if cell in held and not is_number(cell, decimal):
        return "again"
    if 2 * sum(is_number(text, decimal) for text in held) > len(held):
        return "number" if is_number(cell, decimal) else "name"
    if is_number(cell, decimal):
        return ""
    return "new" if 2 * len(set(held)) <= len(held) else "other"


def _are_names(cells: Sequence[str], words: Sequence[str], decimal: str) -> bool:
    """Whether words are names although other cells are numbers: `0,1,2,kind`, `2001,label`."""
    if all(word.lower() in LABELS for word in words):
        return True
    counted = [i for i, cell in enumerate(cells) if cell == str(i)]
    return len(counted) >= COUNTED and len(counted) + len(words) == len(cells)
