"""`python -m dlexp doctor`: what was left half done is ended, what is damaged is named, and nothing
measured is lost.

Whatever a process is at work on is left alone: it holds the lock of its run or sweep. Lock files
stay where they are: one that nobody holds locks nothing, and taking it away while somebody opens it
would make two locks of one.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dlexp import paths, shell, tracking
from dlexp.core import kinds
from dlexp.errors import DataError, UserError, describe_error
from dlexp.plugins import discovery
from dlexp.runs import checkpointing
from dlexp.storage import find, journal, ledger, repair
from dlexp.storage.atomic import STAGED, is_left
from dlexp.storage.ledger import LEDGER
from dlexp.storage.records import SWEEP_FILE, SweepDescription, is_sweep
from dlexp.tracking import artifacts, relocation, state, sync
from dlexp.tracking.address import ARTIFACTS, STORE

LOW = 1 << 30  # bytes free on the disk: less is said
BACK = "take back a copy, or move the folder away"


def examine(folders: Sequence[Path] = (), *, dry: bool = False) -> int:
    """Look through these folders, or outputs/, and repair; 0 if all is well then, 1 if something is
    left to do.

    Raises `UserError` for a folder that holds no run, no sweep and no outputs.
    """
    doctor = Doctor(dry=dry)
    for look in [_meant(folder, doctor) for folder in folders] or [
        lambda: doctor.outputs(paths.outputs())
    ]:
        look()
    doctor.send()
    return doctor.conclude()


def _meant(folder: Path, doctor: Doctor) -> Callable[[], None]:
    """How to look at a folder, or at the run or sweep of that name."""
    folder = folder if folder.exists() else find.find(str(folder)) or folder
    if (folder / journal.EVENTS).is_file():
        sweep = folder.absolute().parents[1]
        return (lambda: doctor.sweep(sweep)) if is_sweep(sweep) else lambda: doctor.run(folder)
    if is_sweep(folder) or (folder / LEDGER).is_file():
        return lambda: doctor.sweep(folder)
    if any((folder / name).exists() for name in ("runs", "sweeps", "mlflow.db")):
        return lambda: doctor.outputs(folder)
    raise UserError(
        "holds no run, no sweep and no outputs", key="doctor", value=folder, where="command line"
    )


@dataclass
class Doctor:
    """What was found so far. `dry` changes nothing; `live` folders are left alone; what MLflow
    lacks of `unsent`.

    Findings are `mended`, `to do` (by a person) or `open` (a sweep can go on, if somebody wants
    that).
    """

    dry: bool
    counts: Counter[str] = field(default_factory=Counter)
    live: set[Path] = field(default_factory=set)
    unsent: dict[Path, str] = field(default_factory=dict)

    def say(self, kind: str, place: Path, what: str) -> None:
        """One line on one finding."""
        self.counts[kind] += 1
        said = "to mend" if self.dry and kind == "mended" else kind
        near = str(place).removeprefix(f"{Path.cwd()}{os.sep}")
        print(f"{said:8}  {near}: {' '.join(what.split())}", flush=True)

    def outputs(self, home: Path) -> None:
        """All that is in an outputs folder, the disk it is on, and the plugins of this place."""
        if not self._leads_out(home / paths.RUNS):
            for file in sorted(home.glob(f"runs/*/{journal.EVENTS}")):
                self.run(file.parent)
        if not self._leads_out(home / paths.SWEEPS):
            for folder in sorted(f for f in home.glob("sweeps/*") if f.is_dir()):
                self.sweep(folder)
        store = home / STORE
        if not self._leads_out(store, home / ARTIFACTS):
            for kind, what in relocation.check_store(store, dry=self.dry):
                self.say(kind, store, what)
        self._leftovers(home.glob(f"*{STAGED}"))
        if home.is_dir() and (free := shutil.disk_usage(home).free) < LOW:
            self.say("to do", home, f"its disk has {free / 2**20:.0f} MB left: make room")
        self._plugins()

    def run(self, folder: Path, sweep: Path | None = None, probed: Path | None = None) -> None:
        """A run's folder: ended if it is dead, and read through; that of a sweep's, or of one that
        `probed` another.
        """
        try:
            if self._leads_out(folder, *repair.links(folder)) or self._is_live(
                folder, "probe" if probed else "run"
            ):
                return
            measured = self._journal(folder, repair.way(folder, sweep, probed))
            whole = measured is not None and self._described(folder, missing=not measured)
            for path, what in repair.damaged_checkpoints(folder):
                self.say("to do", path, what)
            self._leftovers(checkpointing.leftovers(folder))
            if whole and sweep is None and sync.is_tracked(folder):
                self._look_for_unsent(folder)
        except BlockingIOError:  # it was resumed this instant
            self.live.add(folder)
        except OSError as e:
            self.say("to do", folder, f"cannot be mended: {describe_error(e)}")
        for file in sorted(folder.glob(f"{journal.PROBES}/*/{journal.EVENTS}")):
            self.run(file.parent, sweep, probed=folder)

    def _leads_out(self, *places: Path) -> bool:
        """Whether a link leads out of the outputs folder at one of these, of which nothing is
        mended then.
        """
        found = {path: out for path in places if (out := paths.leads_out(path))}
        for path, out in found.items():
            self.say(
                "to do", path, f"leads out of the outputs folder, to {out}: replace it by a copy"
            )
        return bool(found)

    def _is_live(self, folder: Path, what: str) -> bool:
        if journal.is_alive(folder):
            self.live.add(folder)
            return True
        self.counts[what] += 1
        return False

    def _journal(self, folder: Path, way: str) -> bool | None:
        """End what has no end, and say the `way` on. Whether anything was measured; None for a
        journal that is damaged.

        Raises `BlockingIOError` for a run that is being trained.
        """
        try:
            repair.check_journal(folder)
            found = repair.close_dead_run(folder, dry=self.dry)
        except DataError as e:
            self.say("to do", folder / journal.EVENTS, f"{e.message}: {BACK}")
            return None
        if found.half:
            self.say(
                "mended",
                folder / journal.EVENTS,
                f"its last line is half written: {found.half} bytes cut off",
            )
        if found.dead:
            self.say("mended", folder, f"killed; {way}")
        return found.measured

    def _described(self, folder: Path, *, missing: bool) -> bool:
        """Whether run.json and config.yaml are there; they may be `missing` where a run was killed
        at its birth.
        """
        wrong = dict(repair.undescribed(folder))
        for name, what in wrong.items():
            if not (missing and what == repair.MISSING):
                self.say("to do", folder / name, f"{what}: {BACK}")
        return not wrong

    def _leftovers(self, files: Iterable[Path]) -> None:
        """Remove files that never took their place, unless somebody is still writing them."""
        for path in filter(is_left, files):
            try:
                paths.check_inside(path.parent)
                if not self.dry:
                    path.unlink(missing_ok=True)
                self.say("mended", path, "left half written by a process that is no more: removed")
            except OSError as e:
                self.say("to do", path, f"cannot be removed: {e.strerror}")

    def sweep(self, folder: Path) -> None:
        """A sweep's folder and its runs; one that a command is at work on is left alone."""
        try:
            if not (folder / SWEEP_FILE).exists() and not (folder / LEDGER).exists():
                return  # killed at its birth
            if self._leads_out(folder, *repair.links(folder)) or self._is_live(folder, "sweep"):
                return
            for what in repair.mend_ledger(folder, dry=self.dry):
                self.say("mended", folder / LEDGER, what)
        except OSError as e:
            if isinstance(e, BlockingIOError):  # its command goes on this instant
                self.live.add(folder)
            else:
                self.say("to do", folder, f"cannot be mended: {describe_error(e)}")
            return
        for file in sorted(folder.glob(f"runs/*/{journal.EVENTS}")):
            self.run(file.parent, folder)
        self._leftovers([*folder.glob(f"*{STAGED}"), *(folder / state.REPORT).rglob(f"*{STAGED}")])
        self._sweep_told(folder)

    def _sweep_told(self, folder: Path) -> None:
        path = folder / SWEEP_FILE
        try:
            description = SweepDescription.read(folder)
            if description.ended_ms is None:
                ended = len(ledger.read(folder).latest())
                way = shell.command("resume", shell.name_of(folder))
                self.say("open", folder, f"cut short, {ended} of its runs have ended; go on: {way}")
            if description.tracking:
                self._look_for_unsent(folder)
        except (OSError, ValueError) as e:
            self.say(
                "to do", path, f"cannot be read ({e}): say the sweep's command again, or {BACK}"
            )

    def _look_for_unsent(self, folder: Path) -> None:
        """Whether MLflow lacks something of a run or sweep: what was never sent, or artifacts that
        were deleted.
        """
        lost = artifacts.lost(folder)
        for run in folder.glob("runs/*") if is_sweep(folder) else ():
            lost += artifacts.lost(run)
        if not state.is_complete(folder):
            self.unsent[folder] = "MLflow did not know all of it"
        elif lost:
            self.unsent[folder] = (
                f"{len(lost)} of its artifacts {'is' if len(lost) == 1 else 'are'} not there any"
                " more"
            )

    def _plugins(self) -> None:
        """Plugin files that cannot be loaded."""
        # it would warn of what is said here
        discovery.log.disabled, before = True, discovery.log.disabled
        try:
            discovery.discover()
        finally:
            discovery.log.disabled = before
        for file in (
            f
            for folder in discovery.folders()
            for k in kinds.KINDS
            for f in sorted((folder / k).glob("*.py"))
        ):
            if (wrong := discovery.left_out(file)) is not None:
                self.say("to do", file, wrong.message)

    def send(self) -> None:
        """Tell MLflow what it does not know yet of what was looked at."""
        folders = [folder for folder in self.unsent if not journal.is_alive(folder)]
        if folders and not self.dry:
            tracking.start(folders).wait()
        for folder in folders:
            if self.dry or state.is_complete(folder):
                self.say("mended", folder, f"{self.unsent[folder]}: sent")
            else:
                self.say("to do", folder, str(tracking.outcome([folder])))

    def conclude(self) -> int:
        """The last line, and the exit status."""
        n = self.counts
        seen = [
            f"{n[what]} {what}{'s' * (n[what] != 1)}"
            for what in ("run", "probe", "sweep")
            if n[what]
        ]
        seen += [f"{len(self.live)} under way and left alone"] if self.live else []
        looked = f" ({', '.join(seen) or 'there is no run'})"
        mended = f"{n['mended']} {'to mend' if self.dry else 'mended'}, " if n["mended"] else ""
        left = n["to do"] > 0 or (self.dry and mended != "")
        print(mended + (f"{n['to do']} to do" if left else "all is well") + looked)
        return int(left)
