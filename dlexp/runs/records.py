"""A recorded run: configuration, machine, code, data, measurements and end."""

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

WHERE = ("data.path", "data.folder")  # not the path but the data are compared


@dataclass(frozen=True)
class Change:
    """A change since the run began in something that its numbers depend on."""

    # configuration, numerics, code, data or arithmetic; mixture: the run was resumed with changes
    kind: str
    text: str

    def __str__(self) -> str:
        return self.text


class OtherRun(UserError):
    """A run that cannot continue: with the `changes` since it began, it would be another run."""

    def __init__(self, wrong: str, changes: Sequence[Change], value: str) -> None:
        super().__init__(wrong, key="resume", value=value)
        self.changes = changes


@dataclass(frozen=True)
class Recorded:
    """A recorded run; `status` is None for one that is being trained or was killed.

    `mixed` are the changes at all times when it was resumed, `last` those of the last time.
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
        """Its name."""
        return self.description.name or self.folder.name

    def check_resumable(self) -> None:
        """Raises `UserError` for a run that has its result."""
        if self.status is not None and self.status.is_result:
            way = shell.command("replay", shell.name_of(self.folder))
            again = f"; to train it again: {way}" if self.status == Status.FINISHED else ""
            wrong = f"has ended: {self.status}; there is nothing to resume{again}"
            raise UserError(wrong, key="resume", value=self.folder.name)

    def check_same(self, run: Run, *, anyway: bool) -> list[Change]:
        """The changes since the run began, if it may continue with them.

        Raises `OtherRun` for other values or data, and, unless `anyway`, for other code or
        arithmetic.
        """
        changes = [*self.changes(run)]
        if self.last and not changes:
            undone = "it was last resumed with changes, which are undone now: "
            changes = [Change("mixture", undone + "; ".join(self.last))]
        text, kinds, wrong = "; ".join(map(str, changes)), {c.kind for c in changes}, ""
        if kinds & {"configuration", "data"}:
            wrong = f"it would be another run: {text}"
        elif changes and not anyway:
            advice = self._advice() if "numerics" in kinds else ""
            wrong = f"it would not be the same to the bit: {text}; {advice}--anyway continues it"
            wrong += " and marks it as mixed"
        if wrong:
            raise OtherRun(wrong, changes, self.folder.name)
        return changes

    def changes(self, run: Run) -> Iterator[Change]:
        """The changes since the run began in all that can change its numbers.

        Call it inside `one_blas_thread`.
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
        recorded = (self.description.dataset or {}).get("sha256")
        digest = run.dataset.describe()["sha256"] if run.dataset else None
        if recorded != digest:
            text = f"SHA-256 {str(recorded)[:12]}… when the run began, {str(digest)[:12]}… now"
            yield Change("data", f"the data are not what they were: {text}")
        numerics, here = self.numerics(), provenance.numerics()
        for name in sorted(set(numerics) & set(here) - {"digest"}):
            if numerics[name] != here[name]:
                yield Change("arithmetic", f"{name} was {numerics[name]}, is {here[name]}")

    def _advice(self) -> str:
        """Advice for a run of another NUMERICS."""
        tags = self.description.tags
        commit = str(tags.get("dlexp.git.commit") or "")[:12]
        version = f"commit {commit}" if commit else f"version {tags.get('dlexp.version.dlexp')}"
        command = tags.get("dlexp.command") or "python -m dlexp …"
        return f"to complete it as it began, use dlexp's {version}; to train it again: {command}; "

    def framework_note(self, run: Run) -> str:
        """Which files of dlexp differ although NUMERICS is the same; information only."""
        before, now = identity.of_record(self.description), identity.of_experiment(run.experiment)
        if before is None or before.numerics != now.numerics:
            return ""
        sources, here = self.description.sources, provenance.sources(run.experiment)
        names = [n for n in here if n.startswith(FRAMEWORK) and sources.get(n) != here[n]]
        files = ", ".join(names[:3]) + (f", … ({len(names)} files)" if len(names) > 3 else "")
        return f"dlexp's own code differs, of the same NUMERICS: {files}" if names else ""

    def numerics(self) -> dict[str, str]:
        """The numerics fingerprint of the process that began the run."""
        prefix = "dlexp.numerics."
        return {
            key.removeprefix(prefix): str(value)
            for key, value in self.description.tags.items()
            if key.startswith(prefix)
        }


def configuration_changes(description: RunDescription, e: Experiment) -> Iterator[str]:
    """The values that differ between a recorded run and an experiment, in words.

    A setting that only one of them has was added or removed in the code: it counts if it was not
    at its default.
    """
    now = json.loads(json.dumps(e.params()))
    defaults = description.defaults
    for name, was in description.params.items():
        if name in WHERE:
            continue
        if name in now and now[name] != was:
            yield f"{name} was {value(was)}, is {value(now[name])}"
        elif name not in now and was != defaults.get(name, was):
            yield f"{name} was {value(was)}, and this setting no longer exists"


def read(folder: Path) -> Recorded:
    """The run in a folder. Raises `UserError` if one of its files cannot be read."""
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
