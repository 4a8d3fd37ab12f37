"""Overrides are read before Hydra sees them: what can be known to be wrong is said here, in one
line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, OverrideType, RangeSweep
from hydra.errors import OverrideParseException

from dlexp.config.hydra_groups import LAUNCHERS, SWEEPERS
from dlexp.config.yamlfile import check_references
from dlexp.core import kinds, registry
from dlexp.core.experiment import Experiment
from dlexp.errors import UserError, nearest
from dlexp.paths import CONF, in_utf8
from dlexp.plugins import discovery
from dlexp.redaction import cleaned_of
from dlexp.tracking.settings import TRACKING

COMMAND_LINE = "command line"
SECRET = (
    "holds what may be a password, which every run would write down: leave it out, and let what"
    " needs it take it from the environment"
)
GROUPS = (*kinds.KINDS, "tracking", "experiment")
# Keys of a sweep, with their types.
SWEEP = {"sweep": str | None, "max_jobs": int, "zip": Any, "study": Any, "quick": bool}
ROOT = (
    *GROUPS,
    *(f.name for f in fields(Experiment) if f.name not in kinds.KINDS),
    "checkpoint",
    *SWEEP,
)
ALIASES = {kind.alias: kind.name for kind in kinds.every() if kind.alias}
ALIASED = re.compile(rf"^([~+]*)({'|'.join(ALIASES)})(?=[=.@]|$)")
MANY_EMPTY = re.compile(rf"^({'|'.join(kinds.MANY)})=\[\s*\]$")
# Of Hydra's own keys, those that cannot name code to run.
HYDRA_KEYS = (
    "hydra.mode",
    "hydra.verbose",
    "hydra.launcher.n_jobs",
    "hydra/launcher",
    "hydra/sweeper",
    "hydra.sweeper.n_trials",
    "hydra.sweeper.seed",
    "hydra.sweeper.metric",
)
LONGEST = 100_000  # characters of an override
# any characters
TEXTS = ("data.path", "data.folder", "data.label", "tracking.uri", "tracking.experiment")
OCTAL = re.compile(r"(?:^|[,\[({:])\s*[-+]?0\d+\s*(?:$|[,\])}:])")
SWEPT = "hydra.sweeper.params."  # before a key: what a study sweeps; it may be said with a +


def _is_verbose(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return isinstance(value, bool) or all(
        isinstance(v, str) and re.fullmatch(r"[\w.-]+", v) for v in names
    )


# What Hydra itself does not check: the values that fit, and what is said of the others.
HYDRA_VALUES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "hydra.mode": (lambda value: value in ("RUN", "MULTIRUN", None), "must be RUN or MULTIRUN"),
    "hydra.verbose": (_is_verbose, "must be true, false, or names of loggers: [hydra,matplotlib]"),
    "hydra.launcher.n_jobs": (
        lambda value: type(value) is not int or value >= 1,
        "must be at least 1, or null for one per processor",
    ),
}


def typed(words: Iterable[str]) -> list[str]:
    """Texts of any characters in UTF-8, as files are read, whatever the locale makes of a command
    line's bytes.
    """
    return [
        in_utf8(word) if word.partition("=")[0].lstrip("+") in TEXTS else word for word in words
    ]


def normalize(overrides: Iterable[str]) -> list[str]:
    """`init=he` is `initializer=he`, with whatever sigil stands before it; `regularizer=[]` is
    `regularizer=none`.
    """
    return [_readable(re.sub(MANY_EMPTY, r"\1=none", _unaliased(o))) for o in overrides]


def _unaliased(override: str) -> str:
    """With the name of its kind for the alias: `init=he` is `initializer=he`."""
    return re.sub(ALIASED, lambda m: m[1] + ALIASES[m[2]], override)


def _readable(text: str) -> str:
    """A path or an address as people type it, quoted where Hydra could not read it: `data.path=~/my
    table.csv`.
    """
    key, _, value = text.partition("=")
    if key.lstrip("+") not in TEXTS or len(text) > LONGEST:
        return text
    try:
        OverridesParser.create().parse_overrides([text])
    except (OverrideParseException, RecursionError):
        escaped = value.replace("'", "\\'")
        return f"{key}='{escaped}'"
    return text


def check(overrides: Sequence[str]) -> list[Override]:
    """Parse overrides; raise a `UserError` for the first that cannot be meant."""
    parser = OverridesParser.create()
    parsed = []
    for text in overrides:
        key, _, value = text.partition("=")
        try:
            if len(text) > LONGEST:
                raise UserError(
                    f"is longer than {LONGEST:,} characters", key=key[:80], where=COMMAND_LINE
                )
            (override,) = parser.parse_overrides([text])
        except OverrideParseException as e:
            wrong = (
                "an override is written key=value"
                if "=" not in text
                else f"cannot be read: {_why(e, key)}"
            )
            raise UserError(wrong, key=key, value=value or None, where=COMMAND_LINE) from None
        except RecursionError:
            raise UserError("is nested too deeply", key=key[:80], where=COMMAND_LINE) from None
        _check_one(override, text)
        parsed.append(override)
    return parsed


def _check_one(o: Override, text: str) -> None:
    key = o.key_or_group
    shown = text.partition("=")[2] if "=" in text else None

    def wrong(why: str, **more: str) -> UserError:
        return UserError(why, key=key, value=shown, where=COMMAND_LINE, **more)

    # which says it itself
    if shown is not None and cleaned_of(shown, shown) != shown and key != "tracking.uri":
        raise wrong(SECRET)
    try:
        check_references(shown or "")
    except UserError as e:
        raise wrong(e.message) from None
    if o.is_hydra_override():
        if key not in HYDRA_KEYS and not key.startswith(SWEPT):
            raise wrong(
                "this key of Hydra's is not open to the command line", allowed=", ".join(HYDRA_KEYS)
            )
        _check_hydras(o, key, wrong)
        return
    if o.type is OverrideType.DEL:
        raise wrong(
            "~ takes a part away, and a run needs every part; choose another option instead"
        )
    root, _, rest = key.partition(".")
    if o.package is not None:
        raise wrong(f"@{o.package}: a group stands in its own place only; leave the @ out")
    if root not in ROOT or "/" in key:
        raise wrong("there is no such key", allowed=", ".join(ROOT), hint=nearest(key, _all_keys()))
    if root == "study":
        raise wrong("what a study says and claims stands in its file, conf/experiment/<name>.yaml")
    if o.type is OverrideType.ADD or (o.type is OverrideType.FORCE_ADD and key in GROUPS):
        raise wrong("nothing can be added with +; every key exists already: leave the + out")
    if isinstance(o.value(), Glob):
        raise wrong("glob(…) chooses by the names of files; name the values themselves")
    if key in SWEEP and o.is_sweep_override():
        raise wrong("has one value for the whole sweep")
    if (
        "'" not in text
        and '"' not in text
        and key not in (*TEXTS, "sweep")
        and OCTAL.search(shown or "")
    ):
        raise wrong("a number does not begin with 0: to some it is octal")
    if not rest and root in GROUPS:
        for value in _values(o):
            _check_choice(root, value, wrong)


def _check_hydras(o: Override, key: str, wrong: Any) -> None:
    """Of Hydra's keys that are open, what they may be."""
    value = o.value()
    if "/" in key:
        known = [*LAUNCHERS] if key == "hydra/launcher" else [*SWEEPERS]
        if not isinstance(value, str) or not re.fullmatch(r"\w+", value):
            raise wrong("an option is a name", allowed=", ".join(known))
        if value not in known:
            group = key.partition("/")[2]
            hint = nearest(value, known)
            raise wrong(
                f"there is no {group} of that name in dlexp", allowed=", ".join(known), hint=hint
            )
    if o.is_sweep_override():
        raise wrong("has one value for the whole sweep")
    if key.startswith(SWEPT):
        _check_swept(key.removeprefix(SWEPT), value, wrong)
    elif o.type in (OverrideType.ADD, OverrideType.FORCE_ADD):
        raise wrong("nothing can be added with +; every key exists already: leave the + out")
    elif why := misfit(key, value):
        raise wrong(why)


def misfit(key: str, value: Any) -> str:
    """What is wrong with the value of a key of Hydra's; an empty string where nothing is, or Hydra
    says it itself.
    """
    fits, said = HYDRA_VALUES.get(key, (lambda _: True, ""))
    return "" if fits(value) else said


def _check_swept(key: str, value: Any, wrong: Any) -> None:
    """What `hydra.sweeper.params.<key>` says could be typed as `<key>`."""
    if key.partition(".")[0] not in ROOT or key == "study":
        raise wrong("there is no such key", allowed=", ".join(ROOT), hint=nearest(key, _all_keys()))
    if "." in key:  # Hydra would make a group of values of it
        raise wrong(f"say it without hydra.sweeper.params: {key}=…")
    try:
        check(normalize([f"{key}={value if isinstance(value, str) else json.dumps(value)}"]))
    except UserError as e:
        raise wrong(e.message, allowed=e.allowed, hint=e.hint) from None


def _check_choice(group: str, value: Any, wrong: Any) -> None:
    """A group's value is the name of an option; several names where the group takes several."""
    if isinstance(value, list) and group in kinds.MANY:
        for name in value:
            _check_name(group, name, wrong)
        if len(set(value)) < len(value) or ("none" in value and len(value) > 1):
            raise wrong("each name once, and none alone")
        return
    _check_name(group, value, wrong)


def _check_name(group: str, value: Any, wrong: Any) -> None:
    """The name of an option that is there, if its plugin is not broken."""
    if isinstance(value, list):
        raise wrong(
            f"{group} takes"
            f" {'names, not lists of them' if group in kinds.MANY else 'one option, not a list'}"
        )
    if value is None or value == "":
        instead = f"{group}=none" if "none" in options(group) else "one of its options"
        raise wrong(f"a run cannot be without: say {instead}")
    if not isinstance(value, str) or not re.fullmatch(r"[\w-]+", value):
        raise wrong(f"an option of {group} is a name", allowed=", ".join(options(group)))
    if error := discovery.broken(group, value):
        raise wrong(error.message)


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
        f"{kinds.key_of(cls)}.{f.name}"
        for kind in kinds.KINDS
        for cls in registry.every(kind)
        for f in fields(cls)  # type: ignore[arg-type]
    ]
    return [*ROOT, *deep]


def _why(e: Exception, key: str) -> str:
    """What the parser said, without the names of its own parts."""
    said = str(e).strip().splitlines()[0]
    if said.startswith("LexerNoViableAlt"):
        plain = re.fullmatch(r"[\w./@:+~-]*", key, re.ASCII)
        return (
            f"a value with such characters needs quotes: \"{key}='…'\""
            if plain
            else "no key has such characters"
        )
    if said.startswith("Error parsing"):
        return "it is neither a value nor a list of values"
    if said.startswith("mismatched input '<EOF>'"):
        return "it ends too early"
    return re.sub(r" expecting .*", "", said)[:200]
