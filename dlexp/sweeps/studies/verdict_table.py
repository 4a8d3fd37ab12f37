"""The output of `claims`: the table of all verdicts, and where the pages are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dlexp.report import words
from dlexp.report.blocks import Grid, Words
from dlexp.report.terminal import render, table
from dlexp.sweeps.studies.outcome import StudyOutcome

MARKS = {"SUPPORTED": "✓", "NOT SUPPORTED": "✗", "INCONCLUSIVE": "?"}


def of_outcomes(outcomes: Sequence[StudyOutcome], *, quick: bool, seconds: float) -> str:
    """The table of all claims, and where the pages are."""
    preview = " (preview)" * quick
    rows = [
        [
            outcome.study.name,
            str(v["id"]),
            f"{MARKS[v['verdict']]} {v['verdict']}{preview}",
            _effect(v),
            str(v["n"]),
            words.probability(v["p_holm"]),
        ]
        for outcome in outcomes
        for v in outcome.verdicts or ()
    ]
    lines = table(
        Grid(["study", "claim", "verdict", "effect [95 % interval]", "n", "p Holm"], rows, "sslrrr")
    )
    counts = Counter(row[2] for row in rows)
    counted = ", ".join(f"{n} {status}" for status, n in counts.items())
    lines += ["", f"{words.many(len(rows), 'claim')}: {counted}" if rows else "No verdicts."]
    lines += _notes(outcomes)
    if quick:
        lines.append(
            "--quick: a smaller budget; these verdicts are a preview, not the studies' result."
        )
    lines.append(
        f"{len(outcomes)} {'study' if len(outcomes) == 1 else 'studies'} in {seconds:.0f} s; the"
        " pages:"
    )
    for o in outcomes:
        lines += [f"  {o.page}"] if o.page else []
        lines += [f"  {o.study.name}: failed: {o.failure}"] if o.failed else []
    return "\n".join(lines)


def _notes(outcomes: Sequence[StudyOutcome]) -> list[str]:
    """The notes on the verdicts, each once with the claims that it is about."""
    claims: dict[tuple[str, str], list[str]] = {}
    for outcome in outcomes:
        for v in outcome.verdicts or ():
            for note in v.get("cautions") or ():
                claims.setdefault((outcome.study.name, str(note["en"])), []).append(str(v["id"]))
    warnings = [
        Words(f"{study}: {', '.join(ids)}: {note}.", "warning")
        for (study, note), ids in claims.items()
    ]
    return render(warnings).splitlines()


def _effect(v: Mapping[str, Any]) -> str:
    """The effect in the claim's direction, with its interval."""
    if v["effect"] is None:
        return words.ABSENT
    ends = [float(end) for end in v["interval"] or ()]
    return f"{words.number(float(v['effect']))} {words.span(ends) if ends else ''}".strip()


def interrupted(done: Sequence[StudyOutcome], command: str) -> str:
    """The message after Ctrl-C: which studies are done, and how to go on."""
    names = words.listed([outcome.study.name for outcome in done], 99) if done else "no study"
    return (
        f"interrupted: {names} done; trained runs are kept; repeat the command to go on: {command}"
    )
