"""Where shipped files, outputs and caches are."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlexp.errors import UserError

_HERE = Path(__file__).resolve().parent


def _shipped(name: str) -> Path:
    """A folder that is inside the package in a wheel, and beside it in a checkout."""
    return next(p for p in (_HERE / f"_{name}", _HERE.parent / name) if p.is_dir())


CONF = _shipped("conf")
PLUGINS = _shipped("plugins")


def native(text: str) -> str:
    """A file name in UTF-8, as dlexp reads and writes it, in the form for the system.

    The two differ only in a locale with few letters (`LC_ALL=C`).

    >>> native("/home/ann/mlflow.db")
    '/home/ann/mlflow.db'
    """
    return os.fsdecode(text.encode("utf-8", "surrogateescape"))


def in_utf8(name: str | Path) -> str:
    """Inverse of `native`: a name from the system or a command line, in UTF-8."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def expanded(path: str) -> Path:
    """The path with ~ expanded; unchanged if there is no such user.

    >>> expanded("~no_such_user/x").as_posix()
    '~no_such_user/x'
    """
    try:
        return Path(native(path)).expanduser()
    except RuntimeError:
        return Path(native(path))


def outputs() -> Path:
    """The outputs folder: the environment variable `DLEXP_OUTPUTS`, or `outputs`.

    Raises `UserError` for a ~ without a home folder, and `OSError` for a name that is too long for
    the system (`Path.exists` hides that from Python 3.14 on).
    """
    named = os.environ.get("DLEXP_OUTPUTS") or "outputs"
    folder = expanded(named)
    if named.startswith("~") and str(folder).startswith("~"):
        wrong = "there is no such home folder: give the whole path, or ./~ for a folder named ~"
        raise UserError(wrong, key="DLEXP_OUTPUTS", value=named, where="environment")
    try:
        folder.stat()
    except OSError as e:
        if e.errno == errno.ENAMETOOLONG:
            raise
    return folder.absolute()


def cache() -> Path:
    """The cache of fetched files: the environment variable `DLEXP_CACHE`, or the user's cache.

    If neither exists or can be created (a container's uid without a home folder), the cache is in
    the outputs folder.
    """
    if own := os.environ.get("DLEXP_CACHE"):
        return expanded(own)
    from platformdirs import user_cache_dir

    try:
        usual = Path(user_cache_dir("dlexp", appauthor=False))
    except RuntimeError:  # this user has no home folder
        return outputs() / "cache" / "dlexp"
    return usual if usual.is_dir() or _can_be_made(usual) else outputs() / "cache" / "dlexp"


def _can_be_made(folder: Path) -> bool:
    nearest = next(p for p in folder.parents if p.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def substitutes() -> dict[str, str]:
    """Environment variables to add where the user has no home folder.

    MLflow needs a home folder when it is imported: it gets `/`. matplotlib and fontconfig get a
    cache for fonts, because otherwise each process would search all of them.
    """
    try:
        if os.access(Path.home(), os.W_OK):
            return {}
        added = {}
    except RuntimeError:
        added = {"HOME": os.sep}
    kept = outputs() / "cache"
    if cache() == kept / "dlexp":
        wanted = {"XDG_CACHE_HOME": kept, "MPLCONFIGDIR": kept / "matplotlib"}
        added |= {name: str(folder) for name, folder in wanted.items() if not os.environ.get(name)}
    return added


@contextmanager
def outputs_at(folder: Path) -> Iterator[None]:
    """Inside, this process and its children keep runs in another folder."""
    before = os.environ.get("DLEXP_OUTPUTS")
    if folder.resolve() != outputs().resolve():
        os.environ["DLEXP_OUTPUTS"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("DLEXP_OUTPUTS", None)
        if before is not None:
            os.environ["DLEXP_OUTPUTS"] = before


RUNS, SWEEPS = "runs", "sweeps"  # the folders of an outputs folder


def home(path: Path) -> Path | None:
    """The outputs folder that contains a path, by its text alone; None if there is none."""
    whole, ours = _without_dots(path), outputs()
    if ours in whole.parents and whole.relative_to(ours).parts[0] in (RUNS, SWEEPS):
        return ours
    for folder in (whole, *whole.parents):
        if folder == ours:
            return ours
        if folder.name == RUNS and folder.parent.parent.name == SWEEPS:
            return folder.parents[2]
        if folder.name in (RUNS, SWEEPS):
            return folder.parent
    return None


def _without_dots(path: Path) -> Path:
    """The absolute path without `..`; links before a `..` are followed, none behind it."""
    whole = path.absolute()
    if ".." not in whole.parts:
        return whole
    last = len(whole.parts) - whole.parts[::-1].index("..")
    return Path(os.path.realpath(Path(*whole.parts[:last])), *whole.parts[last:])


def leads_out(path: Path) -> str:
    """The real path, if a symbolic link leads out of the outputs folder; else empty.

    The outputs folder may itself be a link, and links inside it may lead to places inside it.
    """
    base = home(path)
    if base is None:
        return ""
    real = Path(os.path.realpath(path))
    return "" if Path(os.path.realpath(base)) in (real, *real.parents) else str(real)


def check_inside(path: Path) -> None:
    """Call before writing. Raises `OSError` if a link leads out of the outputs folder."""
    if out := leads_out(path):
        wrong = f"a link leads out of the outputs folder, to {out}, and nothing is written there"
        raise OSError(errno.ELOOP, f"{wrong}: replace it by a copy", str(path))


def made(folder: Path) -> Path:
    """The folder, created if missing. Raises `OSError`, also if a link leads out of outputs."""
    check_inside(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
