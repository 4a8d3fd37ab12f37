"""A run as its folder tells it: what was asked, on what machine, with which code and data, and how
it ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlexp import paths, shell
from dlexp.config import Setup, rebuild
from dlexp.core.records import Record
from dlexp.errors import UserError, nearest
from dlexp.runs import provenance
from dlexp.runs.run import Run
from dlexp.storage import journal
from dlexp.tracking.translate import value

CONFIG = "config.yaml"
NAMED = 8  # runs named in an error message
WHERE = ("data.path", "data.folder")  # what lies there is compared itself


@dataclass(frozen=True)
class Change:
    """Something a run's numbers depend on that is not what it was when the run began."""

    # configuration, code, data or arithmetic; or mixture: it was otherwise when the run was resumed
    kind: str
    said: str

    def __str__(self) -> str:
        return self.said


class OtherRun(UserError):
    """A run that cannot go on: with what has changed since it began, it would be another run, or
    have other bits.
    """

    def __init__(self, wrong: str, changes: Sequence[Change], value: str) -> None:
        super().__init__(wrong, key="resume", value=value)
        self.changes = changes


@dataclass(frozen=True)
class Recorded:
    """What is known of a run; `status` is None for one that is being trained, or was killed.

    `mixed` says what was not as in the beginning when the run was resumed, `last` what was not the
    last time.
    """

    folder: Path
    description: Mapping[str, Any]
    setup: Setup
    records: list[Record]
    status: str | None
    weights: str | None
    mixed: list[str]
    last: list[str]

    @property
    def name(self) -> str:
        """What people call it."""
        return str(self.description.get("name") or self.folder.name)

    def check_resumable(self) -> None:
        """Raises `UserError` for a run that has its result."""
        if self.status in ("FINISHED", "DIVERGED"):
            way = shell.command("replay", shell.name_of(self.folder))
            again = f"; to train it again: {way}" if self.status == "FINISHED" else ""
            wrong = f"has ended: {self.status}; there is nothing to resume{again}"
            raise UserError(wrong, key="resume", value=self.folder.name)

    def check_same(self, run: Run, *, anyway: bool) -> list[Change]:
        """What is not as it was when the run began, if it may go on all the same.

        Raises `OtherRun` where it would be one, of other values or data; where other code or
        arithmetic would give it other bits, unless it is to go on `anyway`.
        """
        found = [*self.changes(run)]
        if self.last and not found:
            back = "it was resumed otherwise, and all is as in the beginning again; it had been: "
            found = [Change("mixture", back + "; ".join(self.last))]
        said, wrong = "; ".join(map(str, found)), ""
        if any(change.kind in ("configuration", "data") for change in found):
            wrong = f"it would be another run: {said}"
        elif found and not anyway:
            wrong = (
                f"it would not be the same to the bit: {said}; --anyway goes on regardless, and"
                " records that"
            )
        if wrong:
            raise OtherRun(wrong, found, self.folder.name)
        return found

    def changes(self, run: Run) -> Iterator[Change]:
        """What is not as it was when the run began, of all that can change its numbers.

        A value that only one of them knows came or went with the code. Ask for it inside
        `one_blas_thread`.
        """
        asked = json.loads(json.dumps(run.experiment.params()))
        for name, was in (self.description.get("params") or {}).items():
            if name in asked and asked[name] != was and name not in WHERE:
                yield Change("configuration", f"{name} was {value(was)}, is {value(asked[name])}")
        before, now = self.description.get("sources") or {}, provenance.sources(run.experiment)
        for name in sorted({**before, **now}):
            if before and before.get(name) != now.get(name):
                what = (
                    "is gone"
                    if name not in now
                    else "is new"
                    if name not in before
                    else "was changed"
                )
                yield Change("code", f"{name} {what}")
        data, found = (self.description.get("dataset") or {}).get("sha256"), run.dataset
        digest = found.describe()["sha256"] if found else None
        if data != digest:
            said = f"SHA-256 {str(data)[:12]}… when the run began, {str(digest)[:12]}… now"
            yield Change("data", f"the data are not what they were: {said}")
        told, here = self.numerics(), provenance.numerics()
        for name in sorted(set(told) & set(here) - {"digest"}):
            if told[name] != here[name]:
                yield Change("arithmetic", f"{name} was {told[name]}, is {here[name]}")

    def numerics(self) -> dict[str, str]:
        """The numerics fingerprint the run was begun with."""
        prefix = "dlexp.numerics."
        told = self.description.get("tags") or {}
        return {
            key.removeprefix(prefix): str(value)
            for key, value in told.items()
            if key.startswith(prefix)
        }


def read(folder: Path) -> Recorded:
    """The run in a folder. Raises `UserError` for one whose description, configuration or journal
    cannot be read.
    """
    path = folder / journal.DESCRIPTION
    try:
        description = journal.description(folder)
        path = folder / journal.EVENTS
        events, _ = journal.events(folder)
        end = events[-1] if events and events[-1]["event"] == "finish" else {}
        records = journal.records(folder)
        tags: Any = description.get("tags") or {}
        overrides = tuple(str(tags.get("dlexp.overrides") or "").split(" "))
    except UserError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise UserError(
            f"cannot be read: {' '.join(str(e).split()) or type(e).__name__}", key=str(path)
        ) from None
    setup = rebuild(folder / CONFIG, overrides)
    resumed = [event for event in events if event["event"] == "resume"]
    mixed, last = journal.changes(events), journal.changes(resumed[-1:])
    return Recorded(
        folder, description, setup, records, end.get("status"), end.get("weights"), mixed, last
    )


def find(word: str, key: str) -> Path | None:
    """The folder of a run: a path, a folder's name, an id, MLflow's run id, or `last`; None where
    there is none.
    """
    if (Path(word) / journal.EVENTS).is_file():
        return Path(word)
    known = all_runs()
    if word == "last":
        return max(
            known,
            key=lambda folder: ((folder / journal.EVENTS).stat().st_mtime, folder.name),
            default=None,
        )
    fits = [f for f in known if word in (f.name, *_ids(f))]
    return fits[-1] if fits else None


def all_runs() -> list[Path]:
    """The folders of all runs under outputs/, those of sweeps too, by name."""
    home = paths.outputs()
    found = [
        *home.glob(f"runs/*/{journal.EVENTS}"),
        *home.glob(f"sweeps/*/runs/*/{journal.EVENTS}"),
    ]
    return sorted((path.parent for path in found), key=lambda folder: folder.name)


def must_find(word: str, key: str) -> Path:
    """The same. Raises `UserError` where there is none."""
    if (folder := find(word, key)) is not None:
        return folder
    names = [folder.name for folder in all_runs()]
    if not names:
        raise UserError(
            f"there is no run in {paths.outputs()}", key=key, value=word, where="command line"
        )
    listed = ", ".join(names[-NAMED:]) + (
        f", … ({len(names)} in all)" if len(names) > NAMED else ""
    )
    raise UserError(
        "there is no such run",
        key=key,
        value=word,
        where="command line",
        allowed=f"last, {listed}",
        hint=nearest(word, [*names, "last"]),
    )


def _ids(folder: Path) -> tuple[str, ...]:
    """What a run is called by itself and by MLflow."""
    found = []
    for file, key in ((journal.DESCRIPTION, "id"), ("mlflow.json", "run_id")):
        try:
            found.append(str(json.loads((folder / file).read_text(encoding="utf-8"))[key]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
    return tuple(found)
