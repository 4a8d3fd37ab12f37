"""Commands in messages, quoted so that they can be pasted into a POSIX shell."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from dlexp import paths


def quoted(word: str, *, encoding: str | None = None) -> str:
    """A word for a shell, on one line; as bytes if `encoding` (the terminal's) lacks a letter.

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
    """Words, quoted for a shell."""
    return " ".join(quoted(word, encoding=encoding) for word in words)


def command(*words: str) -> str:
    """A command of dlexp's.

    >>> command("resume", "my run")
    "python -m dlexp resume 'my run'"
    """
    return join(["python", "-m", "dlexp", *words])


def one_line(recorded: str) -> str:
    """A recorded command, as one line for a page in UTF-8.

    >>> one_line("python -m dlexp -m 'seed=range(0,3)'")
    "python -m dlexp -m 'seed=range(0,3)'"
    """
    try:
        return join(shlex.split(recorded), encoding="utf-8")
    except ValueError:
        return " ".join(recorded.split())


def name_of(folder: Path) -> str:
    """The name of a run or sweep in a command: its name under outputs/, else its path."""
    name = folder.name if paths.outputs() in folder.absolute().parents else str(folder)
    return name if not name.startswith("-") else f"./{name}"
