"""The pages of `help`: groups, their options, keys, studies and commands."""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from dlexp.cli import verbs, vocabulary
from dlexp.core import kinds, registry
from dlexp.errors import UserError, nearest
from dlexp.paths import CONF
from dlexp.plugins import discovery
from dlexp.sweeps.studies import in_english, words_of

GROUPS = {
    kind.name: kind.summary for kind in sorted(kinds.every(), key=lambda kind: kind.name_rank)
}
EXAMPLES = {
    "": "the default run: MLP, digits, He, Adam",
    "optimizer=adam init=he regularizer=dropout": "choose an option of a group",
    "optimizer=momentum optimizer.lr=0.1 epochs=20": "set the values of an option",
    "objective=valley optimizer=sgd optimizer.lr=0.95": "show an optimizer's path on a surface",
    "-m optimizer=sgd,adam seed=0,1,2": "train every combination",
    "experiment=weight_decay": "a named study: its runs, its figures, its verdicts",
}


def overview() -> str:
    """Every group with its options and their summaries; `*` marks the default."""
    discovery.discover()
    usual = vocabulary.default_options()
    lines = [
        "dlexp: a laboratory for neural network training techniques",
        "",
        *(f"  python -m dlexp {words:48}  {text}" for words, text in EXAMPLES.items()),
        "",
        "commands (`python -m dlexp <command> --help` explains one)",
        *_listed({name: verbs.summary(name) for name in verbs.names()}),
        "",
        "flags",
        *_listed(vocabulary.FLAGS),
        "",
    ]
    for group, what in GROUPS.items():
        lines.append(f"{group}: {what}")
        named = {cls.name: _summary(cls) for cls in registry.every(group)}
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
    keys = vocabulary.plain_keys().values()
    lines.append(_hanging("values: ", ", ".join(f"{key.name}={key.default}" for key in keys)))
    lines.append("`python -m dlexp help seed` explains a value.")
    return "\n".join(lines)


def _listed(rows: Mapping[str, str]) -> list[str]:
    width = max(map(len, rows))
    return [_hanging(f"  {name:{width}}  ", text) for name, text in rows.items()]


def _hanging(head: str, text: str) -> str:
    """The text after its head, with later lines indented to the same column."""
    columns = min(max(shutil.get_terminal_size().columns, 60), 120)
    return textwrap.fill(text, columns, initial_indent=head, subsequent_indent=" " * len(head))


def details(name: str) -> str:
    """The pages of a command, option, group, key or study. Raises `UserError` for an unknown name.

    A technique and its study may have the same name: both are shown.
    """
    discovery.discover()
    name = re.sub(r"^init(?=$|[.=])", "initializer", name)
    pages = [verbs.help_page(name)] if name in verbs.names() else []
    pages += [
        _details(group, option, cls)
        for group, option, cls in vocabulary.classes()
        if name in (option, group, f"{group}={option}")
    ]
    pages += [_study(path) for path in _files() if name in (path.stem, f"experiment={path.stem}")]
    pages += [
        f"{group}={path.stem}\n\n{path.read_text('utf-8')}"
        for group in kinds.KINDS
        for path in vocabulary.files(group)
        if name in (path.stem, f"{group}={path.stem}")
    ]
    if name == "experiment":
        pages.append("\n".join(_studies()))
    pages += key_pages(name) if not pages else []
    if not pages:
        known = [
            *verbs.names(),
            *GROUPS,
            "experiment",
            "tracking",
            *(cls.name for cls in registry.every()),
            *(path.stem for path in _files()),
            *vocabulary.plain_keys(),
            *(key.name for _, _, key in vocabulary.option_keys()),
        ]
        wrong = f"there is no command, group, option, study or key called {name}"
        allowed = ", ".join([*verbs.names(), *GROUPS, "experiment"])
        raise UserError(wrong, hint=nearest(name, known), allowed=allowed)
    return "\n\n".join(pages)


def key_pages(name: str) -> list[str]:
    """The pages of `seed`, `checkpoint` (all its keys), `adam.lr`, `regularizer.l1.lam`, …."""
    name = name.partition("=")[0]
    pages = [
        _page(key.name, key, key.meaning)
        for key in vocabulary.plain_keys().values()
        if name in (key.name, key.name.partition(".")[0])
    ]
    last = name.rpartition(".")[2]
    options: dict[str, list[tuple[str, vocabulary.Key]]] = {}
    for group, option, key in vocabulary.option_keys():
        if key.name.endswith(f".{last}") and name in (key.name, f"{option}.{last}"):
            options.setdefault(key.name, []).append((f"{group}={option}", key))
    return pages + [_page_of_options(title, owners) for title, owners in options.items()]


def _page_of_options(title: str, owners: Sequence[tuple[str, vocabulary.Key]]) -> str:
    """A page on a key of one or several options; the formula of an option explains its keys."""
    if len(owners) > 1:
        rows = {
            option: ", ".join(filter(None, (f"default {key.default}", key.type, key.range)))
            for option, key in owners
        }
        last = f"`python -m dlexp help {owners[0][0]}` explains an option."
        return "\n".join([title, "", *_listed(rows), "", last])
    ((option, key),) = owners
    group, _, name = option.partition("=")
    return _page(title, key, key.meaning or f"{option}: {_summary(vocabulary.owners(group)[name])}")


def _page(title: str, key: vocabulary.Key, meaning: str) -> str:
    rows = {"meaning": meaning, "type": key.type, "range": key.range, "default": key.default}
    return "\n".join([title, "", *_listed({what: text for what, text in rows.items() if text})])


def _files() -> list[Path]:
    return sorted((CONF / "experiment").glob("*.yaml"))


def _studies() -> list[str]:
    """The named studies, each with its title."""
    titles = {path.stem: in_english(words_of(path).get("title")) for path in _files()}
    width = max(map(len, titles), default=0)
    listed = [_hanging(f"    {name:{width}}  ", title) for name, title in titles.items()]
    return [
        "experiment: named studies, with figures and claims; `help weight_decay` explains one",
        *listed,
    ]


def _study(path: Path) -> str:
    """What a study shows, its parts and its claims."""
    texts = words_of(path)
    claims, titles = texts.get("claims") or [], texts.get("parts") or {}
    lines = [f"experiment={path.stem}", "", in_english(texts.get("title"))]
    lines += [_hanging("", in_english(texts.get("shows"))), ""]
    parts = {name: in_english(part.get("title")) for name, part in titles.items()}
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


def _details(group: str, option: str, cls: type) -> str:
    lines = [f"{group}={option}", "", inspect.getdoc(cls) or ""]
    keys = vocabulary.keys_of(cls, vocabulary.prefix_of(group, option))
    rows = {
        f"{key.name}={key.default}": "; ".join(filter(None, (key.range, key.meaning)))
        for key in keys
    }
    lines += ["", *(line.rstrip() for line in _listed(rows))] if rows else []
    return "\n".join([*lines, "", f"  {inspect.getsourcefile(cls)}"])


def _summary(cls: type) -> str:
    """The first paragraph of its docstring."""
    return " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())


def _comment(path: Path) -> str:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip()
