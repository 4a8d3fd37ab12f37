"""Checks overrides before Hydra sees them; each mistake is reported in one line."""

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
    "may hold a password, which every run would record: leave it out, and let the code that"
    " needs it read it from the environment"
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
# The keys of Hydra that cannot name code to run.
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
# these take any text
TEXTS = ("data.path", "data.folder", "data.label", "tracking.uri", "tracking.experiment")
OCTAL = re.compile(r"(?:^|[,\[({:])\s*[-+]?0\d+\s*(?:$|[,\])}:])")
SWEPT = "hydra.sweeper.params."  # before a key: what a study sweeps; a + is allowed


def _is_verbose(value: Any) -> bool:
    names = value if isinstance(value, list) else [value]
    return isinstance(value, bool) or all(
        isinstance(v, str) and re.fullmatch(r"[\w.-]+", v) for v in names
    )


# What Hydra does not check itself: a test of the value, and the message if it fails.
HYDRA_VALUES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "hydra.mode": (lambda value: value in ("RUN", "MULTIRUN", None), "must be RUN or MULTIRUN"),
    "hydra.verbose": (_is_verbose, "must be true, false, or names of loggers: [hydra,matplotlib]"),
    "hydra.launcher.n_jobs": (
        lambda value: type(value) is not int or value >= 1,
        "must be at least 1, or null for one per processor",
    ),
}


def typed(words: Iterable[str]) -> list[str]:
    """Decode texts such as paths as UTF-8, like files, whatever the locale of the command line."""
    return [
        in_utf8(word) if word.partition("=")[0].lstrip("+") in TEXTS else word for word in words
    ]


def normalize(overrides: Iterable[str]) -> list[str]:
    """Resolve aliases: `init=he` is `initializer=he`; `regularizer=[]` is `regularizer=none`."""
    return [_readable(re.sub(MANY_EMPTY, r"\1=none", _unaliased(o))) for o in overrides]


def _unaliased(override: str) -> str:
    """With the name of the kind instead of its alias: `init=he` is `initializer=he`."""
    return re.sub(ALIASED, lambda m: m[1] + ALIASES[m[2]], override)


def _readable(text: str) -> str:
    """Quote a path or an address that Hydra could not parse: `data.path=~/my table.csv`."""
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
    """Parse overrides. Raises `UserError` for the first invalid one."""
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

    # this key has its own message
    if shown is not None and cleaned_of(shown, shown) != shown and key != "tracking.uri":
        raise wrong(SECRET)
    try:
        check_references(shown or "")
    except UserError as e:
        raise wrong(e.message) from None
    if o.is_hydra_override():
        if key not in HYDRA_KEYS and not key.startswith(SWEPT):
            raise wrong(
                "this key of Hydra cannot be set on the command line", allowed=", ".join(HYDRA_KEYS)
            )
        _check_hydras(o, key, wrong)
        return
    if o.type is OverrideType.DEL:
        raise wrong("~ removes a part, but a run needs every part; choose another option instead")
    root, _, rest = key.partition(".")
    if o.package is not None:
        raise wrong(f"@{o.package}: a group cannot be moved to another place; leave the @ out")
    if root not in ROOT or "/" in key:
        raise wrong("there is no such key", allowed=", ".join(ROOT), hint=nearest(key, _all_keys()))
    if root == "study":
        raise wrong("is set only in the study's file, conf/experiment/<name>.yaml")
    if o.type is OverrideType.ADD or (o.type is OverrideType.FORCE_ADD and key in GROUPS):
        raise wrong("+ adds a key, but every key exists already: leave the + out")
    if isinstance(o.value(), Glob):
        raise wrong("glob(…) matches names of files; list the values themselves")
    if key in SWEEP and o.is_sweep_override():
        raise wrong("cannot be swept: it has one value for the whole sweep")
    if (
        "'" not in text
        and '"' not in text
        and key not in (*TEXTS, "sweep")
        and OCTAL.search(shown or "")
    ):
        raise wrong("a number must not begin with 0: it could be read as octal")
    if not rest and root in GROUPS:
        for value in _values(o):
            _check_choice(root, value, wrong)


def _check_hydras(o: Override, key: str, wrong: Any) -> None:
    """Check the value of an allowed key of Hydra."""
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
        raise wrong("cannot be swept: it has one value for the whole sweep")
    if key.startswith(SWEPT):
        _check_swept(key.removeprefix(SWEPT), value, wrong)
    elif o.type in (OverrideType.ADD, OverrideType.FORCE_ADD):
        raise wrong("+ adds a key, but every key exists already: leave the + out")
    elif why := misfit(key, value):
        raise wrong(why)


def misfit(key: str, value: Any) -> str:
    """What is wrong with the value of a Hydra key; empty if nothing is, or Hydra reports it."""
    fits, message = HYDRA_VALUES.get(key, (lambda _: True, ""))
    return "" if fits(value) else message


def _check_swept(key: str, value: Any, wrong: Any) -> None:
    """Check that `hydra.sweeper.params.<key>` has a value that could be typed as `<key>`."""
    if key.partition(".")[0] not in ROOT or key == "study":
        raise wrong("there is no such key", allowed=", ".join(ROOT), hint=nearest(key, _all_keys()))
    if "." in key:  # Hydra would make a group of values of it
        raise wrong(f"leave out hydra.sweeper.params: {key}=…")
    try:
        check(normalize([f"{key}={value if isinstance(value, str) else json.dumps(value)}"]))
    except UserError as e:
        raise wrong(e.message, allowed=e.allowed, hint=e.hint) from None


def _check_choice(group: str, value: Any, wrong: Any) -> None:
    """Check that a group's value is the name of an option, or names where several are allowed."""
    if isinstance(value, list) and group in kinds.MANY:
        for name in value:
            _check_name(group, name, wrong)
        if len(set(value)) < len(value) or ("none" in value and len(value) > 1):
            raise wrong("each name may occur once, and `none` only alone")
        return
    _check_name(group, value, wrong)


def _check_name(group: str, value: Any, wrong: Any) -> None:
    """Check that an option exists and that its plugin can be loaded."""
    if isinstance(value, list):
        raise wrong(
            f"{group} takes"
            f" {'names, not lists of them' if group in kinds.MANY else 'one option, not a list'}"
        )
    if value is None or value == "":
        instead = f"{group}=none" if "none" in options(group) else "one of its options"
        raise wrong(f"is required: use {instead}")
    if not isinstance(value, str) or not re.fullmatch(r"[\w-]+", value):
        raise wrong(f"an option of {group} is a name", allowed=", ".join(options(group)))
    if error := discovery.broken(group, value):
        raise wrong(error.message)


def options(group: str) -> list[str]:
    """The options of a group that dlexp ships or that plugin folders have."""
    names = [cls.name for cls in registry.every(group)] if group in kinds.KINDS else []
    names += TRACKING if group == "tracking" else []
    return sorted({*names, *(p.stem for p in (CONF / group).glob("*.yaml"))})


def _values(o: Override) -> list[Any]:
    """All values of an override: one, or those of a sweep."""
    value = o.value()
    if isinstance(value, (ChoiceSweep, RangeSweep)):
        return list(o.sweep_iterator(transformer=lambda v: Override._convert_value(v)))
    return [value]


def _all_keys() -> list[str]:
    """Root keys and the fields of every plugin: the candidates for a mistyped key."""
    deep = [
        f"{kinds.key_of(cls)}.{f.name}"
        for kind in kinds.KINDS
        for cls in registry.every(kind)
        for f in fields(cls)  # type: ignore[arg-type]
    ]
    return [*ROOT, *deep]


def _why(e: Exception, key: str) -> str:
    """The parser's message without the names of its own parts."""
    message = str(e).strip().splitlines()[0]
    if message.startswith("LexerNoViableAlt"):
        plain = re.fullmatch(r"[\w./@:+~-]*", key, re.ASCII)
        return (
            f"a value with such characters needs quotes: \"{key}='…'\""
            if plain
            else "no key has such characters"
        )
    if message.startswith("Error parsing"):
        return "it is neither a value nor a list of values"
    if message.startswith("mismatched input '<EOF>'"):
        return "it ends too early"
    return re.sub(r" expecting .*", "", message)[:200]
