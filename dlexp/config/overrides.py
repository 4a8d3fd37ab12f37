"""Overrides are read before Hydra sees them: what can be known to be wrong is said here, in one line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, OverrideType, RangeSweep
from hydra.errors import OverrideParseException

from dlexp import kinds, plugins, registry
from dlexp.errors import UserError, nearest
from dlexp.experiment import Experiment
from dlexp.places import CONF
from dlexp.tracking.settings import TRACKING

COMMAND_LINE = "command line"
GROUPS = (*kinds.KINDS, "tracking", "experiment")
# Keys of a sweep: type, default.
SWEEP = {
    "sweep": (str | None, None), "max_jobs": (int, 20_000), "zip": (Any, None), "study": (Any, None),
    "quick": (bool, False),
}  # fmt: skip
ROOT = (*GROUPS, *(f.name for f in fields(Experiment) if f.name not in kinds.KINDS), "checkpoint", *SWEEP)
# Of Hydra's own keys, those that cannot name code to run.
HYDRA_KEYS = (
    "hydra.mode", "hydra.verbose", "hydra.launcher.n_jobs", "hydra/launcher", "hydra/sweeper",
    "hydra.sweeper.max_batch_size", "hydra.sweeper.n_trials", "hydra.sweeper.seed", "hydra.sweeper.metric",
)  # fmt: skip
TEXTS = ("data.path", "data.folder", "data.label", "tracking.uri", "tracking.experiment")  # any characters
HYDRA_PREFIXES = ("hydra.sweeper.params.",)


def spelled_out(overrides: Iterable[str]) -> list[str]:
    """`init=he` is `initializer=he`, with whatever sigil stands before it; `regularizer=[]` is `regularizer=none`."""
    named = (re.sub(r"^([~+]*)init(?=[=.@]|$)", r"\1initializer", o) for o in overrides)
    return [_readable(re.sub(rf"^({'|'.join(kinds.MANY)})=\[\s*\]$", r"\1=none", o)) for o in named]


def _readable(text: str) -> str:
    """A path or an address as people type it, quoted where Hydra could not read it: `data.path=~/my table.csv`."""
    key, _, value = text.partition("=")
    if key.lstrip("+") not in TEXTS:
        return text
    try:
        OverridesParser.create().parse_overrides([text])
    except OverrideParseException:
        escaped = value.replace("'", "\\'")
        return f"{key}='{escaped}'"
    return text


def check(overrides: Sequence[str]) -> list[Override]:
    """Parse overrides; raise a `UserError` for the first that cannot be meant."""
    parser = OverridesParser.create()
    parsed = []
    for text in overrides:
        try:
            (override,) = parser.parse_overrides([text])
        except OverrideParseException as e:
            key, _, value = text.partition("=")
            wrong = "an override is written key=value" if "=" not in text else f"cannot be read: {_first_line(e)}"
            raise UserError(wrong, key=key, value=value or None, where=COMMAND_LINE) from None
        _check_one(override, text)
        parsed.append(override)
    return parsed


def _check_one(o: Override, text: str) -> None:
    key = o.key_or_group
    shown = text.partition("=")[2] if "=" in text else None

    def wrong(why: str, **more: str) -> UserError:
        return UserError(why, key=key, value=shown, where=COMMAND_LINE, **more)

    if o.is_hydra_override():
        if key not in HYDRA_KEYS and not key.startswith(HYDRA_PREFIXES):
            raise wrong("this key of Hydra's is not open to the command line", allowed=", ".join(HYDRA_KEYS))
        if "/" in key and not re.fullmatch(r"\w+", str(o.value())):
            raise wrong("an option is a name")
        return
    if o.type is OverrideType.DEL:
        raise wrong("~ takes a part away, and a run needs every part; choose another option instead")
    root, _, rest = key.partition(".")
    if o.package is not None:
        raise wrong(f"@{o.package}: a group stands in its own place only; leave the @ out")
    if root not in ROOT or "/" in key:
        raise wrong("there is no such key", allowed=", ".join(ROOT), hint=nearest(key, _all_keys()))
    if root == "study":
        raise wrong("what a study says and claims stands in its file, conf/experiment/<name>.yaml")
    if o.type is OverrideType.ADD:
        raise wrong("nothing can be added with +; every key exists already: leave the + out")
    if not rest and root in GROUPS:
        for value in _values(o):
            _check_choice(root, value, wrong)


def _check_choice(group: str, value: Any, wrong: Any) -> None:
    """A group's value is the name of an option; several names where the group takes several."""
    if isinstance(value, list) and group in kinds.MANY:
        for name in value:
            _check_choice(group, name, wrong)
        if len(set(value)) < len(value) or ("none" in value and len(value) > 1):
            raise wrong("each name once, and none alone")
        return
    if isinstance(value, list):
        raise wrong(f"{group} takes one option, not a list")
    if value is None or value == "":
        instead = f"{group}=none" if "none" in options(group) else "one of its options"
        raise wrong(f"a run cannot be without: say {instead}")
    if not isinstance(value, str) or not re.fullmatch(r"[\w-]+", value):
        raise wrong(f"an option of {group} is a name", allowed=", ".join(options(group)))
    if error := plugins.broken(group, value):
        raise wrong(error.wrong)


def options(group: str) -> list[str]:
    """The options of a group that dlexp ships or found in plugin folders."""
    names = [cls.name for cls in registry.every(group)] if group in kinds.KINDS else []
    names += TRACKING if group == "tracking" else []
    return sorted({*names, *(p.stem for p in (CONF / group).glob("*.yaml"))})


def _values(o: Override) -> list[Any]:
    """Every value an override stands for: one, or those of a sweep."""
    value = o.value()
    if isinstance(value, (ChoiceSweep, RangeSweep)):
        return list(o.sweep_iterator(transformer=lambda v: Override._convert_value(v)))
    return [value]


def _all_keys() -> list[str]:
    """Root keys, and the fields of every plugin: where a mistyped key may have been going."""
    deep = [
        f"{kind}.{cls.name}.{f.name}" if kind in kinds.MANY else f"{kind}.{f.name}"
        for kind in kinds.KINDS
        for cls in registry.every(kind)
        for f in fields(cls)  # type: ignore[arg-type]
    ]
    return [*ROOT, *deep]


def _first_line(e: Exception) -> str:
    return str(e).strip().splitlines()[0]
