"""The result of a study's command: its verdicts, or the failure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from dlexp.storage.records import read_object
from dlexp.sweeps.studies.catalogue import CatalogueEntry

WRONG = 2  # the exit status for a user's mistake: nothing was trained


@dataclass(frozen=True)
class StudyOutcome:
    """The result of a study's command: the content of its verdicts.json, or the `failure`."""

    study: CatalogueEntry
    status: int
    seconds: float
    failure: str
    verdicts: Sequence[Mapping[str, Any]] | None
    page: Path | None

    @staticmethod
    def of(study: CatalogueEntry, done: CompletedProcess[str], seconds: float) -> StudyOutcome:
        """Read the command's output, which names the sweep's folder, and the verdicts in it."""
        folder = _folder(done.stdout) if done.returncode != WRONG else None
        verdicts = folder and _verdicts(folder / "report" / "verdicts.json")
        page = folder / "report" / "report.html" if folder and verdicts else None
        failure = what_failed(done.stderr, done.stdout, done.returncode)
        return StudyOutcome(study, done.returncode, seconds, failure, verdicts or None, page)

    @property
    def failed(self) -> bool:
        """Whether a run failed or there are no verdicts."""
        return bool(self.status) or self.verdicts is None

    def summary(self) -> str:
        """`2 SUPPORTED, 1 INCONCLUSIVE`, or the failure."""
        if self.status or self.verdicts is None:
            return f"failed: {self.failure}"
        counts = Counter(str(v["verdict"]) for v in self.verdicts)
        return ", ".join(f"{n} {verdict}" for verdict, n in counts.items())


def _folder(out: str) -> Path | None:
    """The folder of the sweep, as the command prints it; None without a report.

    >>> _folder("sweep     7 finished\\nfolder    outputs/sweeps/a b-1\\nreport  x").as_posix()
    'outputs/sweeps/a b-1'
    >>> _folder("report    no run ended")
    """
    lines = out.splitlines()
    # a line that says why there is no report; the folder may have an older one
    if any(line.startswith("report    ") for line in lines):
        return None
    folders = [line.removeprefix("folder    ") for line in lines if line.startswith("folder    ")]
    return Path(folders[0]) if folders else None


def _verdicts(path: Path) -> list[dict[str, Any]] | None:
    try:
        claims: list[dict[str, Any]] = read_object(path)["claims"]
    except (OSError, ValueError, KeyError):
        return None
    return claims


def what_failed(err: str, out: str, status: int = 0) -> str:
    """The line of a command that says what went wrong: its error, its failed run or report, else
    its last line.

    >>> what_failed("dlexp: error: no\\n 10%|#   | 1/10 [00:01<?, ?run/s]\\n", "")
    'error: no'
    >>> what_failed("", "", -9)
    'it was killed by signal 9'
    """
    lines = [
        line.strip()
        for line in err.splitlines()
        if line.strip() and not re.search(r"\d+%\||run/s|s/run", line)
    ]
    errors = [line.removeprefix("dlexp: ") for line in lines if line.startswith("dlexp: error: ")]
    printed = [line.strip() for line in out.splitlines() if line.strip()]
    failed = [
        " ".join(line.split())
        for line in printed
        if line.startswith(("failed ", "killed ", "report    "))
    ]
    if status <= 0:
        silent = f"it was killed by signal {-status}" if status else "it wrote no verdicts"
        return next(iter([*errors[-1:], *failed[:1]]), silent)
    return next(iter([*errors[-1:], *failed[:1], *lines[-1:], *printed[-1:]]), "it printed nothing")
