"""The report of a named study as data: claims with verdicts, figures, results by part."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlexp.errors import UserError
from dlexp.report import claims, measure, plots, table, tuned, words
from dlexp.report.checks import warnings
from dlexp.report.compare import compare
from dlexp.report.plots import Picture
from dlexp.report.plots.study import Undrawn, draw_study
from dlexp.report.runs import SweepRecord
from dlexp.report.sections import Findings

OF_PAIRS = re.compile("planned|^The comparisons of|^Along ")
ORDER = (claims.SUPPORTED, claims.NOT_SUPPORTED, claims.INCONCLUSIVE)


@dataclass(frozen=True)
class Part:
    """One part of a study: its name, its title in each language, and its results."""

    name: str
    title: Mapping[str, str]
    findings: Findings
    untuned: str = ""  # why tuned settings could not be compared


@dataclass(frozen=True)
class Study:
    """The content of a study's page."""

    sweep: SweepRecord
    verdicts: Sequence[claims.Verdict]
    parts: Sequence[Part]
    figures: Sequence[Picture | Undrawn]
    folder: Path  # of the figures
    repeat: str

    @property
    def pictures(self) -> list[Picture]:
        """The figures that could be drawn."""
        return [f for f in self.figures if isinstance(f, Picture)]

    @property
    def description(self) -> Mapping[str, Any]:
        """The mapping `study` of the study's file."""
        return self.sweep.study or {}

    @property
    def quick(self) -> bool:
        """Whether it was made with the smaller budget."""
        return self.sweep.quick

    def changes(self, part: str) -> list[dict[str, str]]:
        """How the training of a part differed from the study's file, in each language."""
        changes = self.description.get("changes")
        texts = changes.get(part) if isinstance(changes, Mapping) else None
        return [text for text in texts if isinstance(text, dict)] if isinstance(texts, list) else []

    @property
    def command(self) -> str:
        """The command that made it, without the number of workers, which changes no result."""
        return re.sub(r" hydra\.launcher\.n_jobs=\S+", "", self.sweep.command)

    @property
    def seeds(self) -> str:
        """Of all runs."""
        return words.ranges(sorted({run.seed for run in self.sweep.runs if run.seed is not None}))

    @property
    def title(self) -> str:
        """Of the page."""
        return translated(self.description.get("title")) or self.sweep.label

    @property
    def warnings(self) -> dict[str, list[str]]:
        """The warnings on each part, without those on planned comparisons: a study has claims."""
        return {
            part.name: (
                [part.untuned] * bool(part.untuned)
                + [w for w in dict.fromkeys(warnings(part.findings.main)) if not OF_PAIRS.search(w)]
            )
            for part in self.parts
        }

    @property
    def counted(self) -> Iterator[tuple[str, list[str]]]:
        """Each verdict that was reached, and the claims that have it."""
        for status in ORDER:
            if ids := [v.claim.id for v in self.verdicts if v.status == status]:
                yield status, ids


def read(sweep: SweepRecord, figures: Path, repeat: str) -> Study:
    """Decide the claims of a study and draw its figures. Raises `UserError`."""
    study = sweep.study or {}
    members = sweep.parts or {"all": tuple(run.key for run in sweep.runs)}
    subs = {
        name: replace(sweep, runs=tuple(r for r in sweep.runs if r.key in {*keys}), notes=())
        for name, keys in members.items()
    }
    whole = {name: table.arrange([sub]) for name, sub in subs.items() if sub.runs}
    specs = study.get("figures")
    if sweep.quick:
        specs = [_previewed(spec) for spec in specs or ()]
    drawn: list[Picture | Undrawn] = list(draw_study(sweep, whole, specs, figures)) if specs else []
    parts = []
    for name, arranged in whole.items():
        described = (study.get("parts") or {}).get(name) or {}
        chosen = measure.choose(arranged, described.get("metric"), described.get("better"))
        best, untuned = (
            _tuned(arranged, chosen, subs[name]) if described.get("tuned") else (None, "")
        )
        main = best.tuned if best else compare(arranged, chosen)
        findings = Findings([subs[name]], arranged, main, best, [], repeat)
        title = {
            language: translated(described.get("title"), language) or name
            for language in ("en", "zh")
        }
        if not specs:
            several = len(whole) > 1
            usual = plots.draw(findings.main, figures / words.slug(name) if several else figures)
            drawn += [
                replace(p, caption=f"{title['en']}: {p.caption}") if several else p for p in usual
            ]
        parts.append(Part(name, title, findings, untuned))
    return Study(sweep, claims.decide(sweep), parts, drawn, figures, repeat)


def _previewed(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """A figure marked as a preview in its title."""
    if isinstance(spec, Mapping) and "title" in spec:
        return {**spec, "title": f"{spec['title']} (preview)"}
    return spec


def _tuned(
    arranged: table.Table, chosen: measure.Measure, sweep: SweepRecord
) -> tuple[tuned.Tuned | None, str]:
    """Each method at its best setting, or the reason why not, such as too few seeds."""
    try:
        return tuned.tune(arranged, chosen, [sweep]), ""
    except UserError as e:
        # the suggested command is for a sweep, not for a study
        why = re.split(r"\. Run |: add seeds", e.message)[0]
        return (
            None,
            f"Settings are shown one by one. Tuned settings are not compared: {why}.",
        )


def translated(text: Any, language: str = "en") -> str:
    """A text in a language, else in English; a plain string is used for all languages."""
    if isinstance(text, Mapping):
        text = text.get(language) or text.get("en")
    return words.plain(text) if text else ""
