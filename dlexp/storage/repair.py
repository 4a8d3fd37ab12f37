"""Repairs for `python -m dlexp doctor`, each under the lock of its run or sweep."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml
from filelock import Timeout

from dlexp import paths, shell
from dlexp.core.kinds.observer import Observer
from dlexp.core.registry import every_of
from dlexp.errors import DataError, PluginError, UserError
from dlexp.plugins import discovery
from dlexp.storage import checkpoint, journal, network_file
from dlexp.storage.atomic import lock, staged
from dlexp.storage.ledger import LEDGER, entry_of
from dlexp.storage.records import CONFIG_FILE, RUN_FILE, RunDescription
from dlexp.storage.status import Status

MISSING = "is missing"
DAMAGED = "ledger-damaged.txt"  # lines removed from a ledger


@dataclass(frozen=True)
class JournalState:
    """State of a journal: bytes of a half-written line; whether it had no end; has measurements."""

    half: int
    dead: bool
    measured: bool


def check_journal(folder: Path) -> None:
    """Raises `DataError` for a readable line that cannot follow the lines before it."""
    ended, step = False, 0
    for number, event in enumerate(journal.events(folder)[0], 1):
        wrong = ""
        if ended and event.kind != "resume":
            wrong = "comes after the end of the run"
        elif event.kind == "record" and event.step < step:
            wrong = f"goes back from step {step} to step {event.step}"
        if wrong:
            raise DataError(f"line {number} {wrong}", key=str(folder / journal.EVENTS))
        ended = event.kind == "finish"
        step = event.step if event.kind == "record" else step


def close_dead_run(folder: Path, *, dry: bool) -> JournalState:
    """Cut the half-written last line of a dead run's journal, and end the run as KILLED.

    The end has the time of the last event. Raises `BlockingIOError` for a run that is being
    trained, and `DataError` for a damaged journal, which is left unchanged.
    """
    events, end = journal.events(folder)
    half = (folder / journal.EVENTS).stat().st_size - end
    dead = not events or events[-1].kind != "finish"
    measured = sum(e.is_measurement for e in events)
    if dead and (wrong := _lost(folder, measured)):
        raise DataError(wrong, key=str(folder / journal.EVENTS))
    if (half or dead) and not dry:
        book = journal.Journal.resumed(folder)
        try:
            now = journal.events(folder)[0]
            if not now:
                book.finish(Status.KILLED)
            elif now[-1].kind != "finish":
                last = now[-1]
                book.finish(Status.KILLED, time_ms=last.time_ms, elapsed=last.elapsed)
        finally:
            book.close()
    return JournalState(half, dead, measured > 0)


def _lost(folder: Path, measured: int) -> str:
    """Evidence that a journal without an end has lost more than its end; else empty."""
    if not measured and (folder / "network.npz").exists():
        return "it has no measurement, but there is a trained network"
    # a damaged checkpoint is reported elsewhere
    with suppress(OSError, DataError, LookupError, TypeError, ValueError):
        counted = int(checkpoint.load(folder / checkpoint.FOLDER / checkpoint.LAST)["measured"])
        if counted > measured:
            return f"it has {measured} measurements, and the checkpoint counts {counted}"
    return ""


def links(folder: Path) -> list[Path]:
    """The links in the folder of a run or sweep, without those of its runs or probes."""
    links: list[Path] = []
    for at, folders, names in os.walk(folder):
        links += [path for name in (*folders, *names) if (path := Path(at, name)).is_symlink()]
        folders[:] = [name for name in folders if name not in (paths.RUNS, journal.PROBES)]
    return sorted(links)


def damaged_checkpoints(folder: Path) -> Iterator[tuple[Path, str]]:
    """The checkpoints that cannot be read, each with what is wrong and what to do."""
    for name, read in (
        (checkpoint.LAST, checkpoint.load),
        (checkpoint.BEST, network_file.load_network),
    ):
        path = folder / checkpoint.FOLDER / name
        try:
            if path.exists():
                read(path)
        except PluginError:
            continue  # its plugins are elsewhere
        except DataError as e:
            last = ", and resume starts again from step 0" if name == checkpoint.LAST else ""
            yield path, f"{e.message.replace(f'{path} ', '')}; delete it{last}"


def undescribed(folder: Path) -> Iterator[tuple[str, str]]:
    """The damaged or missing descriptions of a run, each with what is wrong."""
    for name, read in ((RUN_FILE, RunDescription.read), (CONFIG_FILE, _check_configuration)):
        try:
            read(folder)
        except FileNotFoundError:
            yield name, MISSING
        except (ValueError, yaml.YAMLError, RecursionError) as e:
            yield name, f"is damaged ({e.message if isinstance(e, UserError) else e})"


def _check_configuration(folder: Path) -> None:
    text = (folder / CONFIG_FILE).read_text("utf-8", "surrogateescape")
    if not isinstance(yaml.safe_load(text), dict):
        raise ValueError("it is not a mapping")


def mend_ledger(sweep: Path, *, dry: bool) -> Iterator[str]:
    """Move damaged lines of a ledger to another file; yields messages.

    A run without a line is found by its journal when the sweep is resumed. Raises
    `BlockingIOError` while a command works on the sweep.
    """
    path = sweep / LEDGER
    if not path.exists():
        return
    with nullcontext() if dry else _held(sweep):
        paths.check_inside(path)
        lines = path.read_bytes().splitlines(keepends=True)
        bad = [i for i, line in enumerate(lines) if not _is_entry(line)]
        if bad and not dry:
            paths.check_inside(sweep / DAMAGED)
            with (sweep / DAMAGED).open("ab") as file:
                file.writelines(lines[i].rstrip(b"\n") + b"\n" for i in bad)
            with staged(path) as whole:
                whole.writelines(line for i, line in enumerate(lines) if i not in bad)
    for i in bad:
        half = i == len(lines) - 1 and not lines[i].endswith(b"\n")
        cut = f"its last line is incomplete: {len(lines[i])} bytes removed"
        what = cut if half else f"line {i + 1} is damaged"
        yield f"{what}, kept in {DAMAGED}; resume continues its run"


def _is_entry(line: bytes) -> bool:
    """Whether a line of a ledger is complete and can be read."""
    with suppress(ValueError):
        return bool(entry_of(line)) and line.endswith(b"\n")
    return False


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    try:
        with lock(folder / journal.LOCK, timeout=0.3):
            yield
    except Timeout:
        raise BlockingIOError(f"{folder} is being written") from None


def way(folder: Path, sweep: Path | None, probed: Path | None) -> str:
    """The command that continues a killed run."""
    if probed:
        return f"again: {shell.command('probe', shell.name_of(probed), *_observers(folder))}"
    resume = shell.command("resume", shell.name_of(sweep or folder))
    return f"{'its sweep goes on with it' if sweep else 'go on'}: {resume}"


def _observers(probe: Path) -> list[str]:
    """The observers of a probe; if unknown, one that suits every run."""
    with suppress(OSError, ValueError):
        if any(overrides := RunDescription.read(probe).overrides):
            return overrides
    discovery.discover()
    observers = every_of(Observer)
    fit = (o.name for o in observers if not (o.needs or o.live or o.does_nothing))
    return [f"observer={name}" for name in fit][:1]
