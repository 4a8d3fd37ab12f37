"""`python -m dlexp claims`: every named study, several at a time, and one table of all verdicts.

A study is a command of its own, `python -m dlexp experiment=<name>`, run here with one worker: as many studies at once
as there are processors use them better than one study at a time, whose beginning and end are one process's work.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from dlexp import places
from dlexp.errors import UserError, nearest
from dlexp.report import runs, words
from dlexp.report.blocks import Grid
from dlexp.report.terminal import table

MARKS = {"SUPPORTED": "✓", "NOT SUPPORTED": "✗", "INCONCLUSIVE": "?"}


@dataclass(frozen=True)
class Named:
    """A study that makes claims, as its file says, and how long it takes compared with others."""

    name: str
    title: str
    cost: float


@dataclass(frozen=True)
class Outcome:
    """How a study's command ended; `verdicts` are those of its verdicts.json, None where there is none."""

    study: Named
    status: int
    seconds: float
    said: str
    verdicts: Sequence[Mapping[str, Any]] | None
    page: Path | None


def named(folder: Path) -> list[Named]:
    """The studies in a folder of experiments, by name. Raises `UserError` for a file that is no YAML."""
    import yaml

    found = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            held = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (OSError, ValueError, yaml.YAMLError) as e:
            raise UserError(f"cannot be read: {' '.join(str(e).split())}", key=str(path)) from None
        said = held.get("study") if isinstance(held, dict) else None
        if isinstance(said, dict) and said.get("claims"):
            title = said.get("title")
            shown = title.get("en") if isinstance(title, dict) else title
            found.append(Named(path.stem, str(shown or path.stem), float(said.get("cost") or 1)))
    return found


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(message, key="claims", where="command line")


def main(argv: Sequence[str]) -> int:
    """Run the studies asked for, or all; print the table. 1 if one of them failed, whatever the verdicts are."""
    parser = _Parser(prog="python -m dlexp claims", description="Put the claims of the named studies to the test.")
    parser.add_argument("studies", nargs="*", help="names of studies, and overrides for all of them; all by default")
    parser.add_argument(
        "--quick", action="store_true", help="a smaller budget: fewer seeds and settings, not sent to MLflow"
    )
    try:
        asked = parser.parse_intermixed_args(list(argv))
    except SystemExit as e:  # --help
        return int(e.code or 0)
    overrides = [word for word in asked.studies if "=" in word]
    chosen = _chosen([word for word in asked.studies if "=" not in word])
    began = time.monotonic()
    outcomes = conduct(chosen, overrides, quick=asked.quick)
    print(told(outcomes, quick=asked.quick, seconds=time.monotonic() - began))
    return 1 if any(outcome.status for outcome in outcomes) else 0


def _chosen(names: Sequence[str]) -> list[Named]:
    known = {study.name: study for study in named(places.CONF / "experiment")}
    for name in names:
        if name not in known:
            raise UserError("there is no such study", key="claims", value=name, where="command line",
                            allowed=", ".join(known), hint=nearest(name, known))  # fmt: skip
    return [known[name] for name in dict.fromkeys(names or known)]


def conduct(studies: Sequence[Named], overrides: Sequence[str], *, quick: bool) -> list[Outcome]:
    """Run studies, as many at once as there are processors, the longest first; a line on stderr as each ends."""
    from tqdm import tqdm

    n = min(len(studies), _cores())
    running: dict[str, None] = {}
    lock = threading.Lock()
    with tqdm(total=len(studies), unit="study", file=sys.stderr, dynamic_ncols=True, leave=False) as bar:

        def one(study: Named) -> Outcome:
            with lock:
                running[study.name] = None
                bar.set_postfix_str(", ".join(running))
            outcome = run(study, overrides, quick=quick, workers=max(1, _cores() // n))
            with lock:
                del running[study.name]
                bar.set_postfix_str(", ".join(running), refresh=False)
                bar.update()
                bar.write(f"{study.name}: {_counted(outcome)}, {outcome.seconds:.0f} s", file=sys.stderr)
            return outcome

        with ThreadPoolExecutor(n) as pool:
            first = sorted(studies, key=lambda s: -s.cost)
            ended = dict(zip([s.name for s in first], pool.map(one, first), strict=True))
    return [ended[study.name] for study in studies]


def run(study: Named, overrides: Sequence[str], *, quick: bool, workers: int) -> Outcome:
    """One study, as a command of its own; its sweep is found by its name, which is the study's."""
    extra = [*(["quick=true", "tracking=none"] if quick else []), *overrides]
    command = [sys.executable, "-m", "dlexp", f"experiment={study.name}", f"hydra.launcher.n_jobs={workers}", *extra]
    began, clock = time.time_ns() // 1_000_000, time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
    folder = _folder(study.name, began)
    verdicts = folder and _verdicts(folder / "report" / "verdicts.json")
    said = done.stderr.strip().splitlines()[-1:] or done.stdout.strip().splitlines()[-1:]
    page = folder / "report" / "report.html" if folder and verdicts is not None else None
    return Outcome(study, done.returncode, time.monotonic() - clock, " ".join(said), verdicts or None, page)


def _folder(name: str, began: int) -> Path | None:
    """The sweep of a study that a command has just written: its description is as young as the command."""
    try:
        folder = runs.find(name, key="claims")
    except UserError:
        return None
    fresh = (folder / "sweep.json").stat().st_mtime * 1000 >= began - 2000
    return folder if fresh else None


def _verdicts(path: Path) -> list[dict[str, Any]] | None:
    try:
        found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["claims"]
    except (OSError, ValueError, KeyError):
        return None
    return found


def _counted(outcome: Outcome) -> str:
    if outcome.verdicts is None:
        return f"failed: {outcome.said}"
    counts = Counter(str(v["verdict"]) for v in outcome.verdicts)
    return ", ".join(f"{n} {status}" for status, n in counts.items())


def told(outcomes: Sequence[Outcome], *, quick: bool, seconds: float) -> str:
    """The table of all claims, and where the pages are."""
    rows = [
        [outcome.study.name, str(v["id"]), f"{MARKS[v['verdict']]} {v['verdict']}", _effect(v), str(v["n"]),
         words.probability(v["p_holm"])]
        for outcome in outcomes for v in outcome.verdicts or ()
    ]  # fmt: skip
    lines = table(Grid(["study", "claim", "verdict", "effect [95 % interval]", "n", "p Holm"], rows, "sslrrr"))
    counts = Counter(row[2] for row in rows)
    lines += ["", f"{words.many(len(rows), 'claim')}: " + ", ".join(f"{n} {status}" for status, n in counts.items())]
    if quick:
        lines.append("--quick: a smaller budget; these verdicts are a preview, not the studies' result.")
    lines.append(f"{len(outcomes)} {'study' if len(outcomes) == 1 else 'studies'} in {seconds:.0f} s; the pages:")
    lines += [f"  {o.page}" if o.page else f"  {o.study.name}: failed: {o.said}" for o in outcomes]
    return "\n".join(lines)


def _effect(v: Mapping[str, Any]) -> str:
    """The effect in the claim's direction, with its interval."""
    if v["effect"] is None:
        return words.ABSENT
    low, high = v["interval"] or (None, None)
    ends = "" if low is None else f" [{_short(low)}, {_short(high)}]"
    return f"{_short(v['effect'])}{ends}"


def _short(x: Any) -> str:
    return words.number(float(x))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
