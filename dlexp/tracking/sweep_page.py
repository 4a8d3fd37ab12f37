"""What a sweep's own run in MLflow is called and says. Imports no MLflow."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dlexp import shell
from dlexp.core.silent_keys import is_silent
from dlexp.tracking import translate
from dlexp.tracking.sweep_folder import Entry

Told = Mapping[str, Any]

REPORT = "report"
EACH = "-runs"  # behind the key: the view of the runs one by one
MARKS = {"SUPPORTED": "✓", "NOT SUPPORTED": "✗", "INCONCLUSIVE": "?"}
ROWS = 40  # of the summary table
GAP = "\u00a0" * 3  # other spaces have no width at the end of a cell


def key(told: Told) -> str:
    """The sweep's name among all that were ever sent to a store: its id may be used again, also by
    other people.

    >>> key({"id": "optimizers", "created_ms": 1700000000000})
    'optimizers-18bcfe56800'
    """
    return f"{re.sub(r'[^A-Za-z0-9_.-]', '-', str(told['id']))[:100]}-{int(told['created_ms']):x}"


def axes(told: Told) -> dict[str, list[str]]:
    """What is swept: each key with its values, as they are typed."""
    return {str(k): [str(v) for v in values] for k, values in (told.get("axes") or {}).items()}


def searched(told: Told) -> bool:
    """Whether values were searched, and not all combinations trained."""
    return str(told.get("sweeper") or "grid") != "grid"


def name(told: Told, runs: int | None = None) -> str:
    """The run's name in tables.

    >>> name({"axes": {"optimizer": ["sgd", "adam"], "optimizer.lr": ["1", "2"], "seed": ["0", "1"]}}, 8)
    'sweep optimizer × lr (8 runs)'
    """
    keys = [k for k in axes(told) if k != "seed"] or list(axes(told))
    varied = " × ".join(k.rpartition(".")[2] for k in keys)
    kind = "study" if told.get("study") else "sweep"
    called = f"{kind} {told['name']}: {varied}" if told.get("name") else f"{kind} {varied}"
    extent = "" if runs is None else f" ({many(runs, 'run')})"
    return translate.readable(called, translate.NAME - len(extent)) + extent


def many(n: int, what: str) -> str:
    """A number of things.

    >>> many(1, "run"), many(1200, "run")
    ('1 run', '1,200 runs')
    """
    return f"{n:,} {what}{'s' * (n != 1)}"


def params(told: Told) -> dict[str, str]:
    """What is fixed, and which keys are swept. Their values can grow, so they are tags: no
    parameter may change.
    """
    said = [str(o).lstrip("+~") for o in told.get("fixed") or ()]
    fixed = dict(o.partition("=")[::2] for o in said if not is_silent(o))
    return {
        translate.key(k): translate.value(v)
        for k, v in {**fixed, "axes": " × ".join(axes(told))}.items()
    }


def tags(told: Told, status: str) -> dict[str, str]:
    """The tags that stay true, or are set again."""
    usual = translate.tags(
        {"id": key(told), "tags": {"dlexp.command": str(told.get("command", ""))}}
    )
    swept = {
        translate.key(f"dlexp.axis.{k}"): ", ".join(values) for k, values in axes(told).items()
    }
    own = {"dlexp.kind": "sweep", "dlexp.sweep": str(told["id"]), "dlexp.status": status}
    return {k: translate.readable(v, translate.TAG) for k, v in {**usual, **swept, **own}.items()}


def status(told: Told, entries: Iterable[Entry]) -> str:
    """How the sweep stands: INTERRUPTED if its command did not end, FAILED if a run has no result,
    else FINISHED.
    """
    if "ended_ms" in told and told["ended_ms"] is None:
        return "INTERRUPTED"
    return (
        "FAILED"
        if any(e.get("status") not in ("FINISHED", "DIVERGED") for e in entries)
        else "FINISHED"
    )


def note(told: Told, entries: Sequence[Entry], folder: Path, status: str, link: str) -> str:
    """The run's page in Markdown: what was compared, the result, the command, how to go on; `link`
    opens the view.
    """
    counts = Counter(str(e.get("status", "?")).lower() for e in entries)
    ends = ", ".join(f"{n} {ended}" for ended, n in counts.most_common())
    compared = " × ".join(f"`{k}` {_listed(values)}" for k, values in axes(told).items())
    sweep = str(told.get("name") or told["id"])
    said = {
        "RUNNING": f"under way: {ends or 'no run has ended yet'}",
        "INTERRUPTED": f"**interrupted**: {ends or 'no run has ended'}",
    }.get(status, ends)
    command, each = (
        shell.one_line(str(told.get("command", ""))),
        link.replace(key(told), key(told) + EACH),
    )
    parts = [
        *_study(told, folder / REPORT / "report.json"),
        (
            f"**{many(len(entries), 'run')}**, {said}. [Charts of the groups]({link}), [of each"
            f" run]({each})"
        ),
        f"Compared: {compared}",
        *_result(folder / REPORT / "report.json"),
        "It was asked for with",
        f"    {command}",
        (
            "which, said again, trains what is missing; with more values or seeds, only those. The"
            " same, shorter; and the report, anew:"
        ),
        f"    {shell.command('resume', sweep)}\n    {shell.command('report', sweep)}",
        f"Sweep folder: `{folder}`",
    ]
    return translate.readable("\n\n".join(parts), translate.TAG)


def _listed(values: Sequence[str], most: int = 12) -> str:
    if len(values) <= most:
        return ", ".join(values)
    return f"{', '.join(values[:3])} … {values[-1]} ({len(values)} values)"


def _study(told: Told, path: Path) -> list[str]:
    """What a named study shows, and the verdicts on its claims; nothing of any other sweep."""
    study = told.get("study")
    if not isinstance(study, Mapping):
        return []
    heads = [
        f"### {title}" if (title := _in_english(study.get("title"))) else "",
        _in_english(study.get("shows")),
    ]
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        rows = [
            [
                c["says"]["en"],
                f"{MARKS.get(c['verdict'], '?')} {c['verdict']}",
                _effect(c),
                c["n"],
                _short(c["p_holm"]),
            ]
            for c in found["claims"]
        ]
        quick = ["> A smaller budget (quick=true): a preview"] if found.get("quick") else []
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
    """A text of a study, which may be said in several languages, on one line."""
    return " ".join(str((text.get("en") if isinstance(text, Mapping) else text) or "").split())


def _effect(claim: Mapping[str, Any]) -> str:
    ends = claim["interval"]
    return _short(claim["effect"]) + (f" [{_short(ends[0])}, {_short(ends[1])}]" if ends else "")


def _result(path: Path) -> list[str]:
    """The report's answer and its summary table; nothing where there is no report."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        metric, groups = str(told["metric"]), list(told["groups"])
        sign = -1 if told["more_is_better"] else 1
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
        warnings = [f"> {' '.join(str(w).split())}" for w in told.get("warnings") or ()]
        answer = " ".join(str(told.get("answer") or "").split())
        where = "Figures, tests and definitions: `report/report.html` under *Artifacts*."
        return [*filter(None, [answer]), *warnings, table, *more, where]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _row(cells: Sequence[object]) -> str:
    """A row of a Markdown table; spaces keep the columns apart, which MLflow's page does not: it
    has no padding.
    """
    plain = (" ".join(str(cell).split()).replace("|", "/") for cell in cells)
    return (
        "|" + "|".join(cell if set(cell) <= set("-:") else f"{cell}{GAP}" for cell in plain) + "|"
    )


def _short(x: Any) -> str:
    return "–" if x is None else f"{float(x):.4g}"
