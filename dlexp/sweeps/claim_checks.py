"""Checks a study's claims and figures against its jobs, so that impossible claims are refused
early.

A claim that the command line makes impossible (by fewer values of a key, say) is INCONCLUSIVE and
not refused: the user may try that.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlexp.config import Setup
from dlexp.core.experiment import Experiment
from dlexp.core.kinds.observer import Observer
from dlexp.core.registry import every_of
from dlexp.core.seeds import FEWEST, TUNING
from dlexp.errors import UserError, nearest
from dlexp.report import words
from dlexp.report.claims.messages import NoVerdict
from dlexp.report.claims.sides import split
from dlexp.report.claims.spec import Claim, read
from dlexp.report.runs import RunRecord, SweepRecord
from dlexp.runs.provenance import one_blas_thread
from dlexp.storage.status import Status
from dlexp.sweeps.job import without_default_observers
from dlexp.sweeps.study import NamedStudy


@dataclass(frozen=True)
class PartJobs:
    """The jobs of a part, and the typed overrides: their keys no longer follow the study."""

    name: str
    setups: Sequence[Setup]
    typed: frozenset[str]
    quick: bool

    def changed(self, *keys: str) -> bool:
        """Whether the command line changes any of these keys."""
        roots = {key.partition(".")[0] for key in keys}
        return any(key.partition(".")[0] in roots for key in self.typed)


def check(
    study: NamedStudy,
    jobs: Sequence[tuple[Sequence[str], Setup]],
    sizes: Mapping[str, int],
    typed: Sequence[str],
) -> None:
    """Raises `UserError` for a claim or figure that the jobs of the parts cannot support."""
    keys = frozenset(word.lstrip("+").partition("=")[0] for word in typed)
    quick = any(word.lstrip("+").lower() == "quick=true" for word in typed)
    at, parts = 0, {}
    for name, n in (sizes or {"all": len(jobs)}).items():
        setups = [setup for _, setup in jobs[at : at + n]]
        parts[name] = PartJobs(name, setups, keys - {"quick", "tracking"}, quick)
        at += n
    description = study.description or {}
    try:
        runs = [run for part in parts.values() for run in _sweep(part).runs]
        for i, claim in enumerate(read({"name": study.name, **description}, parts, runs)):
            _check_claim(parts[claim.part or "all"], claim, f"study.claims[{i}]")
        for name, own in (description.get("parts") or {}).items():
            _check_metrics(parts[name], [own.get("metric")], f"study.parts.{name}.metric")
        for i, figure in enumerate(description.get("figures") or ()):
            _check_figure(
                parts[figure.get("part") or next(iter(parts))], figure, f"study.figures[{i}]"
            )
    except UserError as e:
        e.where = e.where or study.name
        raise


def _check_claim(part: PartJobs, claim: Claim, key: str) -> None:
    _check_metrics(part, claim.metric.names, f"{key}.metric")
    _check_metrics(part, claim.guard.metric.names if claim.guard else (), f"{key}.guard.metric")
    if part.changed(*claim.of, *claim.against, *claim.tuned, *([claim.over] if claim.over else [])):
        return
    try:
        sides = split(_sweep(part), claim).common()
    except NoVerdict as e:
        raise UserError(e.sentence["en"], key=key, value=claim.id) from None
    for tuned in claim.tuned:
        _check_key(part, tuned, f"{key}.tuned")
    n = len(sides.seeds())
    if claim.tuned and n < TUNING + FEWEST and not (part.quick or part.changed("seed")):
        wrong = (
            f"needs {TUNING} seeds to choose settings and {FEWEST} others to judge them;"
            f" there are {n}"
        )
        raise UserError(wrong, key=f"{key}.tuned", value=claim.id)


def _sweep(part: PartJobs) -> SweepRecord:
    """The sweep of a part before training: only the parameters of its runs are known."""
    made = [
        RunRecord(
            "",
            str(i),
            "",
            Status.FINISHED,
            setup.experiment.seed,
            setup.experiment.params(),
            better=setup.experiment.objective.better,
        )
        for i, setup in enumerate(part.setups)
    ]
    keys = {part.name: tuple(run.key for run in made)}
    return SweepRecord(folder=Path(), runs=tuple(made), parts=keys)


def _check_key(part: PartJobs, name: str, key: str) -> None:
    """Raises `UserError` for a key that is no parameter of any run."""
    known = sorted({name for params in _params(part) for name in params})
    if name not in known:
        raise UserError(
            "no run has such a parameter", key=key, value=name, hint=nearest(name, known)
        )


def _params(part: PartJobs) -> list[dict[str, Any]]:
    """The parameters of the different jobs, without their seeds."""
    return [setup.experiment.params() for setup in _different(part.setups)]


def _different(setups: Sequence[Setup]) -> Iterator[Setup]:
    seen = set()
    for setup in setups:
        rest = tuple(word for word in setup.overrides if not word.startswith("seed="))
        if rest not in seen:
            seen.add(rest)
            yield setup


def _check_metrics(part: PartJobs, names: Sequence[str | None], key: str) -> None:
    wanted = [name for name in names if name]
    if not wanted:
        return
    known, noted, anything = _measured(part)
    for name in wanted:
        if fnmatch.filter(known, name) or any(fnmatch.fnmatch(name, like) for like in noted):
            continue
        by = _observers_of(name)
        if anything and not by and name.partition("/")[0] not in ("train", "val", "test", "gap"):
            continue  # perhaps by an observer that does not declare what it measures
        if by:
            wrong = (
                f"is measured by the observer {by[0]} only: add - override /observer: [{by[0]}] in"
                " defaults"
            )
            raise UserError(wrong, key=key, value=name)
        allowed = ", ".join([*known, *(like.replace("*", "…") for like in noted)])
        raise UserError(
            "will not be measured", key=key, value=name, allowed=allowed, hint=nearest(name, known)
        )


def _observers_of(metric: str) -> list[str]:
    """The observers that declare a metric like this one."""
    return [
        observer.name
        for observer in every_of(Observer)
        if any(fnmatch.fnmatch(metric, like) for like in observer.measures or ())
    ]


def _measured(part: PartJobs) -> tuple[list[str], list[str], bool]:
    """What the runs of a part measure, as patterns; whether some observer declares nothing."""
    known: set[str] = set()
    noted: set[str] = set()
    anything = False
    seen = set()
    for setup in _different(part.setups):
        e = without_default_observers(setup).experiment
        noted |= {like for observer in e.observer for like in observer.measures or ()}
        anything |= any(observer.measures is None for observer in e.observer)
        known |= {"early_stopping/best_step"} if e.early_stopping.patience is not None else set()
        if e.objective not in seen:
            seen.add(e.objective)
            known |= _metrics(e)
    return sorted(known), sorted(noted), anything


def _metrics(e: Experiment) -> set[str]:
    """The metrics of an objective and of the trainer, and the gaps that reports add."""
    measured = e.objective.measures
    if measured is None:
        with one_blas_thread():
            problem = e.trainer().problem
            measured = [*problem.evaluate(), *problem.test()]
    splits = {name.partition("/")[::2] for name in measured}
    gaps = {
        f"gap/{what}" for split, what in splits if split == "train" and ("test", what) in splits
    }
    return {*measured, *gaps, "train/objective"}


def _check_figure(part: PartJobs, figure: Mapping[str, Any], key: str) -> None:
    metric = figure.get("metric")
    _check_metrics(part, [metric] if isinstance(metric, str) else metric or (), f"{key}.metric")
    for name in figure.get("where") or ():
        _check_key(part, str(name), f"{key}.where")
    for option in ("lines", "panels", "axis"):
        name = figure.get(option)
        if name is None or part.quick or part.changed(name):
            continue
        params = _params(part)
        varying = sorted(
            {k for p in params for k in p if len({words.token(q.get(k)) for q in params}) > 1}
        )
        if name not in varying:
            allowed, hint = ", ".join(varying), nearest(name, varying)
            raise UserError(
                "does not vary in this part",
                key=f"{key}.{option}",
                value=name,
                allowed=allowed,
                hint=hint,
            )
