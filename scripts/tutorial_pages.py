"""Pages of the tutorial with their marked places filled from the studies' verdicts.

Pages are written by hand except for marked places:

    <!-- begin claims weight_decay -->  …  <!-- end -->      the table of a study's claims
    <!-- begin overview -->  …  <!-- end -->                 how many claims of each page hold
    <!-- number weight_decay gap_shrinks effect -->+0.027<!-- end -->
                                                             a number of one claim, see `number`

`<!-- written for weight_decay: gap_shrinks=SUPPORTED, … -->` changes nothing. It names the verdicts
for which the text below it was written, so that tests/project/test_tutorial.py can report a text
that no longer fits.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dlexp.report import words
from dlexp.report.claims.sides import described

HOME = Path(__file__).resolve().parents[1] / "docs" / "tutorial"
PAGES = {  # study → page, in the chapter's order
    "optimizer_paths": "01-optimizer-paths",
    "optimizer_comparison": "02-optimizer-comparison",
    "activation_distribution": "03-activation-distribution",
    "zero_initialization": "04-zero-initialization",
    "initializer_comparison": "05-initializer-comparison",
    "batch_norm": "06-batch-norm",
    "overfitting": "07-overfitting",
    "weight_decay": "08-weight-decay",
    "dropout": "09-dropout",
    "adam_defaults": "10-adam-defaults",
}
LANGUAGES = ("en", "zh")
STATUSES = ("SUPPORTED", "NOT SUPPORTED", "INCONCLUSIVE")
SHOWN = {
    "en": dict(zip(STATUSES, ("✓ SUPPORTED", "✗ NOT SUPPORTED", "? INCONCLUSIVE"), strict=True)),
    "zh": dict(
        zip(
            STATUSES,
            ("✓ 成立（SUPPORTED）", "✗ 不成立（NOT SUPPORTED）", "? 未定（INCONCLUSIVE）"),
            strict=True,
        )
    ),
}
WORDS: dict[str, dict[str, str]] = {
    "en": {
        "claims": "| claim | verdict | effect [95 % interval] | margin | n | p (Holm) |",
        "overview": "| page | claims | ✓ | ✗ | ? |",
        "summary": "What was compared with what",
        "sides": "`{id}`: `{metric}` of `{of}` ({mean_of}) against `{against}` ({mean_against}).",
        "over": " Over `{over}`, {reduce}.",
        "tuned": " Chosen on validation: {settings}.",
        "guard": " `train/accuracy` must be at least {least}: {of} and {against}.",
        "because": " {because}.",
        "all": "all",
    },
    "zh": {
        "claims": "| 论断 | 结论 | 效应 [95 % 区间] | 界限 | n | p（Holm） |",
        "overview": "| 页 | 论断数 | ✓ | ✗ | ? |",
        "summary": "比较的是什么",
        "sides": "`{id}`：`{metric}`，`{of}`（{mean_of}）对 `{against}`（{mean_against}）。",
        "over": "沿 `{over}` 取{reduce}。",
        "tuned": "按验证数据选出：{settings}。",
        "guard": "要求 `train/accuracy` 至少为 {least}：两侧分别是 {of} 和 {against}。",
        "because": "{because}。",
        "all": "合计",
    },
}
REDUCED = {
    "en": {"mean": "the mean", "range": "largest less smallest", "worst": "the smallest gain"},
    "zh": {"mean": "均值", "range": "最大值与最小值之差", "worst": "最小的增益"},
}
REGION = re.compile(r"(<!-- begin (claims (\w+)|overview) -->\n).*?(<!-- end -->)", re.DOTALL)
NUMBER = re.compile(r"(<!-- number (\w+) (\w+) (\S+) -->)[^<]*(<!-- end -->)")
Verdicts = Mapping[str, Any]  # a verdicts.json


def number(claim: Mapping[str, Any], what: str, lang: str) -> str:
    """One number of a claim, as pages show it; the mark names `what`.

    effect (with its sign), size (without), interval, of and against (the sides' means), 10^of and
    10^against, margin, n, p, guard.of and guard.against (means of the guard's metric), chosen.of
    and chosen.against (settings), verdict.
    """
    like = str(claim["metric"])
    kind, _, side = what.partition(".")
    if kind == "guard":
        mean = next(g["mean"] for g in claim["guard"]["found"] if g["side"] == side)
        return words.number(mean, claim["guard"]["metric"])
    if kind == "chosen":
        setting = next(c for c in claim["chosen"] if c["side"] == side)["setting"]
        return ", ".join(f"{key.rpartition('.')[2]}={value}" for key, value in setting.items())
    if what in ("of", "against"):
        mean = claim["mean"][what]
        return f"{mean:g}" if mean == 0 or like.endswith("@ turns") else words.number(mean, like)
    if what in ("10^of", "10^against"):
        return words.number(10 ** claim["mean"][what[3:]])
    return {
        "size": lambda: words.number(abs(claim["effect"]), like),
        "effect": (
            lambda: (
                ("+" if (claim["effect"] or 0) > 0 else "") + words.number(claim["effect"], like)
            )
        ),
        "interval": lambda: words.span(claim["interval"], like),
        "margin": lambda: f"{claim['margin']:g}",
        "n": lambda: str(claim["n"]),
        "p": lambda: words.probability(claim["p_holm"]),
        "verdict": lambda: SHOWN[lang][claim["verdict"]],
    }[what]()


def render(text: str, lang: str, known: Mapping[str, Verdicts]) -> str:
    """A page with its marked places filled. Raises `KeyError` for an unknown study, claim or
    number.
    """

    def region(mark: re.Match[str]) -> str:
        lines = claims(known[mark[3]], lang) if mark[3] else overview(known, lang)
        return mark[1] + "\n" + "\n".join(lines) + "\n\n" + mark[4]

    def one(mark: re.Match[str]) -> str:
        (claim,) = [c for c in known[mark[2]]["claims"] if c["id"] == mark[3]] or [None]
        if claim is None:
            raise KeyError(f"{mark[2]} claims no {mark[3]}")
        return mark[1] + number(claim, mark[4], lang) + mark[5]

    return NUMBER.sub(one, REGION.sub(region, text))


def claims(verdicts: Verdicts, lang: str) -> Iterator[str]:
    """The table of a study's claims, and below it, folded, what was compared with what."""
    texts = WORDS[lang]
    yield texts["claims"]
    yield "|---|---|---|--:|--:|--:|"
    for c in verdicts["claims"]:
        ends = number(c, "interval", lang)
        effect = f"{number(c, 'effect', lang)} {ends} {_unit(c['metric'])}".strip()
        cells = [
            c["says"][lang],
            SHOWN[lang][c["verdict"]],
            effect,
            *(number(c, w, lang) for w in ("margin", "n", "p")),
        ]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield from ("", f"<details><summary>{texts['summary']}</summary>", "")
    for c in verdicts["claims"]:
        yield "- " + _compared(c, lang)
    yield from ("", "</details>")


def _compared(c: Mapping[str, Any], lang: str) -> str:
    texts = WORDS[lang]
    means = {
        f"mean_{side}": words.number(c["mean"].get(side), c["metric"]) for side in ("of", "against")
    }
    sides = {side: described(c[side]) for side in ("of", "against")}
    line = texts["sides"].format(id=c["id"], metric=c["metric"], **sides, **means)
    if c["over"]:
        line += texts["over"].format(over=c["over"], reduce=REDUCED[lang][c["reduce"]])
    if c["chosen"]:
        settings = [f"`{number(c, 'chosen.' + x['side'], lang)}`" for x in c["chosen"]]
        line += texts["tuned"].format(settings=(", " if lang == "en" else "，").join(settings))
    if c["guard"] and len(c["guard"]["found"]) == 2:
        values = {side: number(c, f"guard.{side}", lang) for side in ("of", "against")}
        line += texts["guard"].format(least=c["guard"]["at_least"], **values)
    reasons = [str(reason[lang]).rstrip(".。") for reason in (c["because"], *c["notes"])]
    shown = [
        reason if "=" in reason.split()[0] else words.capital(reason) for reason in reasons
    ]  # a key stays as it is
    return line + "".join(texts["because"].format(because=reason) for reason in shown)


def _unit(metric: str) -> str:
    name = re.fullmatch(r"[\w/]+?(accuracy|loss)( @ .*)?", metric)
    return {"accuracy": "accuracy", "loss": "nats"}[name[1]] if name else ""


def overview(known: Mapping[str, Verdicts], lang: str) -> Iterator[str]:
    """The number of claims of each page that hold."""
    yield WORDS[lang]["overview"]
    yield "|---|--:|--:|--:|--:|"
    total: Counter[str] = Counter()
    for name, page in PAGES.items():
        counts = Counter(c["verdict"] for c in known[name]["claims"])
        total += counts
        title = (
            (HOME / lang / f"{page}.md")
            .read_text(encoding="utf-8")
            .partition("\n")[0]
            .removeprefix("# ")
        )
        yield (
            f"| [{title}]({page}.md) | {counts.total()} |"
            f" {' | '.join(str(counts[s]) for s in STATUSES)} |"
        )
    yield (
        f"| {WORDS[lang]['all']} | {total.total()} |"
        f" {' | '.join(str(total[s]) for s in STATUSES)} |"
    )
