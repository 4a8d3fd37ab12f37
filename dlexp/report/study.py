"""The report of a named study: its claims and their verdicts, then part by part what was found and how it looks.

The same runs give the same bytes: report.html, report.json, verdicts.json, runs.csv, and the figures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlexp import journal
from dlexp.errors import UserError
from dlexp.report import claims, files, markdown, measure, page, plots, sections, table, tables, terminal, tuned, words
from dlexp.report.blocks import Block, Code, Facts, Heading, Shown, Words
from dlexp.report.checks import warnings
from dlexp.report.claims import written
from dlexp.report.compare import compare
from dlexp.report.method import definitions
from dlexp.report.plots import Picture
from dlexp.report.plots.study import Undrawn, draw_study
from dlexp.report.runs import Sweep
from dlexp.report.sections import Findings

ORDER = (claims.SUPPORTED, claims.NOT_SUPPORTED, claims.INCONCLUSIVE)


@dataclass(frozen=True)
class Part:
    """One part of a study: its name and title, and what a report knows of its runs."""

    name: str
    title: str
    found: Findings


@dataclass(frozen=True)
class Study:
    """All that the page of a study tells."""

    sweep: Sweep
    verdicts: Sequence[claims.Verdict]
    parts: Sequence[Part]
    figures: Sequence[Picture | Undrawn]
    repeat: str

    @property
    def pictures(self) -> list[Picture]:
        """The figures that could be drawn."""
        return [f for f in self.figures if isinstance(f, Picture)]

    @property
    def said(self) -> Mapping[str, Any]:
        """What stands in the study's file."""
        return self.sweep.study or {}

    @property
    def title(self) -> str:
        """Of the page."""
        return words.plain(_said(self.said.get("title")) or self.sweep.label)

    @property
    def subtitle(self) -> str:
        """How much of what."""
        runs = len(self.sweep.runs)
        seeds = sorted({run.seed for run in self.sweep.runs if run.seed is not None})
        return f"study {self.sweep.label} · {words.many(runs, 'run')} · seeds {words.ranges(seeds)}"

    @property
    def answer(self) -> str:
        """The verdicts in a sentence."""
        if not self.verdicts:
            return "This study makes no claims."
        sets = {status: [v.claim.id for v in self.verdicts if v.status == status] for status in ORDER}
        told = [f"{len(ids)} {status} ({', '.join(ids)})" for status, ids in sets.items() if ids]
        return f"{words.many(len(self.verdicts), 'claim')}: {'; '.join(told)}."


def read(sweep: Sweep, figures: Path, repeat: str) -> Study:
    """Decide the claims of a study and draw its figures. Raises `UserError`."""
    said = sweep.study or {}
    members = sweep.parts or {"all": tuple(run.key for run in sweep.runs)}
    subs = {name: replace(sweep, runs=tuple(r for r in sweep.runs if r.key in {*keys}), notes=())
            for name, keys in members.items()}  # fmt: skip
    whole = {name: table.arrange([sub]) for name, sub in subs.items() if sub.runs}
    asked = said.get("figures")
    drawn: list[Picture | Undrawn] = list(draw_study(sweep, whole, asked, figures)) if asked else []
    parts = []
    for name, arranged in whole.items():
        told = (said.get("parts") or {}).get(name) or {}
        chosen = measure.choose(arranged, told.get("metric"), told.get("better"))
        best = _tuned(arranged, chosen, subs[name]) if told.get("tuned") else None
        main = best.tuned if best else compare(arranged, chosen)
        found = Findings([subs[name]], arranged, main, best, [], repeat)
        if not asked:
            drawn += plots.draw(found.main, figures / name if len(whole) > 1 else figures)
        parts.append(Part(name, words.plain(_said(told.get("title")) or name), found))
    return Study(sweep, claims.decide(sweep), parts, drawn, repeat)


def _tuned(arranged: table.Table, chosen: measure.Measure, sweep: Sweep) -> tuned.Tuned | None:
    """Each method at its best; None where there are too few seeds to choose with some and report others."""
    try:
        return tuned.tune(arranged, chosen, [sweep])
    except UserError:
        return None


def texts(s: Study) -> dict[str, str]:
    """Every file of the report but the figures, by name."""
    return {
        "report.html": page.render(s.title, s.subtitle, list(whole_page(s))),
        "report.json": files.plain_json(_everything(s)),
        "verdicts.json": claims.text(s.verdicts),
        "runs.csv": files.runs(table.arrange([s.sweep])),
    }


def _everything(s: Study) -> dict[str, Any]:
    """report.json: what others want to know of any sweep, of the first part; and the verdicts."""
    first = json.loads(files.everything(s.parts[0].found)) if s.parts else {}
    figures = [{"file": f"figures/{p.path.name}", "title": p.title, "caption": p.caption} for p in s.pictures]
    return first | {
        "title": s.title, "answer": s.answer, "figures": figures, "study": s.sweep.label,
        "claims": json.loads(claims.text(s.verdicts))["claims"],
    }  # fmt: skip


def whole_page(s: Study) -> Iterator[Block]:
    """The page: words, verdicts, parts, methods, commands."""
    yield Words(s.answer, "answer")
    if shows := _said(s.said.get("shows")):
        yield Words(words.plain(shows))
    yield Heading("Claims, put to the test")
    yield from claims.blocks(s.verdicts)
    if s.figures:
        yield Heading("Figures")
        for figure in s.figures:
            yield Shown(figure) if isinstance(figure, Picture) else _undrawn(figure)
    for part in s.parts:
        yield from _part(part)
    yield from sections.failures(_whole(s))
    yield Heading("How it was computed")
    if s.parts:
        yield Facts(definitions(s.parts[0].found.main))
    yield Heading("How to repeat it")
    yield Code([s.sweep.command, s.repeat])
    yield Words(
        "The numbers are in report.json, verdicts.json and runs.csv beside this page, and every run in its folder.",
        "note",
    )


def _undrawn(figure: Undrawn) -> Words:
    return Words(f"{figure.title}: not drawn, {figure.reason}.", "warning")


def _part(part: Part) -> Iterator[Block]:
    f = part.found
    yield Heading(part.title)
    yield from (Words(warning, "warning") for warning in dict.fromkeys(warnings(f.main)) if "planned" not in warning)
    if f.tuned:
        yield tables.choices(f.tuned)
    yield tables.groups(f.main, wide=True)


def _whole(s: Study) -> Findings:
    """The runs of all parts as one."""
    if s.parts:
        return replace(s.parts[0].found, table=table.arrange([s.sweep]))
    raise AssertionError("a study without runs has no page")


def terminal_text(s: Study, html: str) -> str:
    """What is printed: the verdicts, and where the page lies."""
    told: list[Block] = [Words(s.title), Words(s.subtitle)]
    for v in s.verdicts:
        told += [
            Words(""),
            Words(f"{written.mark(v.status)}  {v.claim.says['en']}"),
            Words(f"{v.claim.id}: {_found(v)}"),
        ]
    told += [Words("")]
    told += [Words(f"{f.name}: not drawn, {f.reason}", "warning") for f in s.figures if isinstance(f, Undrawn)]
    return terminal.render([*told, Words(""), Code([f"report  {html}"])])


def _found(v: claims.Verdict) -> str:
    """A verdict's numbers, and its reason where they do not speak for themselves."""
    numbers = f"{written.effect(v)}, margin {v.claim.margin:g}, n = {v.n}, p = {words.probability(v.p_holm)}"
    if v.effect is None or v.status == claims.INCONCLUSIVE:
        return v.because["en"] if v.effect is None else f"{numbers}; {v.because['en']}"
    return numbers


def noted(s: Study) -> str:
    """The same as Markdown."""
    return markdown.render([Words(s.answer), *claims.blocks(s.verdicts)[:1]])


def write(s: Study, folder: Path, near: str) -> tuple[str, str]:
    """Write every file into `folder`; the text for the terminal, and Markdown."""
    for name, text in texts(s).items():
        journal.write_atomically(folder / name, text.encode("utf-8", "replace").decode())
    return terminal_text(s, near), noted(s)


def _said(told: Any, language: str = "en") -> str:
    """A text in one of its languages; a text that has but one is taken as it is."""
    if isinstance(told, Mapping):
        told = told.get(language)
    return " ".join(str(told).split()) if told else ""
