"""What a report is made of, before it is text or HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlexp.report.plots import Picture


@dataclass(frozen=True)
class Heading:
    """The title of a section; `anchor` is its name in links where the title is Chinese."""

    text: str
    anchor: str = ""


@dataclass(frozen=True)
class Words:
    """A paragraph; `link` is a source, as (words, address), `lead` what it begins with, in bold.

    `kind` is "plain", "answer", "warning" or "note", or the tone of a verdict: "supported",
    "refuted" or "open".
    """

    text: str
    kind: str = "plain"
    link: tuple[str, str] | None = None
    lead: str = ""

    @property
    def whole(self) -> str:
        """The paragraph with its beginning."""
        return f"{self.lead} {self.text}".strip()


@dataclass(frozen=True)
class Grid:
    """A table. `align`, a letter per column: l(eft), r(ight), s (left, may be cut), v(erdict).

    A row whose `faint` is true is shown in grey; `tones` colour the verdicts, row by row. A page
    shows a table with `fold` as these words, to be opened.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    align: str
    caption: str = ""
    faint: Sequence[bool] = ()
    tones: Sequence[str] = ()
    fold: str = ""


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
