"""Reads YAML files safely: checks size, encoding, depth and expansion before building objects.

YAML 1.1, which Hydra reads, takes `no` for false, `010` for 8 and `1:30` for 90. This is hardly
ever intended, so it is refused. A `${…}` that is not a plain reference to a key is refused as well,
here and on the command line, because a run would record the result.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from dlexp.errors import UserError

LARGEST = 2**18  # bytes: the largest study of ours has 20,000
DEEPEST = 50
TOO_DEEP = f"is nested more than {DEEPEST} levels deep"
MOST = 50_000  # values, references followed
TRAPS = {
    r"yes|no|on|off": "means {} to YAML: write true or false, or put it into quotes",
    r"[-+]?0[0-9_]*[0-9]": (
        "is read as an octal number: leave out the leading 0, or put it into quotes"
    ),
    r"[-+]?0[bx][0-9a-f_]+": "is not a decimal number: write it as one, or put it into quotes",
    r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?": (
        "is read in base 60, as minutes and seconds: put it into quotes"
    ),
}
# `${seed}` is allowed, a resolver is not, even with a composed name: `${oc.env:TOKEN}`,
# `${oc.${a}:TOKEN}`.
NO_KEY = re.compile(r"\$\{(?!\s*[\w.\[\]]+\s*\})[^}]*\}?")
_Fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(path: Path, shown: str) -> str:
    """The text of a file, which may begin with a byte-order mark.

    Raises `UserError` that begins with `shown` for a file that is too large, not UTF-8, not YAML,
    nested too deeply, expands too far, or has a value that YAML misreads.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as e:
        raise UserError(f"cannot be read: {e.strerror or e}", where=shown) from None
    if len(content) > LARGEST:
        raise UserError(f"is larger than {LARGEST:,} bytes: not a configuration", where=shown)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = content.count(b"\n", 0, e.start) + 1
        wrong = f"byte {e.object[e.start]:#04x} is not UTF-8; save the file as UTF-8"
        raise UserError(wrong, where=f"{shown}, line {line}") from None
    try:
        _check_events(text, shown)
    except yaml.YAMLError as e:
        raise _no_yaml(e, text, shown) from None
    return text


def check_references(text: str) -> None:
    """Raises `UserError` for a value that depends on more than the configuration itself."""
    if match := NO_KEY.search(text):
        wrong = (
            "a reference may only name another key, such as ${seed}: a run records"
            " its configuration"
        )
        raise UserError(f"{match[0][:60]}: {wrong}")


def construct(text: str, shown: str) -> Any:
    """The content of a text that `read` has returned. Raises `UserError` for repeated keys."""
    try:
        loader = _Once(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, TypeError) as e:
        raise _no_yaml(e, text, shown) from None


class _Once(yaml.SafeLoader):
    """The safe loader, which refuses a repeated key."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    wrong = f"the key {key.value} occurs twice"
                    raise yaml.constructor.ConstructorError(None, None, wrong, key.start_mark)
                seen.add(key.value)
        return dict(super().construct_mapping(node, deep=deep))


def _no_yaml(e: Exception, text: str, shown: str) -> UserError:
    mark = getattr(e, "problem_mark", None)
    line = mark.line + 1 if mark else text.count("\n", 0, getattr(e, "position", 0) or 0) + 1
    problem = getattr(e, "problem", None) or getattr(e, "reason", None) or str(e)
    hint = ": indent with spaces, not tabs" if "'\\t'" in str(problem) else ""
    # libyaml's own
    wrong = TOO_DEEP if "nesting depth" in str(problem) else f"is not valid YAML: {problem}{hint}"
    return UserError(wrong, where=f"{shown}, line {line}")


def _check_events(text: str, shown: str) -> None:
    """Go through the file's events, which needs no more memory than the file."""
    sizes: dict[str, int] = {}  # number of values that each reference expands to
    open_: list[tuple[str | None, int]] = []  # the enclosing anchors, with the count before each
    count = 0
    events: Any = yaml.parse(text, Loader=_Fast)
    for event in events:
        place = f"{shown}, line {event.start_mark.line + 1}"
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            open_.append((event.anchor, count))
            if len(open_) > DEEPEST:
                raise UserError(TOO_DEEP, where=place)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            anchor, before = open_.pop()
            if anchor:
                sizes[anchor] = count - before
        elif isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in open_):
                raise UserError(f"*{event.anchor} refers to itself", where=place)
            count += sizes.get(str(event.anchor), 0)
        elif isinstance(event, yaml.ScalarEvent):
            if event.anchor:
                sizes[event.anchor] = 1
            _check_scalar(event, place)
        count += 1
        if count > MOST:
            raise UserError(f"expands to more than {MOST:,} values", where=place)


def _check_scalar(event: Any, place: str) -> None:
    if (event.tag or "").startswith(("tag:yaml.org,2002:python", "!python")):
        raise UserError(f"{event.tag} names a Python object, which a file must not", where=place)
    try:
        check_references(event.value)
    except UserError as e:
        e.where = place
        raise
    if event.style or event.tag:  # in quotes, or with an explicit type
        return
    for pattern, why in TRAPS.items():
        if re.fullmatch(pattern, event.value, re.IGNORECASE):
            meant = "true" if event.value.lower() in ("yes", "on") else "false"
            raise UserError(f"{event.value} {why.format(meant)}", where=place)
