"""A report as one HTML page: self-contained, every name escaped, reproducible byte for byte."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from html import escape

from dlexp.report.blocks import Block, Code, Facts, Grid, Heading, Shown, Words
from dlexp.report.words import clean, plain, slug

STYLE = """
:root { color-scheme: light; --ink: #222; --grey: #666; --line: #ddd; --accent: #0072b2;
  --alarm: #b34700; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 64rem; color: var(--ink);
  background: #fff; font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans",
  "Noto Sans CJK SC", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.6rem 0 .6rem; padding-top: .8rem;
  border-top: 1px solid var(--line); }
p, dl { margin: .55rem 0; max-width: 46rem; overflow-wrap: anywhere; }
a { color: var(--accent); }
.sub { color: var(--grey); margin-bottom: 1.2rem; }
.answer { font-size: 1.08rem; background: #f2f7fb; border-left: 4px solid var(--accent);
  padding: .4rem 1rem; margin: 0; }
.answer + p:not(.answer) { margin-top: .9rem; }
.warning { border-left: 4px solid var(--alarm); padding: .1rem 0 .1rem .9rem; }
.note + .warning { margin-bottom: 1.2rem; }
.note { color: var(--grey); font-size: .92rem; }
p.supported, p.refuted, p.open { border-left: 4px solid var(--grey); padding: .1rem 0 .1rem .9rem; }
p.supported, p.refuted, p.open { font-size: .92rem; max-width: 48rem; margin: .9rem 0; }
p > b { display: block; font-size: 1rem; }
summary { cursor: pointer; color: var(--accent); }
p.supported { border-color: var(--accent); }
p.refuted { border-color: var(--alarm); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .83rem; font-variant-numeric: tabular-nums;
  margin: .6rem 0; }
th, td { padding: .28rem .7rem .28rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; border-bottom: 1.5px solid var(--ink); white-space: nowrap; }
.l, .r { white-space: nowrap; }
.r { text-align: right; }
.v { white-space: nowrap; font-weight: 600; color: var(--grey); }
tr.supported .v { color: var(--accent); }
tr.refuted .v { color: var(--alarm); }
tr.faint td { color: var(--grey); }
.caption, figcaption { color: var(--grey); font-size: .85rem; line-height: 1.45;
  margin: 0 0 1.2rem; max-width: 48rem; }
figure { margin: 1.2rem 0 2rem; }
figure img { width: 100%; max-width: 48rem; height: auto; display: block; }
dt { font-weight: 600; margin-top: .5rem; }
dd { margin: 0; }
pre { background: #f6f6f6; padding: .7rem .9rem; overflow-x: auto; font-size: .85rem;
  line-height: 1.5; }
@media print { body { max-width: none; padding: 0; } figure, tr { break-inside: avoid; } }
"""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def render(title: str, subtitle: str, blocks: Sequence[Block], lang: str = "en") -> str:
    """The page; `lang` is en or zh."""
    body = "\n".join(part for block in blocks for part in _html(block))
    return f"""<!doctype html>
<html lang="{"zh-Hans" if lang == "zh" else escape(lang)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">
<meta name="generator" content="dlexp">
<title>{_safe(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{_safe(title)}</h1>
<p class="sub">{_safe(subtitle)}</p>
{body}
</body>
</html>
"""


def _safe(text: object) -> str:
    return escape(plain(text), quote=True)


def _html(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, anchor):
            yield f'<h2 id="{slug((anchor or text).lower())}">{_safe(text)}</h2>'
        case Words(text, kind, link, lead):
            start = f"<b>{_safe(lead)}</b> " if lead else ""
            source = (
                f' <a href="{escape(link[1], quote=True)}">{_safe(link[0])}</a>' if link else ""
            )
            yield f'<p class="{escape(kind)}">{start}{_safe(text)}{source}</p>'
        case Grid():
            yield from _table(block)
        case Facts(items):
            yield "<dl>"
            for term, text, address in items:
                source = f' <a href="{escape(address, quote=True)}">source</a>' if address else ""
                yield f"<dt>{_safe(term)}</dt><dd>{_safe(text)}{source}</dd>"
            yield "</dl>"
        case Shown(picture):
            kind = "gif" if picture.path.suffix == ".gif" else "png"
            data = base64.b64encode(picture.path.read_bytes()).decode("ascii")
            yield (
                f'<figure><img src="data:image/{kind};base64,{data}" alt="{_safe(picture.title)}">'
                f"<figcaption>{_safe(picture.caption)}</figcaption></figure>"
            )
        case Code(lines):
            yield f"<pre>{escape(chr(10).join(map(clean, lines)))}</pre>"


def _table(grid: Grid) -> Iterator[str]:
    kinds = ["" if a == "s" else f' class="{a}"' for a in grid.align]
    faint = [*grid.faint, *[False] * (len(grid.rows) - len(grid.faint))]
    yield (
        f"<details><summary>{_safe(grid.fold)}</summary>" * bool(grid.fold)
        + '<div class="wide"><table>'
    )
    heads = "".join(
        f'<th scope="col"{k}>{_safe(cell)}</th>' for k, cell in zip(kinds, grid.header, strict=True)
    )
    yield f"<thead><tr>{heads}</tr></thead><tbody>"
    tones = [*grid.tones, *[""] * (len(grid.rows) - len(grid.tones))]
    for row, grey, tone in zip(grid.rows, faint, tones, strict=True):
        shown = "".join(f"<td{k}>{_safe(cell)}</td>" for k, cell in zip(kinds, row, strict=True))
        kind = "faint" if grey else tone
        start = f'<tr class="{escape(kind)}">' if kind else "<tr>"
        yield f"{start}{shown}</tr>"
    yield "</tbody></table></div>"
    if grid.caption:
        yield f'<p class="caption">{_safe(grid.caption)}</p>'
    if grid.fold:
        yield "</details>"
