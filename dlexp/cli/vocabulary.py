"""All that can be typed: flags, options of groups, and keys with meaning, type and default.

It is read from `conf/config.yaml` and the registry of plugins, without Hydra.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from dlexp.core import kinds, registry
from dlexp.core.early_stopping import EarlyStopping
from dlexp.core.experiment import Experiment
from dlexp.paths import CONF

FLAGS = {
    "--multirun": "sweep: train every combination (-m)",
    "--dry-run": "list what would be trained; train nothing",
    "--retry-failed": "sweep: train its failed runs again",
    "--config-dir": "a folder with your own options and studies: <folder>/<group>/<name>.yaml",
    "--cfg": "print the configuration; train nothing: job, hydra or all (-c)",
    "--resolve": "with --cfg: replace references by their values",
    "--package": "with --cfg: only this part of the configuration (-p)",
    "--info": "print Hydra's information on the configuration (-i)",
    "--hydra-help": "explain the supported parts of Hydra",
    "--version": "print the version",
    "--help": "list all commands, groups and options (-h)",
}
FLAG_VALUES = {
    "--cfg": ("job", "hydra", "all"),
    "--info": ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath"),
}
TYPES = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "true or false",
    type(None): "null",
}
TRUTH = ("true", "false")


@dataclass(frozen=True)
class Key:
    """A key and its default as they are typed, its meaning, type, range and choices."""

    name: str
    default: str
    meaning: str = ""
    type: str = ""
    range: str = ""
    choices: Sequence[str] = ()


@cache
def _menu() -> dict[str, Any]:
    menu: dict[str, Any] = yaml.safe_load((CONF / "config.yaml").read_text(encoding="utf-8"))
    return menu


def default_options() -> dict[str, list[str]]:
    """The default options of each group."""
    pairs = [p for item in _menu()["defaults"] if isinstance(item, dict) for p in item.items()]
    return {group: v if isinstance(v, list) else [v] for group, v in pairs}


def meanings() -> dict[str, str]:
    """The comments of `config.yaml` on groups and keys."""
    comments, section = {}, ""
    for line in (CONF / "config.yaml").read_text(encoding="utf-8").splitlines():
        if not (match := re.match(r"( *)(- )?(\w+): *([^#]*?) *(?:# (.*))?$", line)):
            continue
        indent, item, key, value, comment = match.groups()
        section = section if indent else "" if value else f"{key}."
        name = f"{section}{key}" if indent and not item else key
        comments[name] = (comment or "").partition(": plugins/")[0]
    return comments


def plain_keys() -> dict[str, Key]:
    """The keys that belong to no plugin, in the order of `config.yaml`."""
    from dlexp.storage.checkpoint import Checkpointing

    owners = {"": Experiment, "early_stopping.": EarlyStopping, "checkpoint.": Checkpointing}
    typed = {key.name: key for head, owner in owners.items() for key in keys_of(owner, head)}
    meaning, keys = meanings(), {}
    for section, value in _menu().items():
        if section in ("defaults", "hydra"):
            continue
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for name, default in inner:
            key = f"{section}.{name}" if name else section
            base = typed.get(key) or _untyped(key, default)
            keys[key] = dataclasses.replace(
                base, default=as_typed(default), meaning=meaning.get(key, "")
            )
    return keys


def _untyped(name: str, default: Any) -> Key:
    """The type of a key, as far as its default shows it."""
    kind = "" if default is None else TYPES.get(type(default), "")
    return Key(name, "", type=kind, choices=TRUTH if isinstance(default, bool) else ())


def keys_of(owner: type, prefix: str) -> list[Key]:
    """The fields of a dataclass as keys after a prefix such as `optimizer.`."""
    hints = typing.get_type_hints(owner)
    return [_key(f, hints[f.name], prefix) for f in dataclasses.fields(owner)]


def _key(f: dataclasses.Field[Any], hint: Any, prefix: str) -> Key:
    allowed = f.metadata.get("range")
    return Key(
        f"{prefix}{f.name}",
        as_typed(f.default) if f.default is not dataclasses.MISSING else "",
        f.metadata.get("doc", ""),
        in_words(hint),
        allowed.words if allowed else "",
        TRUTH if hint is bool else allowed.choices if allowed else (),
    )


def in_words(hint: Any) -> str:
    """A type in words.

    >>> in_words(int | None), in_words(tuple[int, ...])
    ('whole number or null', 'list: whole number')
    """
    if isinstance(hint, types.UnionType):
        return " or ".join(map(in_words, typing.get_args(hint)))
    if typing.get_origin(hint) in (tuple, list):
        return f"list: {in_words(typing.get_args(hint)[0])}"
    return TYPES.get(hint, "")


def as_typed(value: Any) -> str:
    """A value as it is written on the command line.

    >>> as_typed((100, 50)), as_typed(None), as_typed(True)
    ('[100,50]', 'null', 'true')
    """
    if isinstance(value, tuple):
        return f"[{','.join(map(as_typed, value))}]"
    return (
        "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )


def files(group: str, home: Path | None = None) -> list[Path]:
    """The variants and studies of a group, from dlexp and from a folder of the user."""
    return [p for folder in (CONF, home) if folder for p in sorted((folder / group).glob("*.yaml"))]


def owners(group: str) -> dict[str, type]:
    """The options of a group that are classes with fields."""
    if group == "tracking":
        from dlexp.tracking.settings import TRACKING

        return dict(TRACKING)
    return {cls.name: cls for cls in registry.every(group)}


def owner_of(group: str, option: str, home: Path | None = None) -> type | None:
    """The class of an option; for a variant, that of its base."""
    for _ in range(9):  # a variant may be based on a variant; the limit stops circles
        if option in (known := owners(group)):
            return known[option]
        path = next((p for p in files(group, home) if p.stem == option), None)
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) if path else None
        except (OSError, ValueError, yaml.YAMLError):
            return None
        bases = content.get("defaults") if isinstance(content, dict) else None
        option = next((b for b in bases or () if isinstance(b, str) and b != "_self_"), "")
    return None


def prefix_of(group: str, option: str) -> str:
    """The prefix of an option's fields: `optimizer.`, `regularizer.dropout.`."""
    return f"{group}.{option}." if group in kinds.MANY else f"{group}."


def classes() -> Iterator[tuple[str, str, type]]:
    """All options that are classes: group, name and class."""
    for group in (*kinds.KINDS, "tracking"):
        for option, cls in owners(group).items():
            yield group, option, cls


def option_keys() -> Iterator[tuple[str, str, Key]]:
    """All keys of options, each with its group and option."""
    for group, option, cls in classes():
        for key in keys_of(cls, prefix_of(group, option)):
            yield group, option, key
