"""What makes two runs the same run, and two commands the same sweep.

A run's key covers all that can change its numbers: its parameters, the source of its plugins and of dlexp's numeric
rooms, the files its data are read from. Observers, tracking, paths of outputs and the number of workers do not count.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from dlexp import (
    arrays,
    dataset,
    directions,
    experiment,
    layers,
    loss,
    network,
    params,
    pieces,
    problem,
    stopping,
    surface,
    trainer,
)
from dlexp.experiment import Experiment

NUMERIC_ROOMS = (
    arrays, dataset, directions, experiment, layers, loss, network, params, pieces, problem, stopping, surface, trainer
)  # fmt: skip
SILENT_KEYS = ("observer", "tracking", "checkpoint", "sweep", "max_jobs", "hydra")  # these change no number


def run_key(e: Experiment) -> str:
    """A run's identity: sixteen hexadecimal digits. Raises `OSError` where a data file cannot be read."""
    sources = {_source(cls) for _, chosen in e.plugins() for p in chosen if p.kind != "observer" for cls in _line(p)}
    files = [] if "data" in e.objective.ignores else [_digest_of(path) for path in e.data.files()]
    said = [e.params(), sorted(_digest_of(path) for path in sources), _numeric_core(), files]
    return _digest(json.dumps(said, sort_keys=True, default=str))


def sweep_id(fixed: Iterable[str], swept: Iterable[str], by: str = "grid", study: str = "") -> str:
    """A sweep without a name is known by what is fixed, by which keys are swept, and how: more values extend it.

    `study` is the digest of the named study's file, if there is one: an edited study is another sweep.
    """
    fixed = sorted(o for o in fixed if not _root(o).startswith(SILENT_KEYS))
    rest = [*([by] if by != "grid" else []), *([study] if study else [])]
    return _digest(json.dumps([fixed, sorted(swept), *rest]))[:12]


def _line(p: object) -> Sequence[type]:
    """A plugin's class and those it is made of, as far as they are dlexp's or the user's."""
    return [cls for cls in type(p).__mro__ if cls.__module__ not in ("builtins", "abc")]


@cache
def _source(cls: type) -> Path:
    return Path(inspect.getfile(cls))


@cache
def _numeric_core() -> str:
    return _digest("".join(inspect.getsource(room) for room in NUMERIC_ROOMS))


def _digest_of(path: Path) -> str:
    """The SHA-256 of a file's content, remembered as long as the file's size and time stay."""
    status = path.stat()
    return _content(path, status.st_size, status.st_mtime_ns)


@cache
def _content(path: Path, size: int, time_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _root(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
