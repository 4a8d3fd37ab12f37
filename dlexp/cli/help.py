"""Help for people: what the groups are, what their options do, and what can be set."""

from __future__ import annotations

import inspect
import shutil
import textwrap
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from dlexp.core import kinds, registry
from dlexp.core.registry import Plugin
from dlexp.errors import UserError, nearest
from dlexp.paths import CONF
from dlexp.plugins import discovery
from dlexp.sweeps.studies import in_english, words_of

GROUPS = {
    kind.name: kind.summary for kind in sorted(kinds.every(), key=lambda kind: kind.name_rank)
}
USAGE = """\
dlexp: a laboratory for the techniques that make neural networks train

  python -m dlexp                                                   the default run: MLP, digits, He, Adam
  python -m dlexp optimizer=adam init=he regularizer=dropout        choose an option of a group
  python -m dlexp optimizer=momentum optimizer.lr=0.1 epochs=20     and set its values
  python -m dlexp objective=valley optimizer=sgd optimizer.lr=0.95  watch an optimizer on a surface
  python -m dlexp -m optimizer=sgd,adam seed=0,1,2                  every combination
  python -m dlexp help adam                                         all of one option: equation, values, source
  python -m dlexp ui                                                look at the runs in MLflow
  python -m dlexp sync                                              send MLflow what it has not got yet
  python -m dlexp experiment=weight_decay                           a named study: its runs, its figures, its verdicts
  python -m dlexp claims                                            all named studies, and one table of their verdicts
  python -m dlexp resume <run or sweep>                             go on with a run; train what a sweep still misses
  python -m dlexp resume <run> --anyway                             under other code or arithmetic too; it is marked
  python -m dlexp replay <run>                                      train it again: the same numbers, to the bit?
  python -m dlexp probe <run> observer=[diagnostics]                and with instruments added afterwards
  python -m dlexp doctor                                            find what died or was damaged, and mend it
  python -m dlexp --cfg job                                         show the configuration, train nothing
  --config-dir <folder>                                             options and studies of your own, of `claims` too:
                                                                    <folder>/<group>/<name>.yaml
  --dry-run, --retry-failed                                         of a sweep: list its jobs; try the failed ones again
"""


def overview() -> str:
    """Every group and its options, each with the first line of its documentation; `*` marks the
    default.
    """
    discovery.discover()
    usual = _defaults(CONF / "config.yaml")
    lines = [USAGE]
    for group, what in GROUPS.items():
        lines.append(f"{group}: {what}")
        named = {cls.name: _first_line(cls) for cls in registry.every(group)}
        named |= {p.stem: _comment(p) for p in sorted((CONF / group).glob("*.yaml"))}
        width = max(map(len, named))
        for name, text in named.items():
            mark = "*" if name in usual.get(group, ()) else " "
            lines.append(_hanging(f"  {mark} {name:{width}}  ", text))
        lines.append("")
    lines += [*_studies(), ""]
    lines.append(
        "tracking: where runs are shown: mlflow (a server: tracking.uri=…, or MLFLOW_TRACKING_URI),"
        " or none\n"
    )
    lines.append(_hanging("values: ", ", ".join(usual["values"])))
    lines.append("`python -m dlexp help seed` says what one of them is.")
    return "\n".join(lines)


def _hanging(head: str, text: str) -> str:
    """The text behind its head, later lines indented as far."""
    columns = min(max(shutil.get_terminal_size().columns, 60), 120)
    return textwrap.fill(text, columns, initial_indent=head, subsequent_indent=" " * len(head))


def details(name: str) -> str:
    """All of one option, of every option of a group, or of a study. Raises `UserError` for a name
    nobody has.

    A technique and the study of it may have the same name: both are shown.
    """
    discovery.discover()
    found = [
        _details(cls)
        for cls in registry.every()
        if name in (cls.name, cls.kind, f"{cls.kind}={cls.name}")
    ]
    found += [_study(path) for path in _files() if name in (path.stem, f"experiment={path.stem}")]
    presets = [
        p for p in sorted(CONF.glob("*/*.yaml")) if p.stem == name and p.parent.name != "experiment"
    ]
    if presets:
        return f"{presets[0].parent.name}={name}\n\n{presets[0].read_text('utf-8')}"
    if name == "experiment":
        return "\n".join(_studies())
    if lines := _menu(name):
        return lines
    if not found:
        known = [
            *GROUPS,
            *(cls.name for cls in registry.every()),
            *(path.stem for path in _files()),
        ]
        wrong = f"there is no group, option or study called {name}"
        raise UserError(
            wrong, hint=nearest(name, known), allowed=", ".join([*GROUPS, "experiment"])
        )
    return "\n\n".join(found)


def _files() -> list[Path]:
    return sorted((CONF / "experiment").glob("*.yaml"))


def _studies() -> list[str]:
    """The named studies, each with its title."""
    titles = {path.stem: in_english(words_of(path).get("title")) for path in _files()}
    width = max(map(len, titles), default=0)
    listed = [_hanging(f"    {name:{width}}  ", title) for name, title in titles.items()]
    return [
        "experiment: named studies, with figures and claims; `help weight_decay` tells all of one",
        *listed,
    ]


def _study(path: Path) -> str:
    """What a study shows, its parts and its claims."""
    said = words_of(path)
    claims, titles = said.get("claims") or [], said.get("parts") or {}
    lines = [f"experiment={path.stem}", "", in_english(said.get("title"))]
    lines += [_hanging("", in_english(said.get("shows"))), ""]
    parts = {name: in_english(told.get("title")) for name, told in titles.items()}
    width = max(map(len, parts), default=0)
    lines += (
        ["parts", *(f"  {name:{width}}  {title}".rstrip() for name, title in parts.items()), ""]
        if parts
        else []
    )
    width = max((len(str(claim["id"])) for claim in claims), default=0)
    shown = [_hanging(f"  {claim['id']:{width}}  ", in_english(claim["says"])) for claim in claims]
    lines += ["claims", *shown, ""] if shown else []
    return "\n".join([*lines, f"  {path}"])


def _menu(name: str) -> str:
    """The lines of the menu that set a plain value, or a group that has no plugins: they say what
    it is.
    """
    lines = (CONF / "config.yaml").read_text("utf-8").splitlines()
    keys = (
        (f"{name}:", f"  {name.partition('.')[2]}:", f"  - {name}:")
        if name not in kinds.KINDS
        else ()
    )
    return "\n".join(
        line.strip("- ")
        for line in lines
        if line.startswith(tuple(k for k in keys if k.strip(" -:")))
    )


def _details(cls: type[Plugin]) -> str:
    key = f"{cls.kind}.{cls.name}" if cls.kind in kinds.MANY else cls.kind
    lines = [f"{cls.kind}={cls.name}", "", inspect.getdoc(cls) or ""]
    values = [
        (f"  {key}.{f.name}={_typed(f.default)}", _range(f)) for f in fields(cast("Any", cls))
    ]
    width = max((len(text) for text, _ in values), default=0)
    lines += (
        ["", *(f"{text:{width}}  {allowed}".rstrip() for text, allowed in values)] if values else []
    )
    return "\n".join([*lines, "", f"  {inspect.getsourcefile(cls)}"])


def _range(f: Any) -> str:
    return f.metadata["range"].words if "range" in f.metadata else ""


def _typed(value: Any) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, tuple):
        return f"[{','.join(map(_typed, value))}]"
    return (
        "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )


def _first_line(cls: type[Plugin]) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def _comment(path: Path) -> str:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip()


def _defaults(path: Path) -> dict[str, list[str]]:
    """The default options by group, and the plain values under `values`."""
    import yaml

    menu = yaml.safe_load(path.read_text(encoding="utf-8"))
    pairs = [
        pair for item in menu.pop("defaults") if isinstance(item, dict) for pair in item.items()
    ]
    chosen = {group: v if isinstance(v, list) else [v] for group, v in pairs}
    del menu["hydra"]
    values = []
    for key, value in menu.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        values += [f"{key}.{k}={_typed(v)}" if k else f"{key}={_typed(v)}" for k, v in inner]
    return chosen | {"values": values}
