"""The report of a study: page in English and in Chinese, text for a terminal, numbers.

Fixed sentences are in Chinese on the Chinese page; names and figures are in English in both. The
same runs give the same bytes: report.html, report.zh.html, report.json, verdicts.json, runs.csv,
and the figures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlexp import shell
from dlexp.report import (
    chinese,
    claims,
    files,
    markdown,
    page,
    sections,
    table,
    tables,
    terminal,
    words,
)
from dlexp.report.blocks import Block, Code, Facts, Grid, Heading, Shown, Words
from dlexp.report.claims import rendering
from dlexp.report.claims.messages import ended
from dlexp.report.method import definitions_of_claims
from dlexp.report.plots import Picture
from dlexp.report.study import Part, Study, translated
from dlexp.storage.atomic import write_atomically

DECIDED = "the claims were tested, see above"
LONG = 12  # groups; a page shows a longer table closed
WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "subtitle": "study {name} · {runs} · seeds {seeds}",
        "preview": (
            "A smaller budget (quick=true): a preview with fewer seeds or settings than the study."
            " Command for the full result: {command}"
        ),
        "other": "中文：report.zh.html",
        "none": "This study makes no claims.",
        "answer": "{claims}{preview}: {counted}.",
        "as_preview": ", as a preview",
        "titled": "Preview: {title}",
        "changed": " (preview: {changes})",
        "counted": "{n} {status} ({ids})",
        "claims": "Claims and verdicts",
        "figures": "Figures",
        "detail": "Claim by claim",
        "undrawn": "{title}: not drawn, {reason}.",
        "fold": "All {n} groups",
        "method": "How it was computed",
        "repeat": "How to repeat it",
        "files": (
            "The numbers are in report.json, verdicts.json and runs.csv beside this page, and every"
            " run in its folder."
        ),
    },
    "zh": {
        "subtitle": "研究 {name} · {n} 次运行 · 种子 {seeds}",
        "preview": (
            "这只是较小预算（quick=true）的预览，种子或设置少于正式研究。"
            "得到正式结果的命令：{command}"
        ),
        "other": "English: report.html",
        "none": "这项研究没有提出论断。",
        "answer": "{n} 条论断{preview}：{counted}。",
        "as_preview": "（预览）",
        "titled": "预览：{title}",
        "changed": "（预览：{changes}）",
        "counted": "{n} 条 {status}（{ids}）",
        "claims": "论断的检验",
        "figures": "图",
        "detail": "逐条说明",
        "undrawn": "{title}：未绘制（{reason}）。",
        "fold": "全部 {n} 组",
        "method": "计算方法",
        "repeat": "如何重复",
        "files": (
            "数据见本页同目录下的 report.json、verdicts.json 与 runs.csv，每次运行各有文件夹。"
        ),
    },
}


def texts(s: Study) -> dict[str, str]:
    """Every file of the report but the figures, by name."""
    return {
        "report.html": render(s, "en"),
        "report.zh.html": render(s, "zh"),
        "report.json": files.plain_json(_everything(s)),
        "verdicts.json": claims.text(s.verdicts),
        "runs.csv": files.runs(table.arrange([s.sweep])),
    }


def _everything(s: Study) -> dict[str, Any]:
    """report.json: the fields of any sweep, for the first part, and the verdicts."""
    first = json.loads(files.everything(s.parts[0].findings)) if s.parts else {}
    figures = [
        {
            "file": f"figures/{p.path.relative_to(s.folder).as_posix()}",
            "title": p.title,
            "caption": p.caption,
        }
        for p in s.pictures
    ]
    limits = [warning for several in s.warnings.values() for warning in several]
    return first | {
        "title": title(s),
        "answer": answer(s),
        "figures": figures,
        "study": s.sweep.label,
        "quick": s.quick,
        "warnings": list(dict.fromkeys(limits)),
        "claims": json.loads(claims.text(s.verdicts))["claims"],
    }


def write(s: Study, folder: Path, near: str) -> tuple[str, str]:
    """Write every file into `folder`; the text for the terminal, and Markdown."""
    for name, text in texts(s).items():
        write_atomically(folder / name, text.encode("utf-8", "replace").decode())
    return terminal_text(s, near), markdown.render(short(s))


def render(s: Study, lang: str) -> str:
    """The page in one of its languages."""
    phrases, runs = WORDS[lang], len(s.sweep.runs)
    subtitle = phrases["subtitle"].format(
        name=s.sweep.label, n=runs, runs=words.many(runs, "run"), seeds=s.seeds
    )
    shown = [chinese.block(b) if lang == "zh" else b for b in blocks(s, lang)]
    return page.render(title(s, lang), subtitle, shown, lang)


def title(s: Study, lang: str = "en") -> str:
    """The title of the page, marked for a preview."""
    plain = translated(s.description.get("title"), lang) or s.title
    return WORDS[lang]["titled"].format(title=plain) if s.quick else plain


def answer(s: Study, lang: str = "en") -> str:
    """The verdicts in a sentence."""
    phrases = WORDS[lang]
    if not s.verdicts:
        return phrases["none"]
    comma, stop = (", ", "; ") if lang == "en" else ("、", "；")
    counted = [
        phrases["counted"].format(n=len(ids), status=status, ids=comma.join(ids))
        for status, ids in s.counted
    ]
    n = len(s.verdicts)
    as_preview = phrases["as_preview"] * s.quick
    return phrases["answer"].format(
        n=n, claims=words.many(n, "claim"), counted=stop.join(counted), preview=as_preview
    )


def preview(s: Study, lang: str = "en") -> str:
    """The note on a preview, with the command for the full result."""
    return WORDS[lang]["preview"].format(
        command=shell.command(f"experiment={s.description.get('name') or s.sweep.label}")
    )


def blocks(s: Study, lang: str) -> Iterator[Block]:
    """The page: answer, verdicts, figures, details of each verdict, parts, methods, commands."""
    phrases = WORDS[lang]
    yield Words("", "note", (phrases["other"], "report.zh.html" if lang == "en" else "report.html"))
    if s.quick:
        yield Words(preview(s, lang), "warning")
    yield Words(answer(s, lang), "answer")
    if shows := translated(s.description.get("shows"), lang):
        yield Words(shows)
    first = 1 + len(rendering.cautioned(s.verdicts, lang)) if s.verdicts else 0
    overview, details = (
        claims.blocks(s.verdicts, lang)[:first],
        claims.blocks(s.verdicts, lang)[first:],
    )
    if overview:
        yield Heading(phrases["claims"], "claims")
        yield from overview
    if s.figures:
        yield Heading(phrases["figures"], "figures")
        for figure in s.figures:
            if isinstance(figure, Picture):
                yield Shown(figure)
            else:
                yield Words(
                    phrases["undrawn"].format(title=figure.title, reason=figure.reason), "warning"
                )
    if details:
        yield Heading(phrases["detail"], "claim-by-claim")
        yield from details
    for part in s.parts:
        yield from _part(s, part, lang)
    yield from _end(s, lang)


def _part(s: Study, part: Part, lang: str) -> Iterator[Block]:
    findings, phrases = part.findings, WORDS[lang]
    changes = translated(
        {"en": ", ", "zh": "，"}[lang].join(one.get(lang, "") for one in s.changes(part.name))
    )
    of_preview = phrases["changed"].format(changes=changes) if s.quick and changes else ""
    yield Heading(part.title[lang] + of_preview, f"part-{part.name}")
    yield from (Words(warning, "warning") for warning in s.warnings[part.name])
    if findings.tuned:
        yield tables.choices(findings.tuned)
    grid = tables.groups(findings.main, wide=True, decided=DECIDED)
    yield (
        replace(grid, fold=phrases["fold"].format(n=len(grid.rows)))
        if len(grid.rows) > LONG
        else grid
    )


def _end(s: Study, lang: str) -> Iterator[Block]:
    phrases = WORDS[lang]
    if s.parts:
        yield from sections.failures(replace(s.parts[0].findings, table=table.arrange([s.sweep])))
        yield Heading(phrases["method"], "method")
        yield Facts(definitions_of_claims([part.findings.main for part in s.parts]))
    yield Heading(phrases["repeat"], "repeat")
    yield Code([s.command, s.repeat])
    yield Words(phrases["files"], "note")


def terminal_text(s: Study, html: str) -> str:
    """The text for the terminal: the verdicts and the path of the page."""
    runs = words.many(len(s.sweep.runs), "run")
    subtitle = WORDS["en"]["subtitle"].format(name=s.sweep.label, runs=runs, seeds=s.seeds)
    lines: list[Block] = [Words(title(s)), Words(subtitle)]
    lines += [Words(preview(s), "warning")] if s.quick else []
    for v in s.verdicts:
        lines += [
            Words(""),
            Words(f"{rendering.mark(v.status, preview=v.preview)}  {v.claim.says['en']}"),
            Words(f"{v.claim.id}: {_result(v)}"),
            *(Words(ended(note["en"], "en"), "warning") for note in v.cautions),
        ]
    undrawn = [f for f in s.figures if not isinstance(f, Picture)]
    lines += [Words("")] if undrawn else []
    lines += [Words(f"{f.name}: not drawn, {f.reason}", "warning") for f in undrawn]
    return terminal.render([*lines, Words(""), Code([f"report  {html}"])])


def _result(v: claims.Verdict) -> str:
    """A verdict's numbers, and its reason if it is INCONCLUSIVE."""
    numbers = (
        f"{rendering.effect(v)}, margin {v.claim.margin:g}, n = {v.n}, p ="
        f" {words.probability(v.p_holm)}"
    )
    if v.effect is None or v.status == claims.INCONCLUSIVE:
        return v.because["en"] if v.effect is None else f"{numbers}; {v.because['en']}"
    return numbers


def short(s: Study) -> list[Block]:
    """The answer and the table of claims."""
    warning: list[Block] = [Words(preview(s), "warning")] if s.quick else []
    grids = [b for b in claims.blocks(s.verdicts) if isinstance(b, Grid)]
    return [*warning, Words(answer(s)), *grids, *rendering.cautioned(s.verdicts)]
