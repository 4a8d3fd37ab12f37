"""The short form of a report as Markdown, for the description of a run in MLflow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from dlexp.report.blocks import Block, Code, Facts, Grid, Heading, Shown, Words
from dlexp.report.words import clean, plain


def render(blocks: Sequence[Block]) -> str:
    """The blocks as Markdown."""
    return "\n".join(line for block in blocks for line in _lines(block)) + "\n"


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Heading(text):
            yield f"\n## {_safe(text)}\n"
        case Words(_, kind):
            yield f"> {_safe(block.whole)}\n" if kind == "warning" else f"{_safe(block.whole)}\n"
        case Grid(header, rows, align, caption):
            yield f"| {' | '.join(map(_safe, header))} |"
            yield f"|{'|'.join('---:' if a == 'r' else '---' for a in align)}|"
            yield from (f"| {' | '.join(map(_safe, row))} |" for row in rows)
            yield f"\n{_safe(caption)}\n"
        case Facts(items):
            yield from (f"- **{_safe(term)}**: {_safe(text)}" for term, text, _ in items)
        case Shown(picture):
            yield f"*{_safe(picture.caption)}*\n"
        case Code(lines):
            yield from (f"    {clean(line)}" for line in lines)


def _safe(text: str) -> str:
    """Text without marks that Markdown, or HTML inside it, would take for its own."""
    return (
        re.sub(r"([\\`*_\[\]|#~])", r"\\\1", plain(text)).replace("<", "&lt;").replace(">", "&gt;")
    )
