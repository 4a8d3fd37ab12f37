"""Words the exceptions of Hydra and OmegaConf for the user who typed the command."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.errors import ConfigCompositionException, HydraException, MissingConfigException
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from dlexp.config.overrides import GROUPS, ROOT, options
from dlexp.config.where import chosen_in, typed_value, where
from dlexp.config.wording import known_words, plain
from dlexp.core import kinds
from dlexp.errors import UserError, nearest
from dlexp.plugins import discovery
from dlexp.tracking.settings import TRACKING

Files = Sequence[tuple[str, Path]]  # strongest first, each with the package of its keys


@contextmanager
def explained(overrides: Sequence[str], files: Files = ()) -> Iterator[None]:
    """Context manager: a user's mistake that Hydra or OmegaConf reports becomes a `UserError`.

    `files` are those read so far.
    """
    try:
        yield
    except Exception as e:
        if error := explain(e, overrides, files):
            raise error from None
        raise


def explain(error: Exception, overrides: Sequence[str], files: Files = ()) -> UserError | None:
    """The user's mistake, or None if it is not one."""
    cause = error.__cause__ or error.__context__
    if isinstance(error, UserError):
        return error
    if isinstance(error, MissingConfigException):
        return _missing(error, overrides, files)
    for e in (error, cause):
        if isinstance(e, YAMLError):
            return _yaml(e)
        if isinstance(e, OmegaConfBaseException) and e.full_key:
            return _value(e, overrides, files)
    if isinstance(error, (ConfigCompositionException, HydraException, OmegaConfBaseException)):
        return _composition(error)
    return None


def _missing(e: MissingConfigException, overrides: Sequence[str], files: Files) -> UserError:
    group, _, name = str(e.missing_cfg_file or "").strip("/").rpartition("/")
    if not group:
        return UserError(f"there is no configuration file {name}")
    place = where(group, overrides, files) or chosen_in(group, files)
    if broken := discovery.broken(group, name):
        return UserError(broken.message, key=group, value=name, where=place)
    known = sorted(e.options or options(group))
    return UserError(
        f"there is no {group} of that name",
        key=group,
        value=name,
        where=place,
        allowed=", ".join(known),
        hint=nearest(name, known),
    )


def _yaml(e: YAMLError) -> UserError:
    mark = getattr(e, "problem_mark", None)
    place = f"{Path(mark.name).name}, line {mark.line + 1}" if mark else "a configuration file"
    return UserError(f"is not valid YAML: {getattr(e, 'problem', None) or e}", where=place)


def _value(e: OmegaConfBaseException, overrides: Sequence[str], files: Files) -> UserError:
    """A key that does not exist, or a value of the wrong type."""
    key = re.sub(r"\[\d+\]$", "", str(e.full_key))  # an element of a list is reported as the list
    place = where(key, overrides, files)
    value = typed_value(key, overrides)
    message = str(e).splitlines()[0]
    if words := known_words(message):
        return UserError(words, key=key, value=value, where=place)
    kind, _, name = key.partition(".")
    owner = e.object_type
    if name and re.match(r"Key '.*' (is )?not in ", message) and dataclasses.is_dataclass(owner):
        return no_such_field(key, value, place, owner, overrides)
    if kind in kinds.MANY and name and name.partition(".")[0] not in options(kind):
        known = options(kind)
        wrong = (
            f"there is no {kind} called {name.partition('.')[0]}; its values are set as"
            f" {kind}.<name>.<value>"
        )
        return UserError(
            wrong,
            key=key,
            value=value,
            where=place,
            allowed=", ".join(known),
            hint=nearest(name, known),
        )
    if kind in kinds.MANY and name:
        chosen = typed_value(kind, overrides)
        missed = f" by {kind}={chosen}" if chosen else ""
        wrong = (
            f"is configured but not selected{missed}: use {kind}={name.partition('.')[0]}, or a"
            " list with it"
        )
        typed = next((o.lstrip("+") for o in overrides if o.lstrip("+").startswith(f"{key}.")), key)
        return UserError(
            wrong, key=typed.partition("=")[0], value=typed.partition("=")[2] or None, where=place
        )
    if key in GROUPS:
        known = options(key)
        wrong = f"there is no {key} of that name"
        if not known:
            wrong += f": write <folder>/{key}/{value}.yaml and use --config-dir <folder>"
        return UserError(wrong, key=key, value=value, where=place, allowed=", ".join(known))
    if re.match(r"Key '.*' (is )?not in ", message) and dataclasses.is_dataclass(
        owner := e.object_type
    ):
        return no_such_field(key, value, place, owner, overrides)
    return UserError(plain(e), key=key, value=value, where=place)


def no_such_field(
    key: str, value: Any, place: str, owner: Any, overrides: Sequence[str]
) -> UserError:
    """`optimizer.lrr=1 (command line): adam has no field lrr; choose from …`"""
    known = [f.name for f in dataclasses.fields(owner)]
    last = key.rpartition(".")[2]
    if key.startswith("hydra.sweeper."):
        return UserError(
            "exists only in a search: use hydra/sweeper=random or hydra/sweeper=tpe",
            key=key,
            value=value,
            where=place,
        )
    if owner.__name__ == "Schema":
        allowed, hint = ", ".join(ROOT), nearest(key, ROOT)
        return UserError(
            "there is no such key", key=key, value=value, where=place, allowed=allowed, hint=hint
        )
    return UserError(
        f"{_option(key, owner, overrides)} has no field {last}",
        key=key,
        value=value,
        where=place,
        allowed=", ".join(known),
        hint=nearest(last, known),
    )


def _option(key: str, owner: Any, overrides: Sequence[str]) -> str:
    """The option of a class, as it was chosen: it may be a variant with its own values."""
    group = key.partition(".")[0]
    chosen = typed_value(group, overrides) if group in GROUPS and group not in kinds.MANY else None
    named = {cls: name for name, cls in TRACKING.items()} if group == "tracking" else {}
    return chosen or named.get(owner) or str(getattr(owner, "name", owner.__name__))


def _composition(e: Exception) -> UserError:
    lines = [line for line in str(e).strip().splitlines() if line.strip()]
    place = re.match(r"In '(.*)': ", lines[0]) if len(lines) > 1 else None
    if place:  # what is wrong follows
        return UserError(lines[1].strip(), where=f"{place[1]}.yaml")
    return UserError(lines[0] if lines else type(e).__name__)
