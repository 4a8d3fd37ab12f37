"""The identity of an experiment, and that of a recorded run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from dlexp.core.experiment import Experiment
from dlexp.core.identity import (
    NUMERICS,
    Identity,
    choices_of,
    is_settled,
    not_at_default,
    numerics_of,
    settled,
)
from dlexp.plugins import source_code
from dlexp.plugins.code_digest import SHORT
from dlexp.runs import provenance
from dlexp.storage.records import RunDescription

FRAMEWORK = "dlexp/"  # prefix of dlexp's own files in a run's `sources`


def of_experiment(e: Experiment) -> Identity:
    """The identity of a run of this experiment by this process."""
    code = {}
    for name, path in provenance.plugin_files(e).items():
        with suppress(OSError):  # defined in a notebook
            code[name] = _code(name, source_code.source(path))
    return Identity(NUMERICS, code, choices_of(e))


def _code(name: str, source: source_code.Source) -> str:
    digest = source.sha256[:SHORT]
    # a known file need not be parsed
    return settled(name, digest if is_settled(name, digest) else source.code)


def describe(e: Experiment) -> dict[str, Any]:
    """What run.json records of the identity, beside `params` and `defaults`."""
    identity = of_experiment(e)
    return {"numerics": identity.numerics, "code": dict(identity.code)}


def of_record(description: RunDescription) -> Identity | None:
    """The identity of a recorded run; None if its code was not recorded.

    Older runs recorded the digests of the files' bytes only. If the bytes of a plugin's file belong
    to no version of dlexp and differ from the present ones, its digest starts with `?`.
    """
    choices = not_at_default(description.params, description.defaults)
    if recorded := description.identity:
        code = {str(name): settled(name, str(d)) for name, d in recorded["code"].items()}
        return Identity(recorded["numerics"], code, choices)
    sources = {str(name): str(d) for name, d in description.sources.items()}
    if not sources:
        return None
    framework = {name: digest for name, digest in sources.items() if name.startswith(FRAMEWORK)}
    numerics, unknown = numerics_of(framework)
    code = {
        name: digest if is_settled(name, digest) else source_code.code_of(digest) or f"?{digest}"
        for name, digest in sources.items()
        if name not in framework
    }
    code = {name: settled(name, digest) for name, digest in code.items()}
    return Identity(numerics, code | {name: f"?{sources[name]}" for name in unknown}, choices)


def code_changes(before: Identity, now: Identity) -> Iterator[str]:
    """The files whose code changed, in words; none if only their names changed."""
    if sorted(before.code.values()) == sorted(now.code.values()):
        return
    for name in sorted({**before.code, **now.code}):
        if name not in now.code and not name.startswith(FRAMEWORK):
            yield f"{name} is gone"
        elif name not in before.code:
            yield f"{name} is new"
        elif before.code[name] != now.code.get(name):
            yield f"{name} was changed"
