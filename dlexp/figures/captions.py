"""Texts of a figure: the run's name, its choices, data, seed, and how it ended."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from dlexp.core.trainer import Diverged
from dlexp.storage.status import Status

if TYPE_CHECKING:
    from dlexp.core.experiment import Experiment
    from dlexp.core.observed import ObservedRun
    from dlexp.core.registry import Plugin


def number(value: float) -> str:
    """Three significant digits, short: 0.972, 1.2e-05, 650.

    >>> [number(v) for v in (0.97222, 1.234e-5, 650.0, 0.0, 12345.0)]
    ['0.972', '1.23e-05', '650', '0', '1.23e+04']
    """
    return f"{value:.3g}"


def choices(experiment: Experiment) -> str:
    """What was chosen, in a line: `adam lr=0.001 · init he · relu · dropout ratio=0.2 · batch 100`.

    Plugins that do nothing are left out, and so are fields at their default of plugins that have
    many.
    """
    words = [
        f"{kind.label} {_described(p)}".lstrip()
        for kind, plugins in sorted(experiment.chosen(), key=lambda pair: pair[0].caption_rank)
        if kind.identity and not kind.task
        for p in plugins
        if not p.does_nothing
    ]
    clip = [] if experiment.clip_norm is None else [f"clip_norm={number(experiment.clip_norm)}"]
    return " · ".join([*words, *clip])


def task(run: ObservedRun) -> str:
    """What is learned by what, `digits, mlp hidden=5×100`; or the name of the surface."""
    objective = run.experiment.objective
    named = [p for kind, plugins in run.experiment.chosen() if kind.task for p in plugins]
    return ", ".join(_described(p) for p in named if p is not objective) or objective.name


def notes(run: ObservedRun) -> list[str]:
    """The small print below a title: choices, number of samples, seed, formula of a surface."""
    experiment = run.experiment
    if run.dataset is None:
        formula = (experiment.objective.__doc__ or "").splitlines()[:1]
        return [*formula, f"{choices(experiment)} · {experiment.dtype}"]
    sizes = ", ".join(f"{len(split)} {name}" for name, split in run.dataset.splits.items())
    return [
        choices(experiment),
        (
            f"{sizes} samples · batch {experiment.batch_size} · seed {experiment.seed} ·"
            f" {experiment.dtype}"
        ),
    ]


def outcome(run: ObservedRun, error: BaseException | None) -> str:
    """How a run that did not finish ended, in capitals; an empty string for one that did."""
    if error is None:
        return ""
    if isinstance(error, Diverged):
        return f"DIVERGED at step {error.step}: {error.tensor} is not finite"
    word = Status.INTERRUPTED if isinstance(error, KeyboardInterrupt) else Status.FAILED
    return f"{word} after step {run.trainer.t}"


def _described(p: Plugin) -> str:
    """A plugin's name, and the fields that tell it from others of that name."""
    known = fields(p)  # type: ignore[arg-type]
    few = len(known) <= 2
    shown = [
        f.name
        for f in known
        if f.name == "lr"
        or getattr(p, f.name) != f.default
        or (few and f.name not in ("eps", "n_train"))
    ]
    return " ".join([p.name, *(f"{name}={_short(getattr(p, name))}" for name in shown)])


def _short(value: Any) -> str:
    """A field's value; a list of equal numbers as 5×100."""
    if isinstance(value, tuple):
        equal = len(value) > 1 and len(set(value)) == 1 and isinstance(value[0], int)
        return f"{len(value)}×{_short(value[0])}" if equal else f"[{', '.join(map(_short, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
