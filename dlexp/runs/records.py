"""A run as its folder tells it: what was asked, on what machine, with which code and data, and how
it ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlexp import shell
from dlexp.config import Setup, rebuild
from dlexp.core.experiment import Experiment
from dlexp.core.records import Record
from dlexp.errors import UserError
from dlexp.runs import identity, provenance
from dlexp.runs.identity import FRAMEWORK
from dlexp.runs.run import Run
from dlexp.storage import journal
from dlexp.storage.records import CONFIG_FILE, RUN_FILE, RunDescription
from dlexp.storage.status import Status
from dlexp.tracking.translate import value

WHERE = ("data.path", "data.folder")  # what lies there is compared itself


@dataclass(frozen=True)
class Change:
    """Something a run's numbers depend on that is not what it was when the run began."""

    # configuration, numerics, code, data or arithmetic; or mixture: it was otherwise when the run
    # was resumed
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
    description: RunDescription
    setup: Setup
    records: list[Record]
    status: Status | None
    weights: str | None
    mixed: list[str]
    last: list[str]

    @property
    def name(self) -> str:
        """What people call it."""
        return self.description.name or self.folder.name

    def check_resumable(self) -> None:
        """Raises `UserError` for a run that has its result."""
        if self.status is not None and self.status.is_result:
            way = shell.command("replay", shell.name_of(self.folder))
            again = f"; to train it again: {way}" if self.status == Status.FINISHED else ""
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
            advice = self._advice() if any(change.kind == "numerics" for change in found) else ""
            wrong = (
                f"it would not be the same to the bit: {said}; {advice}--anyway goes on regardless,"
                " and records that"
            )
        if wrong:
            raise OtherRun(wrong, found, self.folder.name)
        return found

    def changes(self, run: Run) -> Iterator[Change]:
        """What is not as it was when the run began, of all that can change its numbers.

        Ask for it inside `one_blas_thread`.
        """
        for text in configuration_changes(self.description, run.experiment):
            yield Change("configuration", text)
        if before := identity.of_record(self.description):
            now = identity.of_experiment(run.experiment)
            if before.numerics not in (None, now.numerics):
                text = f"NUMERICS of dlexp was {before.numerics}, is {now.numerics}"
                yield Change("numerics", text)
            for text in identity.code_changes(before, now):
                yield Change("code", text)
        data, found = (self.description.dataset or {}).get("sha256"), run.dataset
        digest = found.describe()["sha256"] if found else None
        if data != digest:
            said = f"SHA-256 {str(data)[:12]}… when the run began, {str(digest)[:12]}… now"
            yield Change("data", f"the data are not what they were: {said}")
        told, here = self.numerics(), provenance.numerics()
        for name in sorted(set(told) & set(here) - {"digest"}):
            if told[name] != here[name]:
                yield Change("arithmetic", f"{name} was {told[name]}, is {here[name]}")

    def _advice(self) -> str:
        """What to do with a run of another NUMERICS."""
        tags = self.description.tags
        commit = str(tags.get("dlexp.git.commit") or "")[:12]
        version = f"commit {commit}" if commit else f"version {tags.get('dlexp.version.dlexp')}"
        command = tags.get("dlexp.command") or "python -m dlexp …"
        return f"to complete it as it began, use dlexp's {version}; to train it anew: {command}; "

    def framework_note(self, run: Run) -> str:
        """Where dlexp's own code is another, in words. That is information: NUMERICS decides."""
        before, now = identity.of_record(self.description), identity.of_experiment(run.experiment)
        if before is None or before.numerics != now.numerics:
            return ""
        sources, here = self.description.sources, provenance.sources(run.experiment)
        names = [n for n in here if n.startswith(FRAMEWORK) and sources.get(n) != here[n]]
        files = ", ".join(names[:3]) + (f", … ({len(names)} files)" if len(names) > 3 else "")
        return f"dlexp's own code differs, of the same NUMERICS: {files}" if names else ""

    def numerics(self) -> dict[str, str]:
        """The numerics fingerprint the run was begun with."""
        prefix = "dlexp.numerics."
        return {
            key.removeprefix(prefix): str(value)
            for key, value in self.description.tags.items()
            if key.startswith(prefix)
        }


def configuration_changes(description: RunDescription, e: Experiment) -> Iterator[str]:
    """The values that an experiment has and a recorded run had otherwise, in words.

    A setting that only one of them knows came or went with the code: it counts if it was not at
    its default.
    """
    now = json.loads(json.dumps(e.params()))
    defaults = description.defaults
    for name, was in description.params.items():
        if name in WHERE:
            continue
        if name in now and now[name] != was:
            yield f"{name} was {value(was)}, is {value(now[name])}"
        elif name not in now and was != defaults.get(name, was):
            yield f"{name} was {value(was)}, and there is no such setting any more"


def read(folder: Path) -> Recorded:
    """The run in a folder. Raises `UserError` for one whose description, configuration or journal
    cannot be read.
    """
    path = folder / RUN_FILE
    try:
        description = RunDescription.read(folder)
        path = folder / journal.EVENTS
        events, _ = journal.events(folder)
    except UserError:
        raise
    except (OSError, ValueError) as e:
        raise UserError(f"cannot be read: {' '.join(str(e).split())}", key=str(path)) from None
    setup = rebuild(folder / CONFIG_FILE, tuple(description.overrides))
    resumed = [event for event in events if event.kind == "resume"]
    end = events[-1] if events else None
    return Recorded(
        folder,
        description,
        setup,
        journal.records_of(events),
        end.status if end else None,
        end.weights if end else None,
        mixed=journal.changes(events),
        last=journal.changes(resumed[-1:]),
    )
