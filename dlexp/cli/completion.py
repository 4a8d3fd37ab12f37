"""Candidates for the completion of shells; fast, so without Hydra.

A candidate that ends in `=`, `.` or `/` is incomplete: the shells' scripts write no space after it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from click.shell_completion import CompletionItem, ShellComplete

from dlexp import paths
from dlexp.cli import verbs, vocabulary
from dlexp.core import kinds, registry
from dlexp.plugins import discovery
from dlexp.storage.find import all_runs, all_sweeps
from dlexp.storage.records import is_sweep

GROUPS = (*kinds.KINDS, "tracking", "experiment")
CONFIG_DIR = ("--config-dir", "-cd")
Candidate = tuple[str, str]  # a word and its description


def candidates(before: Sequence[str], word: str) -> list[Candidate]:
    """The possible completions of `word` after the words `before`."""
    with discovery.quietly(), redirect_stdout(io.StringIO()):  # a plugin may print
        if before and before[0] in verbs.names():
            pairs: Iterable[Candidate] = _of_verb(before[0], before[1:], word)
        else:
            pairs = _of_training(before, word)
        return [*{value: (value, text) for value, text in pairs if value.startswith(word)}.values()]


def _of_verb(name: str, before: Sequence[str], word: str) -> Iterator[Candidate]:
    head = word[: word.index("=") + 1] if re.match("--[^=]*=", word) else ""
    for item in ShellComplete(verbs.load(name), {}, name, "").get_completions([*before], word):
        if item.type == "plain":  # the shell completes files itself
            yield head + item.value, " ".join((item.help or "").split())


def _of_training(before: Sequence[str], word: str) -> Iterator[Candidate]:
    last = before[-1] if before else ""
    flag = {"-c": "--cfg", "-i": "--info"}.get(last, last)
    if flag in vocabulary.FLAG_VALUES:
        yield from ((value, "") for value in vocabulary.FLAG_VALUES[flag])
    elif flag in (*CONFIG_DIR, "--package", "-p"):
        return
    elif word.startswith("-"):
        yield from vocabulary.FLAGS.items()
    else:
        if not before:
            yield from ((name, verbs.summary(name)) for name in verbs.names())
        yield from overrides(before, word)


def overrides(before: Sequence[str], word: str) -> Iterator[Candidate]:
    """The completions of a word of the form `key=value`."""
    signs = word[: len(word) - len(word.lstrip("+~"))]
    key, equals, value = word[len(signs) :].partition("=")
    if equals:
        pairs = _values(before, key, value)
    elif "." in key:
        pairs = _fields(before, key)
    else:
        pairs = _keys(before, key)
    yield from ((signs + begun, text) for begun, text in pairs)
    if not equals and key.startswith("hyd"):
        from dlexp.config.overrides import HYDRA_KEYS  # its import is slow, as it loads Hydra

        yield from ((f"{signs}{name}=", "") for name in HYDRA_KEYS)


def _keys(before: Sequence[str], begun: str) -> Iterator[Candidate]:
    """Groups and plain keys, and the prefixes of those that have fields."""
    meaning = vocabulary.meanings()
    for group in GROUPS:
        yield f"{group}=", meaning.get(group, "")
        # before the first letter, looking at all plugins would take too long
        if begun and group.startswith(begun) and _owners(before, group):
            yield f"{group}.", f"values of {group}"
    yield "init=", meaning.get("initializer", "")
    for key in vocabulary.plain_keys().values():
        section, dot, _ = key.name.partition(".")
        yield (
            (f"{section}.", f"values of {section}") if dot else (f"{key.name}=", _description(key))
        )


def _fields(before: Sequence[str], typed: str) -> Iterator[Candidate]:
    """The fields of the chosen options."""
    group = _group(typed.partition(".")[0])
    for option, owner in _owners(before, group).items():
        prefix = vocabulary.prefix_of(group, option)
        pairs = vocabulary.keys_of(owner, prefix)
        if pairs and group in kinds.MANY and not typed.startswith(prefix):
            yield prefix, f"values of {option}"
        else:
            yield from ((f"{key.name}=", _description(key)) for key in pairs)
    for key in vocabulary.plain_keys().values():
        if key.name.startswith(f"{group}."):
            yield f"{key.name}=", _description(key)


def _values(before: Sequence[str], typed: str, value: str) -> Iterator[Candidate]:
    """The options of a group, after a list or sweep that has been begun; the choices of a key."""
    group, home = _group(typed), _home(before)
    if group in GROUPS:
        begun = re.sub(r"[\w-]*$", "", value)
        used = set(re.findall(r"[\w-]+", begun))
        for option, text in _options(group, home).items():
            if option not in used:
                yield f"{typed}={begun}{option}", text
    elif typed == "sweep":
        yield from ((f"{typed}={name}", "") for name in sweep_names())
    elif typed in ("hydra/launcher", "hydra/sweeper"):
        from dlexp.config.hydra_groups import LAUNCHERS, SWEEPERS

        known = LAUNCHERS if typed == "hydra/launcher" else SWEEPERS
        yield from ((f"{typed}={name}", "") for name in known)
    else:
        for key in _known_keys(before, typed):
            yield from ((f"{typed}={choice}", "") for choice in key.choices)


def _known_keys(before: Sequence[str], typed: str) -> Iterator[vocabulary.Key]:
    if key := vocabulary.plain_keys().get(typed):
        yield key
    group = typed.partition(".")[0]
    for option, owner in _owners(before, group).items():
        prefix = vocabulary.prefix_of(group, option)
        yield from (key for key in vocabulary.keys_of(owner, prefix) if key.name == typed)


def _options(group: str, home: Path | None = None) -> dict[str, str]:
    """The options of a group, each with its summary."""
    discovery.discover()
    named = {name: _summary(cls.__doc__) for name, cls in vocabulary.owners(group).items()}
    for path in vocabulary.files(group, home):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        named[path.stem] = next((x[1:].strip() for x in lines if re.match("#(?! @)", x)), "")
    return named


def _owners(before: Sequence[str], group: str) -> dict[str, type]:
    """The chosen or default options of a group, each with its class; a study may choose any."""
    if group not in (*kinds.KINDS, "tracking"):
        return {}
    discovery.discover()
    chosen = [
        option
        for key, _, value in (word.lstrip("+~").partition("=") for word in before)
        if _group(key) == group
        for option in re.findall(r"[\w-]+", value)
    ]
    if not chosen and any(word.startswith("experiment=") for word in before):
        return vocabulary.owners(group)
    named = chosen or vocabulary.default_options().get(group, [])
    pairs = {name: vocabulary.owner_of(group, name, _home(before)) for name in named}
    return {name: cls for name, cls in pairs.items() if cls is not None}


def _group(key: str) -> str:
    return "initializer" if key == "init" else key


def _home(before: Sequence[str]) -> Path | None:
    """The folder that `--config-dir` names."""
    for flag, value in zip(before, [*before[1:], ""], strict=False):
        if flag in CONFIG_DIR and value:
            return paths.expanded(value)
        if flag.startswith("--config-dir="):
            return paths.expanded(flag.partition("=")[2])
    return None


def _description(key: vocabulary.Key) -> str:
    """`passes over the training split (default 50)`."""
    return f"{key.meaning or key.range} (default {key.default})".strip()


def _summary(text: str | None) -> str:
    return " ".join((text or "").strip().partition("\n\n")[0].split())


def run_names(*_: Any) -> list[CompletionItem[str]]:
    """The runs under outputs/ that belong to no sweep, the newest first."""
    single = [f for f in all_runs() if not is_sweep(f.parents[1])]
    return _items("run", [folder.name for folder in reversed(single)])


def run_and_sweep_names(*_: Any) -> list[CompletionItem[str]]:
    """Runs and sweeps that `resume` can continue."""
    return [*run_names(), *_items("sweep", sweep_names())[1:]]


def sweep_names(*_: Any) -> list[str]:
    """The sweeps under outputs/."""
    return [folder.name for folder in all_sweeps()]


def _items(what: str, names: Sequence[str]) -> list[CompletionItem[str]]:
    known = [CompletionItem(name, help=what) for name in names]
    return [CompletionItem("last", help="the latest one"), *known]


def studies_or_overrides(context: Any, _: Any, word: str) -> list[CompletionItem[str]]:
    """Completions for `claims`."""
    home = context.params.get("config_dir")
    pairs = [*_options("experiment", home).items(), *overrides((), word)]
    return [CompletionItem(value, help=text) for value, text in pairs]


def observer_overrides(context: Any, _: Any, word: str) -> list[CompletionItem[str]]:
    """Completions for `probe`."""
    before = context.params.get("overrides") or ()
    pairs = [(v, text) for v, text in overrides(before, word) if v.startswith("observer")]
    return [CompletionItem(value, help=text) for value, text in pairs]


def topics(*_: Any) -> list[CompletionItem[str]]:
    """Completions for `help`."""
    discovery.discover()
    named = {name: verbs.summary(name) for name in verbs.names()}
    named |= dict.fromkeys(GROUPS, "group")
    named |= {cls.name: _summary(cls.__doc__) for cls in registry.every()}
    named |= {p.stem: p.parent.name for group in GROUPS for p in vocabulary.files(group)}
    named |= {key.name: _description(key) for key in vocabulary.plain_keys().values()}
    named |= {key.name: f"of {option}" for _, option, key in vocabulary.option_keys()}
    return [CompletionItem(name, help=text) for name, text in named.items()]
