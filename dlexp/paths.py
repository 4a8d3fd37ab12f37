"""Where things are: what dlexp ships, and where a user's runs go."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dlexp.errors import UserError

_HERE = Path(__file__).resolve().parent


def _shipped(name: str) -> Path:
    """A folder that travels inside the package in a wheel, and stands beside it in a checkout."""
    return next(p for p in (_HERE / f"_{name}", _HERE.parent / name) if p.is_dir())


CONF = _shipped("conf")
PLUGINS = _shipped("plugins")


def native(text: str) -> str:
    """A name of a file, which is UTF-8 in all that dlexp reads and writes, as this process says it
    to the system.

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
    """Where runs are kept: the environment variable `DLEXP_OUTPUTS`, or `outputs` in the working
    folder.

    Raises `UserError` for a name that begins with the home folder of somebody who has none, and
    `OSError` for a name that the system finds too long: `Path.exists` hides that from Python 3.14.
    """
    named = os.environ.get("DLEXP_OUTPUTS") or "outputs"
    folder = expanded(named)
    if named.startswith("~") and str(folder).startswith("~"):
        wrong = (
            "there is no such home folder: give the whole path, or ./~ for a folder of that name"
        )
        raise UserError(wrong, key="DLEXP_OUTPUTS", value=named, where="environment")
    try:
        folder.stat()
    except OSError as e:
        if e.errno == errno.ENAMETOOLONG:
            raise
    return folder.absolute()


def cache() -> Path:
    """Where fetched files are kept: the environment variable `DLEXP_CACHE`, or the user's cache
    folder of the system.

    A user who has none and cannot make one (a container's uid without a home folder) has it under
    the outputs folder.
    """
    if own := os.environ.get("DLEXP_CACHE"):
        return expanded(own)
    from platformdirs import user_cache_dir

    try:
        usual = Path(user_cache_dir("dlexp", appauthor=False))
    except RuntimeError:  # nobody knows a home folder of this user
        return outputs() / "cache" / "dlexp"
    return usual if usual.is_dir() or _can_be_made(usual) else outputs() / "cache" / "dlexp"


def _can_be_made(folder: Path) -> bool:
    nearest = next(p for p in folder.parents if p.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def substitutes() -> dict[str, str]:
    """What the environment lacks where the user has no home folder: places for the libraries' own
    files.

    MLflow asks for a home folder when it is imported: it is told `/`, as in a container. matplotlib
    and fontconfig keep what they know of the fonts, for otherwise each process looks at all of them
    again.
    """
    try:
        if os.access(Path.home(), os.W_OK):
            return {}
        found = {}
    except RuntimeError:
        found = {"HOME": os.sep}
    kept = outputs() / "cache"
    if cache() == kept / "dlexp":
        wanted = {"XDG_CACHE_HOME": kept, "MPLCONFIGDIR": kept / "matplotlib"}
        found |= {name: str(folder) for name, folder in wanted.items() if not os.environ.get(name)}
    return found


@contextmanager
def outputs_at(folder: Path) -> Iterator[None]:
    """Inside, runs are kept in another folder, by this process and those it starts."""
    before = os.environ.get("DLEXP_OUTPUTS")
    if folder.resolve() != outputs().resolve():
        os.environ["DLEXP_OUTPUTS"] = str(folder)
    try:
        yield
    finally:
        (
            os.environ.pop("DLEXP_OUTPUTS", None)
            if before is None
            else os.environ.update(DLEXP_OUTPUTS=before)
        )


RUNS, SWEEPS = "runs", "sweeps"  # the folders of an outputs folder


def home(path: Path) -> Path | None:
    """The outputs folder that a path lies in, told by the path's words alone; None for one that
    lies in none.
    """
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
    """The path from the root on; what stands before a `..` has its links followed, and nothing
    behind it.
    """
    whole = path.absolute()
    if ".." not in whole.parts:
        return whole
    last = len(whole.parts) - whole.parts[::-1].index("..")
    return Path(os.path.realpath(Path(*whole.parts[:last])), *whole.parts[last:])


def leads_out(path: Path) -> str:
    """Where a path under an outputs folder really lies, if a symbolic link leads out of that; else
    an empty string.

    The outputs folder may be a link itself, and links inside it may lead to other places inside it.
    """
    base = home(path)
    if base is None:
        return ""
    real = Path(os.path.realpath(path))
    return "" if Path(os.path.realpath(base)) in (real, *real.parents) else str(real)


def check_inside(path: Path) -> None:
    """Call it before a file or folder is written. Raises `OSError` where a link leads out of the
    outputs folder.
    """
    if out := leads_out(path):
        wrong = (
            f"a link leads out of the outputs folder, to {out}, and nothing is written there:"
            " replace it by a copy"
        )
        raise OSError(errno.ELOOP, wrong, str(path))


def made(folder: Path) -> Path:
    """The folder, made where there is none. Raises `OSError` where that cannot be, or a link leads
    out of outputs.
    """
    check_inside(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
