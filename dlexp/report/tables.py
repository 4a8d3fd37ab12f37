"""The tables of a report: groups, planned comparisons, ranks, failures, tuned settings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from dlexp.report import statistics, words
from dlexp.report.blocks import Grid
from dlexp.report.compare import BETTER, EQUIVALENT, NO_VERDICT, Comparison, Pair, Summary
from dlexp.report.plots import tests
from dlexp.report.runs import RunRecord
from dlexp.report.statistics import Range
from dlexp.report.table import Table
from dlexp.report.tuned import Tuned
from dlexp.storage.status import Status

MOST = 30  # rows of a table on the terminal


def groups(c: Comparison, *, wide: bool, decided: str = "") -> Grid:
    """One row per group, the best first; `wide` adds the columns of a page.

    `decided` says what decides instead of the planned comparisons.
    """
    metric = c.measure.metric
    rows = sorted(c.summaries, key=lambda s: (s.n == 0, -c.measure.sign * s.iqm if s.n else 0.0))
    shown = rows if wide else rows[:MOST]
    what = "group" if c.table.axes else ""
    header = [what, "n", "IQM", "95 % interval", "median"] + ["95 % interval"] * wide + ["diverged"]
    header += ["95 % interval"] * wide + (
        ["reached", *_times(c)][: 2 + wide] if c.target is not None else []
    )
    more = "" if len(shown) == len(rows) else f" The best {len(shown)} of {len(rows)} groups."
    lines = [
        [
            s.label,
            _n(s),
            words.number(s.iqm, metric),
            words.span(s.iqm_range, metric),
            words.number(s.median, metric),
            *([words.span(s.median_range, metric)] * wide),
            f"{s.diverged}/{s.n}" if s.diverged else "0",
            *([_share(s.failure_range)] * wide),
            *_time(s)[: 2 + wide],
        ]
        for s in shown
    ]
    caption = (
        f"IQM: interquartile mean of {metric} over n seeds; intervals: 95 % percentile bootstrap"
        f" ({statistics.RESAMPLES:,}"
        f" resamples){'; of the share that diverged: Wilson' if wide else ''}. Sorted by IQM;"
        f" the order alone is not evidence: {decided or tests(c)}.{more}"
    )
    if c.target is not None:
        sign = "≥" if c.measure.high else "≤"
        caption += (
            f" Reached: runs with {c.watched.metric} {sign} {c.target:g}; the median"
            f" {'epoch' if c.epochs else 'step'} of first reaching it; runs that missed it count"
            " as infinite."
        )
    align = "srrlr" + "l" * wide + "r" + "l" * wide + "rrl"[: 0 if c.target is None else 2 + wide]
    return Grid(header, lines, align, caption)


def _share(ends: Range | None) -> str:
    return f"[{ends[0]:.2f}, {ends[1]:.2f}]" if ends else words.ABSENT


def _n(s: Summary) -> str:
    return f"{s.n}" if s.n == s.expected else f"{s.n} of {s.expected}"


def _times(c: Comparison) -> list[str]:
    return [f"{'epochs' if c.epochs else 'steps'} to {c.target:g}", "95 % interval"]


def _time(s: Summary) -> list[str]:
    if s.reached is None:
        return []
    low, high = map(words.count, s.time_range or (math.nan, math.nan))
    ends = f"[{low}, {high}]" if s.time_range else words.ABSENT
    return [f"{s.reached}/{s.n}", words.count(math.nan if s.time is None else s.time), ends]


def comparisons(c: Comparison, *, wide: bool) -> Grid:
    """One row per planned pair."""
    metric = c.measure.metric
    several, equal = len({p.axis for p in c.pairs}) > 1, c.margin is not None
    header = (
        ["axis"] * several + ["better", "worse", "by", "95 % interval"] + ["p"] * wide + ["p Holm"]
    )
    header += (
        ["verdict", *["p equal"] * equal, "d_z", "seeds won", "P(improvement)", "holds in"]
        if wide
        else ["won", "verdict"]
    )
    shown: Sequence[Pair] = c.pairs
    if not wide:
        shown = sorted(c.pairs, key=lambda p: 1.0 if p.p_holm is None else p.p_holm)[:MOST]
    rows = []
    for p in shown:
        ends = p.gain_range if math.isfinite(sum(p.gain_range)) and p.p is not None else None
        row = [p.axis] * several + [
            p.better,
            p.worse,
            words.number(p.gain, metric),
            words.span(ends, metric),
        ]
        row += [words.probability(p.p)] * wide + [words.probability(p.p_holm)]
        won = f"{words.count(p.won)}/{p.n}"
        rows.append([*row, *(_more(p, won, equal) if wide else [won, p.verdict])])
    cut = len(shown) < len(c.pairs)
    more = f" The {len(shown)} of {len(c.pairs)} with the smallest p." * cut
    faint = [p.verdict not in (BETTER, EQUIVALENT) for p in shown]
    align = "s" * several + "ssrl" + ("rrl" + "r" * equal + "rrlr" if wide else "rrl")
    caption = (
        f"{words.capital(tests(c))}. “by” is the mean of the paired differences, not the difference"
        " of two IQM."
    )
    return Grid(header, rows, align, f"{caption}{_margin(c)}{more}", faint)


def _more(p: Pair, won: str, equal: bool) -> list[str]:
    """The additional columns of a page."""
    return [
        p.verdict,
        *[words.probability(p.p_equivalent)] * equal,
        words.number(p.effect),
        won,
        words.share(p.improvement, p.improvement_range),
        f"{p.agree} of {p.cells}" if p.cells > 1 else words.ABSENT,
    ]


def _margin(c: Comparison) -> str:
    if c.margin is None:
        return " No margin was given, so nothing is called equivalent."
    return f" Equivalent: both one-sided tests against ±{c.margin:g}, Holm within their own family."


def ranks(c: Comparison) -> Iterator[Grid]:
    """The ranking of each choice, as far as the comparisons decide it."""
    for key, ranked in c.ranking.items():
        if not any(p.axis == key and p.verdict != NO_VERDICT for p in c.pairs):
            continue
        if len(ranked) < 3 and all(r.best != r.last for r in ranked):
            continue
        rows = [
            [
                f"{r.best}" if r.best == r.last else f"{r.best}–{r.last}",
                r.level,
                words.number(r.mean, c.measure.metric),
                "" if r.best == r.last else "undecided",
            ]
            for r in ranked
        ]
        caption = (
            "Possible ranks, given the decided comparisons; the mean is over seeds and over the"
            " other axes."
        )
        yield Grid(
            ["rank", key, f"mean {c.measure.metric}", ""],
            rows,
            "lsrl",
            caption,
            [r[3] != "" for r in rows],
        )


def failures(table: Table, *, most: int, wide: bool) -> Grid | None:
    """The runs that did not finish; runs of a group with the same status share a row."""
    rows: dict[tuple[str, str], list[tuple[int | None, RunRecord]]] = {}
    for group, seed, run in table.runs():
        if run.status != Status.FINISHED:
            rows.setdefault((table.label(group), run.status), []).append((seed, run))
    for run in table.unplaced:
        rows.setdefault((f"? {' '.join(run.overrides)}", run.status), []).append((run.seed, run))
    if not rows:
        return None
    lines = [
        [
            label,
            words.ranges([s for s, _ in runs if s is not None]) or words.ABSENT,
            status,
            words.cut(
                words.plain(next((run.error for _, run in runs if run.error), words.ABSENT)), 200
            ),
            *([words.listed([run.name for _, run in runs], 3)] * wide),
        ]
        for (label, status), runs in list(rows.items())[:most]
    ]
    more = (
        f" The first {most} of {len(rows)} rows; all are in runs.csv." if len(rows) > most else ""
    )
    caption = (
        f"DIVERGED is a result and counts as the worst; any other status is a missing result.{more}"
    )
    header = ["group", "seeds", "status", "error (first)", *(["folders"] * wide)]
    return Grid(header, lines, "ssls" + "s" * wide, caption)


def choices(t: Tuned) -> Grid:
    """What each method was tuned to, and what else was tried."""
    keys = " · ".join(axis.key for axis in t.hyper)
    rows = [
        [
            c.label,
            c.shown or "nothing to tune",
            words.number(c.scores[c.chosen], t.by.metric),
            f"{len(c.scores)}",
            ", ".join(_setting(t, s) for s in c.scores),
            words.ABSENT if c.default is None else _setting(t, c.default),
        ]
        for c in t.choices
    ]
    caption = (
        f"Chosen by the interquartile mean of {t.by.metric} over seeds {words.ranges(t.tuning)}; "
        "ties go to the lower validation loss, then to the value listed first."
    )
    return Grid(
        ["method", f"best {keys}", t.by.metric, "tried", "values", "default"],
        rows,
        "ssrrsl",
        caption,
    )


def _setting(t: Tuned, setting: Sequence[str | None]) -> str:
    return " ".join(
        words.value(x) if len(setting) == 1 else axis.name(x)
        for axis, x in zip(t.hyper, setting, strict=True)
    )


def settings_side_by_side(t: Tuned) -> Grid | None:
    """Default and tuned, method by method, on the same seeds."""
    if t.default is None:
        return None
    metric = t.tuned.measure.metric
    defaults = {s.group: s for s in t.default.summaries}
    rows = []
    for s in sorted(t.tuned.summaries, key=lambda s: -t.tuned.measure.sign * s.iqm):
        d = defaults.get(s.group)
        rows.append(
            [
                s.label,
                f"{s.n}",
                words.number(d.iqm if d else None, metric),
                words.span(d.iqm_range if d else None, metric),
                words.number(s.iqm, metric),
                words.span(s.iqm_range, metric),
            ]
        )
    caption = (
        f"Interquartile means of {metric} on the reporting seeds, at default and at tuned settings."
    )
    return Grid(
        ["method", "n", "default", "95 % interval", "tuned", "95 % interval"],
        rows,
        "srrlrl",
        caption,
    )
