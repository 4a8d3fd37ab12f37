"""Where things are: what dlexp ships, and where a user's runs go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def _shipped(name: str) -> Path:
    """A folder that travels inside the package in a wheel, and stands beside it in a checkout."""
    return next(p for p in (_HERE / f"_{name}", _HERE.parent / name) if p.is_dir())


CONF = _shipped("conf")
PLUGINS = _shipped("plugins")


def native(text: str) -> str:
    """A name of a file, which is UTF-8 in all that dlexp reads and writes, as this process says it to the system.

    That is another one only where the locale has few letters (`LC_ALL=C`).

    >>> native("/home/ann/mlflow.db")
    '/home/ann/mlflow.db'
    """
    return os.fsdecode(text.encode("utf-8", "surrogateescape"))


def in_utf8(name: str | Path) -> str:
    """Inverse of `native`: what the system or a command line says, as dlexp writes it down."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def expanded(path: str) -> Path:
    """The path with its ~ spelled out; as it stands where nobody is called so.

    >>> expanded("~no_such_user/x").as_posix()
    '~no_such_user/x'
    """
    try:
        return Path(native(path)).expanduser()
    except RuntimeError:
        return Path(native(path))


def outputs() -> Path:
    """Where runs are kept: the environment variable `DLEXP_OUTPUTS`, or `outputs` in the working folder."""
    return expanded(os.environ.get("DLEXP_OUTPUTS") or "outputs").absolute()


@contextmanager
def outputs_at(folder: Path) -> Iterator[None]:
    """Inside, runs are kept in another folder, by this process and those it starts."""
    before = os.environ.get("DLEXP_OUTPUTS")
    if folder.resolve() != outputs().resolve():
        os.environ["DLEXP_OUTPUTS"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("DLEXP_OUTPUTS", None) if before is None else os.environ.update(DLEXP_OUTPUTS=before)
