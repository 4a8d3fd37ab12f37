"""Verdicts as verdicts.json, and as a table with a paragraph per claim."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dlexp.report import paired, words
from dlexp.report.blocks import Block, Grid, Words
from dlexp.report.claims.guards import bounds
from dlexp.report.claims.messages import ended, listed
from dlexp.report.claims.sides import described
from dlexp.report.claims.spec import Claim
from dlexp.report.claims.terms import Name
from dlexp.report.claims.verdicts import NOT_SUPPORTED, SUPPORTED, Verdict

DIGITS = 6  # significant digits: further ones depend on the BLAS
MARKS = {SUPPORTED: "✓ SUPPORTED", NOT_SUPPORTED: "✗ NOT SUPPORTED"}
TONES = {SUPPORTED: "supported", NOT_SUPPORTED: "refuted"}
WORDS: dict[str, dict[str, Any]] = {
    "en": {
        "preview": " (preview)",
        "header": ("claim", "verdict", "effect [95 % interval]", "n", "p Holm"),
        "caption": (
            "Effect: mean over n seeds of the paired differences, positive in the direction of the"
            " claim; p by exact sign-flip tests with Holm's correction for {family} (the claims of"
            " the study that could be tested). SUPPORTED: p ≤ .05 and an effect of at least the"
            " margin. NOT SUPPORTED: the whole interval lies below the margin. INCONCLUSIVE is"
            " everything else, and a normal result."
        ),
        "family": ("one claim", "{n} claims"),
        "more": "claimed: more",
        "less": "claimed: less",
        "as_good": "claimed: not worse by more than the margin",
        "sides": (
            "{metric}: {of}{mean_of} against {against}{mean_against}; {direction}, margin {margin}."
        ),
        "mean": " (mean {mean})",
        "over": "Over {over} ({levels}): {reduce}.",
        "reduce": {
            "mean": "the mean",
            "median": "the median",
            "min": "the smallest value",
            "max": "the largest value",
            "range": "largest minus smallest value",
            "std": "the standard deviation",
            "worst": "the smallest gain",
        },
        "averaged": "Averaged over {keys}.",
        "tuned": "Tuned by {by} on seeds {seeds}: {settings}.",
        "test": (
            "{kind} sign-flip test of {n} paired differences (seeds {seeds}): p = {p}, d_z = {d_z},"
            " P(improvement) = {improvement}."
        ),
        "two": "Two-sided",
        "one": "One-sided (against a loss of the margin)",
        "guard": "Guard {metric} {bound}: {values}.",
        "side": "{side} {value}",
    },
    "zh": {
        "preview": "（预览）",
        "header": ("论断", "结论", "效应 [95 % 区间]", "n", "p（Holm）"),
        "caption": (
            "效应：n 个种子的配对差的均值，与论断方向一致者为正；p 由精确符号翻转检验得出，并对"
            " {family}"
            "（本研究中可检验的论断）作 Holm 校正。SUPPORTED（成立）：p ≤ .05 且效应不小于界限。NOT"
            " SUPPORTED（不成立）："
            "整个区间低于界限。INCONCLUSIVE（未定）：其余情形，属于正常结果。"
        ),
        "family": ("1 条论断", "{n} 条论断"),
        "more": "论断称其更大",
        "less": "论断称其更小",
        "as_good": "论断称其不比对方差超过界限",
        "sides": "{metric}：{of}{mean_of} 对 {against}{mean_against}；{direction}，界限 {margin}。",
        "mean": "（均值 {mean}）",
        "over": "沿 {over}（{levels}）取{reduce}。",
        "reduce": {
            "mean": "均值",
            "median": "中位数",
            "min": "最小值",
            "max": "最大值",
            "range": "最大值与最小值之差",
            "std": "标准差",
            "worst": "各值上最小的增益",
        },
        "averaged": "对 {keys} 取平均。",
        "tuned": "按 {by} 在种子 {seeds} 上调参：{settings}。",
        "test": (
            "对 {n} 个配对差（种子 {seeds}）作{kind}符号翻转检验：p = {p}，d_z = {d_z}，"
            "P(improvement) = {improvement}。"
        ),
        "two": "双侧",
        "one": "单侧（原假设：差出整个界限）",
        "guard": "前提 {metric} {bound}：{values}。",
        "side": "{side} {value}",
    },
}


def mark(status: str, lang: str = "en", *, preview: bool = False) -> str:
    """A verdict that is read without colour: `✓ SUPPORTED`, and whether it is a preview."""
    return MARKS.get(status, f"? {status}") + str(WORDS[lang]["preview"]) * preview


def tone(status: str) -> str:
    """The name of its colour: supported, refuted or open."""
    return TONES.get(status, "open")


def text(verdicts: Sequence[Verdict]) -> str:
    """verdicts.json: keys sorted, six significant digits, infinity as "inf", unknown as null."""
    content = {
        "study": verdicts[0].study if verdicts else "",
        "alpha": paired.ALPHA,
        "correction": "Holm",
        "family": max((v.family for v in verdicts), default=0),
        "claims": [_as_data(v) for v in verdicts],
    }
    options: Any = {"sort_keys": True, "ensure_ascii": False, "allow_nan": False}
    return json.dumps(_rounded(content), indent=1, **options) + "\n"


def _as_data(v: Verdict) -> dict[str, Any]:
    c = v.claim
    return {
        "id": c.id,
        "says": c.says,
        "verdict": v.status,
        "because": v.because,
        "notes": v.notes,
        "cautions": v.cautions,
        "preview": v.preview,
        "metric": c.metric.text,
        "part": c.part,
        "of": c.of,
        "against": c.against,
        "direction": c.direction,
        "margin": c.margin,
        "over": c.over,
        "reduce": c.reduce if c.over else None,
        "levels": v.levels,
        "test": _test(c),
        "n": v.n,
        "seeds": v.seeds,
        "left_out": v.left_out,
        "values": v.values,
        "mean": v.mean,
        "iqm": v.iqm,
        "effect": v.effect,
        "interval": v.interval,
        "p": v.p,
        "p_holm": v.p_holm,
        "family": v.family,
        "d_z": v.effect_size,
        "probability_of_improvement": v.improvement,
        "probability_of_improvement_interval": v.improvement_interval,
        "averaged": v.averaged,
        "diverged": {"of": v.diverged[0], "against": v.diverged[1], "counted_as": v.counted_as},
        "guard": c.guard
        and {
            "metric": c.guard.metric.text,
            "at_least": c.guard.at_least,
            "at_most": c.guard.at_most,
            "of": c.guard.of,
            "found": [asdict(g) for g in v.guard],
        },
        "tuned": c.tuned,
        "chosen": [asdict(chosen) for chosen in v.chosen],
    }


def _test(c: Claim) -> str:
    sided = "one" if c.direction == "as_good" else "two"
    return f"{sided}-sided sign-flip test of paired differences"


def _rounded(x: Any) -> Any:
    """What JSON can say, no float longer than it is certain."""
    if isinstance(x, float):
        if not math.isfinite(x):
            return None if math.isnan(x) else str(x)
        return float(f"{x:.{DIGITS}g}") + 0.0  # no −0
    if isinstance(x, Mapping):
        return {str(key): _rounded(value) for key, value in x.items()}
    return [_rounded(value) for value in x] if isinstance(x, (list, tuple)) else x


def blocks(verdicts: Sequence[Verdict], lang: str = "en") -> list[Block]:
    """One table, then a paragraph per claim; `lang` is en or zh."""
    if not verdicts:
        return []
    phrases = WORDS[lang]
    one, many = phrases["family"]
    family = max(v.family for v in verdicts)
    caption = str(phrases["caption"]).format(family=one if family == 1 else many.format(n=family))
    rows = [
        [
            v.claim.says[lang],
            mark(v.status, lang, preview=v.preview),
            effect(v),
            f"{v.n}",
            words.probability(v.p_holm),
        ]
        for v in verdicts
    ]
    table = Grid(
        phrases["header"], rows, "svlrr", caption, tones=[tone(v.status) for v in verdicts]
    )
    return [table, *cautioned(verdicts, lang), *(_paragraph(v, lang) for v in verdicts)]


def cautioned(verdicts: Sequence[Verdict], lang: str = "en") -> list[Words]:
    """What must be read with the table: each caution once, with the claims that it is about."""
    ids_by_note: dict[str, list[str]] = {}
    for v in verdicts:
        for note in v.cautions:
            ids_by_note.setdefault(note[lang], []).append(v.claim.id)
    colon, comma, stop = (": ", ", ", ".") if lang == "en" else ("：", "、", "。")
    return [
        Words(f"{comma.join(ids)}{colon}{note}{stop}", "warning")
        for note, ids in ids_by_note.items()
    ]


def effect(v: Verdict) -> str:
    """`+0.031 [0.020, 0.042] accuracy`: the effect with its interval, in the metric's units."""
    if v.effect is None:
        return words.ABSENT
    like = v.claim.metric.text
    sign = "+" if v.effect > 0 else ""
    ends = f" {words.span(v.interval, like)}" if v.interval else ""
    return f"{sign}{words.number(v.effect, like)}{ends} {unit(v.claim)}".strip()


def unit(claim: Claim) -> str:
    """The unit of a claim's metric, where it has one: accuracy, or nats for a loss."""
    root = claim.metric.root
    kind = root.name.rpartition("/")[2] if isinstance(root, Name) and root.moment != "turns" else ""
    return {"accuracy": "accuracy", "loss": "nats"}.get(kind, "")


def _paragraph(v: Verdict, lang: str) -> Words:
    """The claim, its verdict and the reason, then the details."""
    space = " " if lang == "en" else ""
    first = [ended(note[lang], lang) for note in (*v.cautions, v.because)]
    notes = [ended(note[lang], lang) for note in v.notes]
    body = space.join([*first, *_details(v, lang), *notes])
    return Words(
        body,
        tone(v.status),
        lead=f"{mark(v.status, lang, preview=v.preview)} · {v.claim.says[lang]} ({v.claim.id})",
    )


def _details(v: Verdict, lang: str) -> Iterator[str]:
    c, like = v.claim, v.claim.metric.text

    def say(what: str, **values: object) -> str:
        return str(WORDS[lang][what]).format(**values)

    means = {
        f"mean_{side}": say("mean", mean=words.number(mean, like)) for side, mean in v.mean.items()
    }
    yield say(
        "sides",
        **({"mean_of": "", "mean_against": ""} | means),
        metric=like,
        of=described(c.of),
        against=described(c.against),
        direction=say(c.direction),
        margin=f"{c.margin:g}",
    )
    if c.over and v.levels:
        yield say(
            "over",
            over=c.over,
            levels=listed(v.levels, lang),
            reduce=WORDS[lang]["reduce"][c.reduce],
        )
    if v.averaged:
        shown = [f"{key} ({', '.join(levels)})" for key, levels in v.averaged.items()]
        yield say("averaged", keys=listed(shown, lang))
    if v.chosen:
        settings = [
            f"{described(getattr(c, x.side))}:"
            f" {', '.join(f'{k}={value}' for k, value in x.setting.items())}"
            for x in v.chosen
            # what a side fixes itself was not tuned
            if not set(x.setting) <= set(getattr(c, x.side))
        ]
        seeds = words.ranges(v.chosen[0].seeds)
        yield say("tuned", by=v.chosen[0].by, seeds=seeds, settings="; ".join(settings))
    if v.p is not None:
        kind = say("one" if c.direction == "as_good" else "two")
        yield say(
            "test",
            kind=kind,
            n=v.n,
            seeds=words.ranges(v.seeds),
            p=words.probability(v.p),
            d_z=words.number(v.effect_size),
            improvement=words.number(v.improvement, "accuracy"),
        )
    if c.guard and v.guard:
        metric = c.guard.metric.text
        values = [
            say("side", side=described(getattr(c, g.side)), value=words.number(g.worst, metric))
            for g in v.guard
        ]
        yield say("guard", metric=metric, bound=bounds(c), values=", ".join(values))
