"""The numbers of a report for other programs: three CSV files and one JSON file."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

from dlexp.report import words
from dlexp.report.compare import Comparison, Pair, Summary
from dlexp.report.sections import Findings
from dlexp.report.table import Table
from dlexp.report.tuned import Tuned

Row = Mapping[str, Any]


def runs(table: Table) -> str:
    """runs.csv: one row per run, its place, its end, its latest metrics."""
    rows = [
        {
            **_place(table, group),
            "seed": seed,
            "status": run.status,
            "steps": run.steps,
            "seconds": run.seconds,
            "sweep": run.sweep,
            "folder": run.name,
            "error": words.plain(run.error),
            **dict(sorted(run.final.items())),
        }
        for group, seed, run in table.runs()
    ]
    rows += [
        {
            "seed": run.seed,
            "status": run.status,
            "sweep": run.sweep,
            "folder": run.name,
            "error": words.plain(run.error),
        }
        for run in table.unplaced
    ]
    return _csv(rows)


def summary(c: Comparison, more: Row | None = None) -> str:
    """summary.csv: one row per group."""
    return _csv(
        [{**(more or {}), **_place(c.table, s.group), **_summary(s, c)} for s in c.summaries]
    )


def pairs(c: Comparison) -> str:
    """pairs.csv: one row per planned pair."""
    return _csv([_pair(p) for p in c.pairs])


def everything(f: Findings) -> str:
    """report.json. An infinite number is the string "inf" or "-inf", one that is not known null."""
    content = {
        "title": f.title,
        "answer": " ".join(f.answer),
        "warnings": f.warnings,
        "sweeps": [
            {
                "id": s.id,
                "name": s.name or "",
                "command": s.command,
                "fixed": s.fixed,
                "axes": s.axes,
            }
            for s in f.sweeps
        ],
        "axes": [
            {"key": a.key, "numeric": a.numeric, "levels": [words.value(t) for t in a.levels]}
            for a in f.table.axes
        ],
        "seeds": f.table.seeds,
        **_comparison(f.main),
        "tuned": None if f.tuned is None else _tuned(f.tuned),
        "figures": [
            {"file": f"figures/{p.path.name}", "title": p.title, "caption": p.caption}
            for p in f.pictures
        ],
    }
    return plain_json(content)


def plain_json(content: Mapping[str, Any]) -> str:
    """JSON that every reader understands: what is not finite is a string, or null."""
    return json.dumps(_plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _comparison(c: Comparison) -> dict[str, Any]:
    return {
        "metric": c.measure.metric,
        "more_is_better": c.measure.high,
        "curves": c.watched.metric,
        "target": c.target,
        "margin": c.margin,
        "groups": [
            {
                **_place(c.table, s.group),
                **_summary(s, c),
                "values": {str(k): v for k, v in s.values.items()},
            }
            for s in c.summaries
        ],
        "pairs": [_pair(p) for p in c.pairs],
        "ranking": {key: [asdict(r) for r in ranked] for key, ranked in c.ranking.items()},
    }


def _tuned(t: Tuned) -> dict[str, Any]:
    return {
        "by": t.by.metric,
        "tuning_seeds": t.tuning,
        "reporting_seeds": t.reporting,
        "choices": [
            {
                "method": c.label,
                "chosen": c.shown,
                "edges": c.edges,
                "scores": {
                    " ".join(words.value(x) for x in s): score for s, score in c.scores.items()
                },
                "default": (
                    None if c.default is None else " ".join(words.value(x) for x in c.default)
                ),
            }
            for c in t.choices
        ],
        "default": None if t.default is None else _comparison(t.default),
    }


def _place(table: Table, group: Sequence[str | None]) -> dict[str, str]:
    return {axis.key: words.exact(token) for axis, token in zip(table.axes, group, strict=True)}


def _summary(s: Summary, c: Comparison) -> dict[str, Any]:
    row: dict[str, Any] = {"group": s.label, "n": s.n, "expected": s.expected, "iqm": s.iqm}
    row |= _range("iqm", s.iqm_range) | {"median": s.median} | _range("median", s.median_range)
    row |= {"diverged": s.diverged, **_range("diverged_share", s.failure_range)}
    if c.target is not None:
        row |= {
            "reached": s.reached,
            "time_to_target": s.time,
            **_range("time_to_target", s.time_range),
        }
    return row


def _pair(p: Pair) -> dict[str, Any]:
    return {
        "axis": p.axis,
        "better": p.better,
        "worse": p.worse,
        "mean_better": p.means[0],
        "mean_worse": p.means[1],
        "better_by": p.gain,
        **_range("better_by", p.gain_range),
        "p": p.p,
        "p_holm": p.p_holm,
        "d_z": p.effect,
        "seeds_won": p.won,
        "n": p.n,
        "seeds_left_out": p.left_out,
        "probability_of_improvement": p.improvement,
        **_range("probability_of_improvement", p.improvement_range),
        "cells": p.cells,
        "cells_that_agree": p.agree,
        "p_equivalent": p.p_equivalent,
        "verdict": p.verdict,
    }


def _range(name: str, ends: tuple[float, float] | None) -> dict[str, float | None]:
    low, high = ends or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _csv(rows: Sequence[Row]) -> str:
    columns = dict.fromkeys(key for row in rows for key in row)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(key)) for key in columns] for row in rows)
    return out.getvalue()


def _cell(x: Any) -> str:
    return "" if x is None or (isinstance(x, float) and math.isnan(x)) else str(x)


def _plain(x: Any) -> Any:
    """What JSON can say."""
    if isinstance(x, float) and not math.isfinite(x):
        return None if math.isnan(x) else str(x)
    if is_dataclass(x) and not isinstance(x, type):
        return _plain(asdict(x))
    if isinstance(x, Mapping):
        return {str(k): _plain(v) for k, v in x.items()}
    return [_plain(v) for v in x] if isinstance(x, (list, tuple)) else x


def written(f: Findings) -> Iterator[tuple[str, str]]:
    """Name and text of every file of numbers."""
    yield "runs.csv", runs(f.table)
    if f.tuned and f.tuned.default:
        header, _, rest = summary(f.tuned.default, {"setting": "default"}).partition("\n")
        yield "summary.csv", summary(f.main, {"setting": "tuned"}) + rest
    else:
        yield "summary.csv", summary(f.main, {"setting": "tuned"} if f.tuned else None)
    yield "pairs.csv", pairs(f.main)
    yield "report.json", everything(f)
