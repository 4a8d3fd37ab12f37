"""`python -m dlexp claims`: every named study, several at a time, and one table of all verdicts.

A study is a command of its own, `python -m dlexp experiment=<name>`, run here with one worker: as many studies at once
as there are processors use them better than one study at a time, whose beginning and end are one process's work.
"""

from __future__ import annotations

import argparse
import json
import re
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
from dlexp.sweep.workers import cores

WRONG = 2  # the exit status of a command that was asked for something wrong: nothing was trained
MARKS = {"SUPPORTED": "✓", "NOT SUPPORTED": "✗", "INCONCLUSIVE": "?"}


@dataclass(frozen=True)
class Named:
    """A study that makes claims, as its file says, and how long it takes compared with others."""

    name: str
    title: str
    cost: float
    home: Path | None = None  # a folder of the user's own, with an experiment/ in it


@dataclass(frozen=True)
class Outcome:
    """How a study's command ended; `verdicts` are those of its verdicts.json, None where there is none."""

    study: Named
    status: int
    seconds: float
    said: str
    verdicts: Sequence[Mapping[str, Any]] | None
    page: Path | None


def words_of(path: Path) -> Mapping[str, Any]:
    """What stands under `study` in a file. Raises `UserError` for a file that is no YAML."""
    import yaml

    try:
        held = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as e:
        raise UserError(f"cannot be read: {' '.join(str(e).split())}", key=str(path)) from None
    said = held.get("study") if isinstance(held, dict) else None
    return said if isinstance(said, dict) else {}


def in_english(text: Any) -> str:
    """A text of a study, which may be said in several languages, on one line."""
    return words.plain((text.get("en") if isinstance(text, Mapping) else text) or "")


def named(folder: Path, home: Path | None = None) -> list[Named]:
    """The studies with claims in a folder of experiments, by name. Raises `UserError` for a file that is no YAML."""
    every = [(path.stem, words_of(path)) for path in sorted(folder.glob("*.yaml"))]
    return [
        Named(name, in_english(said.get("title")) or name, _cost(said), home)
        for name, said in every
        if said.get("claims")
    ]


def _cost(said: Mapping[str, Any]) -> float:
    cost = said.get("cost")
    return float(cost) if isinstance(cost, (int, float)) else 1.0


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
    parser.add_argument(
        "--config-dir", type=Path, metavar="folder", help="studies of your own too: <folder>/experiment/*.yaml"
    )
    try:
        asked = parser.parse_intermixed_args(list(argv))
    except SystemExit as e:  # --help
        return int(e.code or 0)
    overrides = [word for word in asked.studies if "=" in word]
    chosen = _chosen([word for word in asked.studies if "=" not in word], asked.config_dir)
    began = time.monotonic()
    outcomes = conduct(chosen, overrides, quick=asked.quick)
    print(told(outcomes, quick=asked.quick, seconds=time.monotonic() - began))
    return 1 if any(outcome.status for outcome in outcomes) else 0


def _chosen(names: Sequence[str], home: Path | None) -> list[Named]:
    """The studies of these names, or all there are, in the order of their names."""
    known = {study.name: study for study in named(places.CONF / "experiment")}
    own = _own(home) if home else []
    for study in own:
        if study.name in known:
            raise UserError("dlexp has a study of this name: give yours another", key="--config-dir", value=study.name,
                            where="command line")  # fmt: skip
    known = {study.name: study for study in sorted([*known.values(), *own], key=lambda s: s.name)}
    for name in names:
        if name not in known:
            raise UserError("there is no such study", key="claims", value=name, where="command line",
                            allowed=", ".join(known), hint=nearest(name, known))  # fmt: skip
    return [study for name, study in known.items() if name in names or not names]


def _own(home: Path) -> list[Named]:
    folder = home / "experiment"
    found = named(folder, home)
    if not found:
        wrong = f"there is no study with claims in {folder}" if folder.is_dir() else f"there is no folder {folder}"
        raise UserError(wrong, key="--config-dir", value=str(home), where="command line")
    return found


def conduct(studies: Sequence[Named], overrides: Sequence[str], *, quick: bool) -> list[Outcome]:
    """Run studies, as many at once as there are processors, the longest first; a line on stderr as each ends."""
    from tqdm import tqdm

    n = min(len(studies), cores())
    running: dict[str, None] = {}
    lock = threading.Lock()
    with tqdm(total=len(studies), unit="study", file=sys.stderr, disable=None, dynamic_ncols=True, leave=False) as bar:

        def one(study: Named) -> Outcome:
            with lock:
                running[study.name] = None
                bar.set_postfix_str(", ".join(running))
            outcome = run(study, overrides, quick=quick, workers=max(1, cores() // n))
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
    own = ["--config-dir", str(study.home)] if study.home else []
    asked = [*own, f"experiment={study.name}", f"hydra.launcher.n_jobs={workers}", *extra]
    command = [sys.executable, "-m", "dlexp", *asked]
    began, clock = time.time_ns() // 1_000_000, time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
    folder = _folder(study.name, began) if done.returncode != WRONG else None
    verdicts = folder and _verdicts(folder / "report" / "verdicts.json")
    said = what_failed(done.stderr, done.stdout)
    page = folder / "report" / "report.html" if folder and verdicts is not None else None
    return Outcome(study, done.returncode, time.monotonic() - clock, said, verdicts or None, page)


def what_failed(err: str, out: str) -> str:
    """The line of a command that says what went wrong: its error, else its failed run, else its last word.

    >>> what_failed("dlexp: error: no\\n 10%|#   | 1/10 [00:01<?, ?run/s]\\n", "")
    'error: no'
    """
    lines = [line.strip() for line in err.splitlines() if line.strip() and not re.search(r"\d+%\||run/s|s/run", line)]
    errors = [line.removeprefix("dlexp: ") for line in lines if line.startswith("dlexp: error: ")]
    told = [line.strip() for line in out.splitlines() if line.strip()]
    failed = [" ".join(line.split()) for line in told if line.startswith(("failed ", "killed "))]
    return next(iter([*errors[-1:], *failed[:1], *lines[-1:], *told[-1:]]), "it said nothing")


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
    if outcome.status or outcome.verdicts is None:
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
    counted = ", ".join(f"{n} {status}" for status, n in counts.items())
    lines += ["", f"{words.many(len(rows), 'claim')}: {counted}" if rows else "No verdicts."]
    if quick:
        lines.append("--quick: a smaller budget; these verdicts are a preview, not the studies' result.")
    lines.append(f"{len(outcomes)} {'study' if len(outcomes) == 1 else 'studies'} in {seconds:.0f} s; the pages:")
    for o in outcomes:
        lines += [f"  {o.page}"] if o.page else []
        lines += [f"  {o.study.name}: failed: {o.said}"] if o.status or o.page is None else []
    return "\n".join(lines)


def _effect(v: Mapping[str, Any]) -> str:
    """The effect in the claim's direction, with its interval."""
    if v["effect"] is None:
        return words.ABSENT
    ends = [float(end) for end in v["interval"] or ()]
    return f"{words.number(float(v['effect']))} {words.span(ends) if ends else ''}".strip()
