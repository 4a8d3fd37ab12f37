"""Decides whether two runs are the same run, and two commands the same sweep.

A run's key is its `dlexp.core.identity.Identity` together with the files of its data. Observers,
tracking, output paths and the number of workers do not count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dlexp.core.experiment import Experiment
from dlexp.core.silent_keys import is_silent, root
from dlexp.plugins import source_code
from dlexp.runs import identity, provenance


@dataclass(frozen=True)
class Ingredients:
    """The code and the data of a run: the SHA-256 of each file, by its path.

    It covers all code and all data, so that a worker trains with exactly what the command imported
    and recorded.
    """

    code: Mapping[str, str]
    data: Mapping[str, str]

    @staticmethod
    def of(e: Experiment) -> Ingredients:
        """Code as this process imported it, data as they are now. Raises `OSError`."""
        code = {str(path): source_code.digest(path) for path in provenance.source_files(e).values()}
        files = [] if "data" in e.objective.ignores else e.data.files()
        return Ingredients(code, {str(path): _digest_of(path) for path in files})

    def check(self) -> None:
        """Raises `Changed` if this process imported other code, or if data files changed."""
        _check(self.code, source_code.digest, "was changed")
        self.check_data()

    def check_data(self) -> None:
        """Raises `Changed` if the data files have changed."""
        _check(self.data, _digest_of, "holds other data")


class Changed(Exception):
    """A file that decides a run's numbers has changed since the run was planned."""


def _check(planned: Mapping[str, str], digest: Callable[[Path], str], wrong: str) -> None:
    for path, was in planned.items():
        try:
            now = digest(Path(path))
        except OSError as e:
            raise Changed(f"{path} can no longer be read: {e.strerror or e}") from None
        if now != was:
            raise Changed(
                f"{path} {wrong}: SHA-256 {was[:12]}… when the sweep began, {now[:12]}… now"
            )


def run_key(e: Experiment, ingredients: Ingredients | None = None) -> str:
    """A run's identity in one word, such as 1-0123456789abcdef; `ingredients` if they are known.

    Raises `OSError` for a file that cannot be read.
    """
    return identity.of_experiment(e).key((ingredients or Ingredients.of(e)).data.values())


def sweep_id(fixed: Iterable[str], swept: Iterable[str], by: str = "grid", study: str = "") -> str:
    """The id of a sweep without a name: fixed values, swept keys, sweeper; more values extend it.

    `study` is the digest of the named study's file, if there is one: an edited study is another
    sweep. `zip` changes no number of a run, but it changes which runs there are.
    """
    fixed = sorted(o for o in fixed if not is_silent(o) or root(o) == "zip")
    rest = [*([by] if by != "grid" else []), *([study] if study else [])]
    text = json.dumps([fixed, sorted(swept), *rest])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _digest_of(path: Path) -> str:
    """The SHA-256 of a file's content, cached while the file and its times are unchanged."""
    status = path.stat()
    return _content(path, (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@cache
def _content(path: Path, state: tuple[int, ...]) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
