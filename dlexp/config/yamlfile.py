"""A YAML file from anywhere: its size, its letters, its depth and what it unfolds to are known
before it is made.

YAML 1.1, which Hydra reads, takes `no` for false, `010` for 8 and `1:30` for 90. Nobody means that;
it is refused. So is a `${…}` that asks for more than another key, here and on the command line: a
run would write the answer down.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from dlexp.errors import UserError

LARGEST = 2**18  # bytes: a study of ours has 20,000
DEEPEST = 50
TOO_DEEP = f"is nested more than {DEEPEST} levels deep"
MOST = 50_000  # values, references followed
TRAPS = {
    r"yes|no|on|off": "means {} to YAML: write true or false, or put it into quotes",
    r"[-+]?0[0-9_]*[0-9]": (
        "is read as an octal number: leave out the 0 before it, or put it into quotes"
    ),
    r"[-+]?0[bx][0-9a-f_]+": "is no decimal number: write it as one, or put it into quotes",
    r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?": (
        "is read in base 60, as minutes and seconds: put it into quotes"
    ),
}
# `${seed}` and no resolver, not one whose name is put together either: `${oc.env:TOKEN}`,
# `${oc.${a}:TOKEN}`.
NO_KEY = re.compile(r"\$\{(?!\s*[\w.\[\]]+\s*\})[^}]*\}?")
_Fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(path: Path, shown: str) -> str:
    """The text of a file, which may begin with a byte-order mark.

    Raises `UserError` that begins with `shown` for one that is too large, not UTF-8, no YAML,
    nested too deeply, unfolds to too much, or says something that YAML takes for something else.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as e:
        raise UserError(f"cannot be read: {e.strerror or e}", where=shown) from None
    if len(content) > LARGEST:
        raise UserError(f"is larger than {LARGEST:,} bytes, which is no configuration", where=shown)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = content.count(b"\n", 0, e.start) + 1
        wrong = f"byte {e.object[e.start]:#04x} is not UTF-8; save the file as UTF-8"
        raise UserError(wrong, where=f"{shown}, line {line}") from None
    try:
        _look_through(text, shown)
    except yaml.YAMLError as e:
        raise _no_yaml(e, text, shown) from None
    return text


def check_references(text: str) -> None:
    """Raises `UserError` for a value that would be worked out of more than the configuration
    itself.
    """
    if found := NO_KEY.search(text):
        wrong = (
            "a reference names another key, as ${seed} does, and nothing else: a run writes down"
            " what it was asked"
        )
        raise UserError(f"{found[0][:60]}: {wrong}")


def construct(text: str, shown: str) -> Any:
    """What a text that `read` has returned holds. Raises `UserError` for keys that stand there
    twice.
    """
    try:
        loader = _Once(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, TypeError) as e:
        raise _no_yaml(e, text, shown) from None


class _Once(yaml.SafeLoader):
    """The safe loader, which sees each key once."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    wrong = f"the key {key.value} stands there twice"
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


def _look_through(text: str, shown: str) -> None:
    """Go through the file's events, which takes no more memory than the file."""
    sizes: dict[str, int] = {}  # what each reference unfolds to
    open_: list[tuple[str | None, int]] = []  # the anchors around, with the count before them
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
                raise UserError(f"*{event.anchor} stands inside itself", where=place)
            count += sizes.get(str(event.anchor), 0)
        elif isinstance(event, yaml.ScalarEvent):
            if event.anchor:
                sizes[event.anchor] = 1
            _check_scalar(event, place)
        count += 1
        if count > MOST:
            raise UserError(f"unfolds to more than {MOST:,} values", where=place)


def _check_scalar(event: Any, place: str) -> None:
    if (event.tag or "").startswith(("tag:yaml.org,2002:python", "!python")):
        raise UserError(f"{event.tag} names a thing of Python's, which no file may", where=place)
    try:
        check_references(event.value)
    except UserError as e:
        e.where = place
        raise
    if event.style or event.tag:  # in quotes, or with its type beside it
        return
    for pattern, why in TRAPS.items():
        if re.fullmatch(pattern, event.value, re.IGNORECASE):
            meant = "true" if event.value.lower() in ("yes", "on") else "false"
            raise UserError(f"{event.value} {why.format(meant)}", where=place)
