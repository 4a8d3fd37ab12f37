"""Commands as a message suggests them: they work when they are pasted into a POSIX shell."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from dlexp import paths


def quoted(word: str, *, encoding: str | None = None) -> str:
    """A word for a shell, on one line; its bytes where `encoding` (the terminal's) lacks one of its
    letters.

    >>> quoted("seed=range(0,3)"), quoted("it's"), quoted("a\\nb")
    ("'seed=range(0,3)'", '\\'it\\'"\\'"\\'s\\'', '"$(printf \\'a\\\\012b\\')"')
    """
    try:
        word.encode(encoding or sys.stdout.encoding or "utf-8")
        # messages and MLflow's notes keep no other white space
        if word.isprintable() and "  " not in word:
            return shlex.quote(word)
    except UnicodeEncodeError:
        pass
    octets = word.encode("utf-8", "surrogateescape")
    letters = "".join(chr(b) if b < 128 and chr(b).isalnum() else f"\\{b:03o}" for b in octets)
    return f"\"$(printf '{letters}')\""


def join(words: Iterable[str], *, encoding: str | None = None) -> str:
    """Words as a shell reads them."""
    return " ".join(quoted(word, encoding=encoding) for word in words)


def command(*words: str) -> str:
    """A command of dlexp's.

    >>> command("resume", "my run")
    "python -m dlexp resume 'my run'"
    """
    return join(["python", "-m", "dlexp", *words])


def one_line(recorded: str) -> str:
    """A command as a run or a sweep recorded it, as one line for a page in UTF-8.

    >>> one_line("python -m dlexp -m 'seed=range(0,3)'")
    "python -m dlexp -m 'seed=range(0,3)'"
    """
    try:
        return join(shlex.split(recorded), encoding="utf-8")
    except ValueError:
        return " ".join(recorded.split())


def name_of(folder: Path) -> str:
    """What a command knows a run or sweep by: its name, if it is under outputs/, and else its path."""
    name = folder.name if paths.outputs() in folder.absolute().parents else str(folder)
    return name if not name.startswith("-") else f"./{name}"
