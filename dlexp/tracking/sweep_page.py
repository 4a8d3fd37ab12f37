"""The name and the page of a sweep's own run in MLflow. Imports no MLflow."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dlexp import shell
from dlexp.core.silent_keys import is_silent
from dlexp.storage.ledger import LedgerEntry
from dlexp.storage.records import RunDescription, SweepDescription, read_object
from dlexp.storage.status import Status
from dlexp.tracking import translate

REPORT = "report"
EACH = "-runs"  # after the key: the view of the single runs
MARKS = {"SUPPORTED": "✓", "NOT SUPPORTED": "✗", "INCONCLUSIVE": "?"}
ROWS = 40  # of the summary table
GAP = "\u00a0" * 3  # other spaces have no width at the end of a cell


def key(sweep: SweepDescription) -> str:
    """A name of the sweep that is unique in a store: its id may be used again, also by others.

    >>> key(SweepDescription(id="optimizers", created_ms=1700000000000))
    'optimizers-18bcfe56800'
    """
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '-', sweep.id)[:100]}-{sweep.created_ms:x}"


def name(sweep: SweepDescription, runs: int | None = None) -> str:
    """The run's name in tables.

    >>> name(SweepDescription(axes={"optimizer": ["a"], "optimizer.lr": ["1"], "seed": ["0"]}), 8)
    'sweep optimizer × lr (8 runs)'
    """
    keys = [k for k in sweep.axes if k != "seed"] or list(sweep.axes)
    varied = " × ".join(k.rpartition(".")[2] for k in keys)
    kind = "study" if sweep.study else "sweep"
    called = f"{kind} {sweep.name}: {varied}" if sweep.name else f"{kind} {varied}"
    extent = "" if runs is None else f" ({many(runs, 'run')})"
    return translate.readable(called, translate.NAME - len(extent)) + extent


def many(n: int, what: str) -> str:
    """A number of things.

    >>> many(1, "run"), many(1200, "run")
    ('1 run', '1,200 runs')
    """
    return f"{n:,} {what}{'s' * (n != 1)}"


def params(sweep: SweepDescription) -> dict[str, str]:
    """What is fixed, and which keys are swept; their values can grow, so they are tags instead."""
    words = [o.lstrip("+~") for o in sweep.fixed]
    fixed = dict(o.partition("=")[::2] for o in words if not is_silent(o))
    return {
        translate.key(k): translate.value(v)
        for k, v in {**fixed, "axes": " × ".join(sweep.axes)}.items()
    }


def tags(sweep: SweepDescription, status: Status) -> dict[str, str]:
    """The tags that stay valid, or are set again."""
    usual = translate.tags(RunDescription(id=key(sweep), tags={"dlexp.command": sweep.command}))
    swept = {
        translate.key(f"dlexp.axis.{k}"): ", ".join(values) for k, values in sweep.axes.items()
    }
    own = {"dlexp.kind": "sweep", "dlexp.sweep": sweep.id, "dlexp.status": status}
    return {k: translate.readable(v, translate.TAG) for k, v in {**usual, **swept, **own}.items()}


def status(sweep: SweepDescription, entries: Iterable[LedgerEntry]) -> Status:
    """The sweep's status: INTERRUPTED without an end, FAILED without a result, else FINISHED."""
    if sweep.ended_ms is None:
        return Status.INTERRUPTED
    return Status.FINISHED if all(e.status.is_result for e in entries) else Status.FAILED


def note(
    sweep: SweepDescription, entries: Sequence[LedgerEntry], folder: Path, status: Status, link: str
) -> str:
    """The run's page in Markdown: comparison, result, commands; `link` opens the view."""
    counts = Counter(e.status.lower() for e in entries)
    ends = ", ".join(f"{n} {ended}" for ended, n in counts.most_common())
    compared = " × ".join(f"`{k}` {_listed(values)}" for k, values in sweep.axes.items())
    called = sweep.name or sweep.id
    state = {
        Status.RUNNING: f"under way: {ends or 'no run has ended yet'}",
        Status.INTERRUPTED: f"**interrupted**: {ends or 'no run has ended'}",
    }.get(status, ends)
    command, each = (
        shell.one_line(sweep.command),
        link.replace(key(sweep), key(sweep) + EACH),
    )
    parts = [
        *_study(sweep, folder / REPORT / "report.json"),
        (
            f"**{many(len(entries), 'run')}**, {state}. [Charts of the groups]({link}), [of each"
            f" run]({each})"
        ),
        f"Compared: {compared}",
        *_result(folder / REPORT / "report.json"),
        "The command was",
        f"    {command}",
        "Repeat it to train what is missing; with more values or seeds, it trains only those.",
        "The short form, and a new report:",
        f"    {shell.command('resume', called)}\n    {shell.command('report', called)}",
        f"Sweep folder: `{folder}`",
    ]
    return translate.readable("\n\n".join(parts), translate.TAG)


def _listed(values: Sequence[str], most: int = 12) -> str:
    if len(values) <= most:
        return ", ".join(values)
    return f"{', '.join(values[:3])} … {values[-1]} ({len(values)} values)"


def _study(sweep: SweepDescription, path: Path) -> list[str]:
    """What a named study shows, and the verdicts on its claims; empty for any other sweep."""
    study = sweep.study
    if study is None:
        return []
    heads = [
        f"### {title}" if (title := _in_english(study.get("title"))) else "",
        _in_english(study.get("shows")),
    ]
    try:
        verdicts = read_object(path)
        rows = [
            [
                c["says"]["en"],
                f"{MARKS.get(c['verdict'], '?')} {c['verdict']}",
                _effect(c),
                c["n"],
                _short(c["p_holm"]),
            ]
            for c in verdicts["claims"]
        ]
        quick = ["> A smaller budget (quick=true): a preview"] if verdicts.get("quick") else []
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return list(filter(None, heads))
    head = [
        ["claim", "verdict", "effect, 95 % interval", "n", "p Holm"],
        ["---", "---", "--:", "--:", "--:"],
    ]
    return [
        *filter(None, heads[:1]),
        *quick,
        *filter(None, heads[1:]),
        *(["\n".join(map(_row, [*head, *rows]))] if rows else []),
    ]


def _in_english(text: Any) -> str:
    """A text of a study in English, on one line."""
    return " ".join(str((text.get("en") if isinstance(text, Mapping) else text) or "").split())


def _effect(claim: Mapping[str, Any]) -> str:
    ends = claim["interval"]
    return _short(claim["effect"]) + (f" [{_short(ends[0])}, {_short(ends[1])}]" if ends else "")


def _result(path: Path) -> list[str]:
    """The report's answer and its summary table; empty without a report."""
    try:
        report = read_object(path)
        metric, groups = str(report["metric"]), list(report["groups"])
        sign = -1 if report["more_is_better"] else 1
        best = sorted(
            groups, key=lambda g: math.inf if g["iqm"] is None else sign * float(g["iqm"])
        )
        rows = [
            [
                g["group"],
                g["n"],
                _short(g["iqm"]),
                f"{_short(g['iqm_low'])} … {_short(g['iqm_high'])}",
                g["diverged"],
            ]
            for g in best[:ROWS]
        ]
        head = ["", "runs", f"{metric}, IQM", "95 % interval", "diverged"]
        table = "\n".join([_row(head), _row(["---", "--:", "--:", ":-:", "--:"]), *map(_row, rows)])
        more = (
            [f"… {len(groups) - ROWS} more in `report/summary.csv`"] if len(groups) > ROWS else []
        )
        warnings = [f"> {' '.join(str(w).split())}" for w in report.get("warnings") or ()]
        answer = " ".join(str(report.get("answer") or "").split())
        where = "Figures, tests and definitions: `report/report.html` under *Artifacts*."
        return [*filter(None, [answer]), *warnings, table, *more, where]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _row(cells: Sequence[object]) -> str:
    """A row of a Markdown table; spaces separate the columns, as MLflow's page has no padding."""
    plain = (" ".join(str(cell).split()).replace("|", "/") for cell in cells)
    return (
        "|" + "|".join(cell if set(cell) <= set("-:") else f"{cell}{GAP}" for cell in plain) + "|"
    )


def _short(x: Any) -> str:
    return "–" if x is None else f"{float(x):.4g}"
