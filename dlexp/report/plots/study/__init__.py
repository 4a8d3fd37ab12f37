"""The figures that a study lists, instead of the default ones of a report.

    figures:
      - {kind: gap, part: strength, losses: true}
      - {kind: panels, part: scales, metric: train/accuracy, lines: normalization}

Every kind takes `part` (which runs; not needed where there is one part), `where` (parameters and
their values, or lists of values: only runs that have them), `title` and `name` (of the file); the
others are in `KINDS`. A figure that cannot be drawn gives a reason instead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlexp.errors import UserError, nearest
from dlexp.report import words
from dlexp.report.plots.common import Picture
from dlexp.report.plots.study.distributions import distributions
from dlexp.report.plots.study.dots import dots
from dlexp.report.plots.study.field import gradient_field
from dlexp.report.plots.study.gap import gap
from dlexp.report.plots.study.panels import panels
from dlexp.report.plots.study.paths import paths, paths_animation
from dlexp.report.plots.study.scene import CannotDraw, Scene
from dlexp.report.runs import SweepRecord
from dlexp.report.table import Table, arrange

Test = Callable[[Any], bool]


@dataclass(frozen=True)
class Undrawn:
    """A requested figure that cannot be drawn, and why."""

    name: str
    title: str
    reason: str


@dataclass(frozen=True)
class Kind:
    """How a figure is drawn, and what each of its options must be: a test, and its words."""

    draw: Callable[..., Picture]
    options: Mapping[str, tuple[Test, str]]
    needs: tuple[str, ...] = ()
    suffix: str = ".png"


def _text(x: Any) -> bool:
    return isinstance(x, str) and bool(x)


def _texts(x: Any) -> bool:
    return _text(x) or (isinstance(x, (list, tuple)) and 0 < len(x) <= 4 and all(map(_text, x)))


def _seconds(x: Any) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool) and 0.02 <= x <= 60


def _one_of(*allowed: str) -> tuple[Test, str]:
    return (lambda x: x in allowed), " or ".join(allowed)


COMMON: Mapping[str, tuple[Test, str]] = {
    "part": (_text, "the name of a part"),
    "where": (
        lambda x: isinstance(x, Mapping),
        "parameters and their values, as in {activation: relu}",
    ),
    "title": (_text, "a title"),
    "name": (_text, "a file's name without its ending"),
}
_KEY = (_text, "a parameter that varies in the part, such as optimizer.lr")
_METRIC = (_text, "the name of a metric, such as train/loss")
_BETTER = _one_of("high", "low")
_TIME = (_seconds, "a number of seconds, .02 to 60")
KINDS: Mapping[str, Kind] = {
    "gradient_field": Kind(gradient_field, {}),
    "paths": Kind(paths, {}),
    "paths_animation": Kind(paths_animation, {"seconds": _TIME, "hold": _TIME}, suffix=".gif"),
    "distributions": Kind(
        distributions,
        {"of": _one_of("activations", "gradients"), "moment": _one_of("untrained", "trained")},
    ),
    "panels": Kind(
        panels,
        {"metric": _METRIC, "lines": _KEY, "panels": _KEY, "better": _BETTER},
        ("metric", "lines"),
    ),
    "gap": Kind(gap, {"losses": (lambda x: isinstance(x, bool), "true or false")}),
    "dots": Kind(
        dots,
        {
            "metric": (_texts, "the name of a metric, or a list of up to four"),
            "axis": _KEY,
            "lines": _KEY,
            "better": _BETTER,
        },
        ("metric", "axis"),
    ),
}


def check_figures(specs: Any, parts: Collection[str] = ()) -> None:
    """Checks `study.figures` before anything is trained. Raises `UserError`."""
    if not isinstance(specs, (list, tuple)):
        raise UserError("must be a list, as in [{kind: gap}]", key="study.figures", value=specs)
    for i, spec in enumerate(specs):
        key = f"study.figures[{i}]"
        if not isinstance(spec, Mapping):
            raise UserError("needs a kind, as in {kind: gap}", key=key, value=spec)
        kind = str(spec.get("kind"))
        if kind not in KINDS:
            _refuse("there is no such kind of figure", f"{key}.kind", kind, KINDS)
        known = {**COMMON, **KINDS[kind].options}
        for option, value in spec.items():
            if option == "kind":
                continue
            if option not in known:
                _refuse(
                    f"a figure of kind {kind} has no such option",
                    f"{key}.{option}",
                    value,
                    known,
                    str(option),
                )
            test, allowed = known[option]
            if not test(value):
                raise UserError("does not fit", key=f"{key}.{option}", value=value, allowed=allowed)
        for option in KINDS[kind].needs:
            if option not in spec:
                raise UserError(
                    f"a figure of kind {kind} needs {known[option][1]}", key=f"{key}.{option}"
                )
        if parts and "part" in spec and spec["part"] not in parts:
            _refuse("there is no such part", f"{key}.part", spec["part"], parts)
        if len(parts) > 1 and "part" not in spec:
            raise UserError(
                "is missing: the study has several parts",
                key=f"{key}.part",
                allowed=", ".join(parts),
            )


def _refuse(
    wrong: str, key: str, value: Any, known: Collection[str], word: str | None = None
) -> None:
    hint = nearest(str(value) if word is None else word, known)
    raise UserError(wrong, key=key, value=value, allowed=", ".join(known), hint=hint)


def draw_study(
    sweep: SweepRecord,
    tables: Mapping[str, Table],
    specs: Sequence[Mapping[str, Any]],
    folder: Path,
) -> list[Picture | Undrawn]:
    """The figures of `specs`, in order, drawn into `folder`; or why one cannot be drawn.

    `tables` are the parts of the study by name. Raises `UserError` where `check_figures` does.
    """
    check_figures(specs, tables)
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Picture | Undrawn] = []
    for spec in specs:
        made.append(_drawn(sweep, tables, spec, folder, {p.name for p in made}))
    return made


def _drawn(
    sweep: SweepRecord,
    tables: Mapping[str, Table],
    spec: Mapping[str, Any],
    folder: Path,
    taken: Collection[str],
) -> Picture | Undrawn:
    kind = KINDS[spec["kind"]]
    options = {k: v for k, v in spec.items() if k not in ("kind", *COMMON)}
    part = spec.get("part") or next(iter(tables))
    name = _name(spec, part if len(tables) > 1 else "", taken)
    table = tables[part]
    try:
        if where := spec.get("where"):
            kept = tuple(run for _, _, run in table.runs() if _fits(run.params, where))
            if not kept:
                conditions = ", ".join(
                    f"{k}={words.value(words.token(v))}" for k, v in where.items()
                )
                raise CannotDraw(
                    f"no run {f'of the part {part} ' if len(tables) > 1 else ''}has {conditions}"
                )
            table = arrange([replace(sweep, runs=kept)])
        scene = Scene(
            sweep.folder,
            table,
            folder / f"{name}{kind.suffix}",
            name,
            words.plain(spec.get("title") or ""),
        )
        return kind.draw(scene, **options)
    except CannotDraw as e:
        return Undrawn(name, words.plain(spec.get("title") or name), str(e))


def _name(spec: Mapping[str, Any], part: str, taken: Collection[str]) -> str:
    """A file name that no other figure has."""
    first = words.slug(spec.get("name") or "-".join(filter(None, [part, spec["kind"]])))[:80]
    return next(
        n for i in range(1, 1000) if (n := first if i == 1 else f"{first}-{i}") not in taken
    )


def _fits(params: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Whether a run has these values, or one of each list; a list may also be the value itself."""
    return all(
        k in params and (params[k] == v or (isinstance(v, (list, tuple)) and params[k] in v))
        for k, v in where.items()
    )


__all__ = ["KINDS", "Undrawn", "check_figures", "draw_study"]
