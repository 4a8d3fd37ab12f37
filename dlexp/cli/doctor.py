"""`python -m dlexp doctor`: closes dead runs, reports damaged files and repairs without loss.

A run or sweep that a process is working on is skipped: the process holds its lock. Lock files are
not removed: without a holder they lock nothing, and removing one while another process opens it
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

LOW = 1 << 30  # bytes; if fewer are free on the disk, it is reported
BACK = "restore a copy, or move the folder away"


def examine(folders: Sequence[Path] = (), *, dry: bool = False) -> int:
    """Examine and repair these folders, or outputs/; return 0 if all is well, 1 if work is left.

    Raises `UserError` for a folder that holds no run, no sweep and no outputs.
    """
    doctor = Doctor(dry=dry)
    checks = [_check_of(folder, doctor) for folder in folders]
    for check in checks or [lambda: doctor.outputs(paths.outputs())]:
        check()
    doctor.send()
    return doctor.conclude()


def _check_of(folder: Path, doctor: Doctor) -> Callable[[], None]:
    """The check of a folder, or of the run or sweep with that name."""
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
    """The findings so far.

    With `dry`, nothing is changed. `live` are the folders that are skipped, `unsent` those that
    MLflow lacks something of. A finding is `repaired`, `to do` (by a person) or `open` (a sweep
    that can be continued).
    """

    dry: bool
    counts: Counter[str] = field(default_factory=Counter)
    live: set[Path] = field(default_factory=set)
    unsent: dict[Path, str] = field(default_factory=dict)

    def say(self, kind: str, place: Path, what: str) -> None:
        """Print one line about one finding."""
        self.counts[kind] += 1
        shown = "to repair" if self.dry and kind == "repaired" else kind
        near = str(place).removeprefix(f"{Path.cwd()}{os.sep}")
        print(f"{shown:9} {near}: {' '.join(what.split())}", flush=True)

    def outputs(self, home: Path) -> None:
        """Everything in an outputs folder, the disk it is on, and the plugin files."""
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
        """Examine a run: of no sweep, of a `sweep`, or a probe of the run `probed`. Close it if
        dead.
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
        except BlockingIOError:  # it was resumed in this moment
            self.live.add(folder)
        except OSError as e:
            self.say("to do", folder, f"cannot be repaired: {describe_error(e)}")
        for file in sorted(folder.glob(f"{journal.PROBES}/*/{journal.EVENTS}")):
            self.run(file.parent, sweep, probed=folder)

    def _leads_out(self, *places: Path) -> bool:
        """Report links that lead out of the outputs folder; with one, nothing is repaired."""
        links = {path: out for path in places if (out := paths.leads_out(path))}
        for path, out in links.items():
            self.say(
                "to do", path, f"leads out of the outputs folder, to {out}: replace it by a copy"
            )
        return bool(links)

    def _is_live(self, folder: Path, what: str) -> bool:
        if journal.is_alive(folder):
            self.live.add(folder)
            return True
        self.counts[what] += 1
        return False

    def _journal(self, folder: Path, way: str) -> bool | None:
        """Close a dead run and say how to continue (`way`). True if anything was measured.

        Returns None for a damaged journal. Raises `BlockingIOError` for a run that is being
        trained.
        """
        try:
            repair.check_journal(folder)
            state = repair.close_dead_run(folder, dry=self.dry)
        except DataError as e:
            self.say("to do", folder / journal.EVENTS, f"{e.message}: {BACK}")
            return None
        if state.half:
            self.say(
                "repaired",
                folder / journal.EVENTS,
                f"its last line is incomplete: {state.half} bytes removed",
            )
        if state.dead:
            self.say("repaired", folder, f"killed; {way}")
        return state.measured

    def _described(self, folder: Path, *, missing: bool) -> bool:
        """Whether run.json and config.yaml are valid; a run that was killed early lacks them."""
        wrong = dict(repair.undescribed(folder))
        for name, what in wrong.items():
            if not (missing and what == repair.MISSING):
                self.say("to do", folder / name, f"{what}: {BACK}")
        return not wrong

    def _leftovers(self, files: Iterable[Path]) -> None:
        """Remove temporary files, unless a process is still writing them."""
        for path in filter(is_left, files):
            try:
                paths.check_inside(path.parent)
                if not self.dry:
                    path.unlink(missing_ok=True)
                self.say("repaired", path, "incomplete file of a process that has ended: removed")
            except OSError as e:
                self.say("to do", path, f"cannot be removed: {e.strerror}")

    def sweep(self, folder: Path) -> None:
        """Examine a sweep's folder and its runs, unless a command is working on it."""
        try:
            if not (folder / SWEEP_FILE).exists() and not (folder / LEDGER).exists():
                return  # killed before it wrote anything
            if self._leads_out(folder, *repair.links(folder)) or self._is_live(folder, "sweep"):
                return
            for what in repair.mend_ledger(folder, dry=self.dry):
                self.say("repaired", folder / LEDGER, what)
        except OSError as e:
            if isinstance(e, BlockingIOError):  # its command continues in this moment
                self.live.add(folder)
            else:
                self.say("to do", folder, f"cannot be repaired: {describe_error(e)}")
            return
        for file in sorted(folder.glob(f"runs/*/{journal.EVENTS}")):
            self.run(file.parent, folder)
        self._leftovers([*folder.glob(f"*{STAGED}"), *(folder / state.REPORT).rglob(f"*{STAGED}")])
        self._check_description(folder)

    def _check_description(self, folder: Path) -> None:
        path = folder / SWEEP_FILE
        try:
            description = SweepDescription.read(folder)
            if description.ended_ms is None:
                ended = len(ledger.read(folder).latest())
                way = shell.command("resume", shell.name_of(folder))
                self.say(
                    "open", folder, f"interrupted, {ended} of its runs have ended; go on: {way}"
                )
            if description.tracking:
                self._look_for_unsent(folder)
        except (OSError, ValueError) as e:
            self.say("to do", path, f"cannot be read ({e}): repeat the sweep's command, or {BACK}")

    def _look_for_unsent(self, folder: Path) -> None:
        """Note what MLflow lacks of a run or sweep: records never sent, or artifacts deleted."""
        lost = artifacts.lost(folder)
        for run in folder.glob("runs/*") if is_sweep(folder) else ():
            lost += artifacts.lost(run)
        if not state.is_complete(folder):
            self.unsent[folder] = "MLflow lacked a part of it"
        elif lost:
            self.unsent[folder] = (
                f"{len(lost)} of its artifacts"
                f" {'was' if len(lost) == 1 else 'were'} missing in MLflow"
            )

    def _plugins(self) -> None:
        """Report plugin files that cannot be loaded."""
        # it would warn of what is reported here
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
        """Send to MLflow what it lacks of the examined folders."""
        folders = [folder for folder in self.unsent if not journal.is_alive(folder)]
        if folders and not self.dry:
            tracking.start(folders).wait()
        for folder in folders:
            if self.dry or state.is_complete(folder):
                self.say("repaired", folder, f"{self.unsent[folder]}: sent")
            else:
                self.say("to do", folder, str(tracking.outcome([folder])))

    def conclude(self) -> int:
        """Print the last line and return the exit status."""
        n = self.counts
        seen = [
            f"{n[what]} {what}{'s' * (n[what] != 1)}"
            for what in ("run", "probe", "sweep")
            if n[what]
        ]
        seen += [f"{len(self.live)} in progress, skipped"] if self.live else []
        looked = f" ({', '.join(seen) or 'no runs'})"
        repaired = (
            f"{n['repaired']} {'to repair' if self.dry else 'repaired'}, " if n["repaired"] else ""
        )
        left = n["to do"] > 0 or (self.dry and repaired != "")
        print(repaired + (f"{n['to do']} to do" if left else "all is well") + looked)
        return int(left)
