"""What a report is made of, before it is text or HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlexp.report.plots import Picture


@dataclass(frozen=True)
class Heading:
    """The title of a section."""

    text: str


@dataclass(frozen=True)
class Words:
    """A paragraph; `link` is a source, as (words, address).

    `kind` is "plain", "answer", "warning" or "note", or the tone of a verdict: "supported", "refuted" or "open".
    """

    text: str
    kind: str = "plain"
    link: tuple[str, str] | None = None


@dataclass(frozen=True)
class Grid:
    """A table; `align` has one letter per column: l, r, s for text on the left that may be cut short, v for a verdict.

    A row whose `faint` is true is shown in grey; `tones` colour the verdicts, row by row.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    align: str
    caption: str = ""
    faint: Sequence[bool] = ()
    tones: Sequence[str] = ()


@dataclass(frozen=True)
class Facts:
    """Terms and what they are, each perhaps with its source's address."""

    items: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Shown:
    """A figure."""

    picture: Picture


@dataclass(frozen=True)
class Code:
    """Commands to copy."""

    lines: Sequence[str]


Block = Heading | Words | Grid | Facts | Shown | Code
