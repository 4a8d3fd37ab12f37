"""The places of artifacts in an SQLite store, which MLflow keeps as absolute paths. No MLflow.

A store that was moved or copied with its folder still names its former place. dlexp creates its
experiments with the folder `mlartifacts` beside the store, so another folder of that name is the
former place of the store.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from filelock import Timeout

from dlexp.storage import atomic, journal
from dlexp.storage.records import CONFIG_FILE, RUN_FILE, is_sweep
from dlexp.tracking import page, state as states
from dlexp.tracking.address import ARTIFACTS, store_file
from dlexp.tracking.state import State

# enough to train it again: `dlexp replay`
FILES = (CONFIG_FILE, "run.log", RUN_FILE, journal.EVENTS)
FIGURES, NETWORK = "figures", "network.npz"
BUSY = 5.0  # seconds to wait for a store
PLACES = {  # the columns of MLflow's tables that hold places of artifacts
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
    "trace_tags": ("value",),
}
# the texts of pages that name folders
NOTES = {"tags": ("key", "value"), "logged_model_tags": ("tag_key", "tag_value")}
NOTE = "mlflow.note.content"


@dataclass(frozen=True)
class Moved:
    """A store's former and present folder, and how many places of artifacts name the former."""

    before: Path
    now: Path
    places: int


def settle(store: Path, *, dry: bool = False) -> list[Moved]:
    """Correct the former places in a store; the caller holds its lock. `dry` only counts.

    Raises `sqlite3.Error` for a store that cannot be read, or cannot be written although it must
    be.
    """
    with _opened(store) as file:
        moves = [
            Moved(before, store.parent, _count(file, before))
            for before in _former(file, store.parent)
        ]
    if moves and not dry:
        with _opened(store, "rw") as file, file:
            for moved in moves:
                _rewrite(file, moved)
    return moves


def settle_if_possible(store: Path) -> None:
    """The same, with the store's lock, for readers that do not depend on it; ignores failures."""
    with suppress(sqlite3.Error, OSError, Timeout):
        if store.is_file() and settle(store, dry=True):
            with atomic.lock(store.with_name(f"{store.name}.lock"), timeout=BUSY):
                settle(store)


def keep_beside(store: Path) -> None:
    """Make MLflow's default experiment of a new store keep its artifacts beside the store."""
    with _opened(store, "rw") as file, file:
        place = (store.parent / ARTIFACTS / "0").as_uri()
        file.execute(
            "UPDATE experiments SET artifact_location = ? WHERE experiment_id = 0", (place,)
        )


def lost(folder: Path, state: State | None = None) -> list[str]:
    """The sent files of a run or sweep that are no longer artifacts in an SQLite store."""
    state = state or states.load(folder)
    store = store_file(state.uri)
    if store is None or not state.run_id or not store.is_file():
        return []
    with suppress(sqlite3.Error), _opened(store) as file:
        former = _former(file, store.parent)
        wanted = "SELECT artifact_uri FROM runs WHERE run_uuid = ? AND lifecycle_stage = 'active'"
        roots = [
            _now(uri, former, store.parent) for (uri,) in file.execute(wanted, (state.run_id,))
        ]
        wanted = (
            "SELECT artifact_location FROM logged_models WHERE source_run_id = ? AND"
            " lifecycle_stage = 'active'"
        )
        models = [
            _now(uri, former, store.parent) for (uri,) in file.execute(wanted, (state.run_id,))
        ]
        names = [
            name for root in roots if root for name in _sent(folder) if not (root / name).is_file()
        ]
        return names + ["its model" for root in models if root and not is_whole_model(root)]
    return []


def is_whole_model(place: Path) -> bool:
    """Whether the folder of a logged model has all that is needed to load it."""
    return (place / "MLmodel").is_file() and (place / "data" / NETWORK).is_file()


def local(uri: str | None) -> Path | None:
    """The local folder of an artifact address; None for any other address.

    >>> local("file:///home/ann/my%20outputs").as_posix(), local("mlflow-artifacts:/1")
    ('/home/ann/my outputs', None)
    """
    if uri and uri.startswith("file://"):
        return Path(os.fsdecode(unquote_to_bytes(uri.removeprefix("file://"))))
    return Path(uri) if uri and uri.startswith("/") else None


def _sent(folder: Path) -> Iterator[str]:
    """The names under which the files of a run or sweep are sent."""
    sweep = is_sweep(folder)
    for name in () if sweep else FILES:
        if (folder / name).is_file():
            yield name
    for file in (folder / (states.REPORT if sweep else FIGURES)).rglob("*"):
        if file.is_file() and not file.name.endswith(".part"):
            yield file.relative_to(folder).as_posix()


def _opened(store: Path, mode: str = "ro") -> closing[sqlite3.Connection]:
    return closing(
        sqlite3.connect(f"{store.absolute().as_uri()}?mode={mode}", uri=True, timeout=BUSY)
    )


def _columns(file: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in file.execute(f"PRAGMA table_info({table})")}


def _former(file: sqlite3.Connection, here: Path) -> list[Path]:
    """The folders of the store by dlexp's experiments, except its present one."""
    if not _columns(file, "experiments") or not _columns(file, "experiment_tags"):
        return []
    wanted = (
        "SELECT DISTINCT artifact_location FROM experiments JOIN experiment_tags USING"
        " (experiment_id) WHERE key = ?"
    )
    places = [local(uri) for (uri,) in file.execute(wanted, (page.VIEW_TAG,))]
    moves = [place.parent for place in places if place is not None and place.name == ARTIFACTS]
    return [before for before in moves if os.path.realpath(before) != os.path.realpath(here)]


def _pairs(before: Path, here: Path) -> list[tuple[str, str]]:
    """Former beginnings of places with their present ones.

    MLflow's default experiment used to keep its artifacts in the working folder, which contained
    `outputs`.
    """
    folders = [(before, here), (before.parent / "mlruns", here.parent / "mlruns")]
    return [pair for b, h in folders for pair in ((b.as_uri(), h.as_uri()), (str(b), str(h)))]


def _now(uri: str | None, former: Sequence[Path], here: Path) -> Path | None:
    """The present folder of artifacts whose address may name a former one."""
    place = local(uri)
    for before in former:
        if place is not None and before in place.parents:
            return here / place.relative_to(before)
    return place


def _columns_of_places(file: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for table, columns in PLACES.items():
        known = _columns(file, table)
        yield from ((table, column) for column in columns if column in known)


BEGINS = "(substr({0}, 1, length(:old)) = :old AND substr({0}, length(:old) + 1, 1) IN ('', '/'))"


def _count(file: sqlite3.Connection, before: Path) -> int:
    number = 0
    for table, column in _columns_of_places(file):
        for old, _ in _pairs(before, before):
            query = f"SELECT count(*) FROM {table} WHERE {BEGINS.format(column)}"
            number += int(file.execute(query, {"old": old}).fetchone()[0])
    return number


def _rewrite(file: sqlite3.Connection, moved: Moved) -> None:
    for old, new in _pairs(moved.before, moved.now):
        for table, column in _columns_of_places(file):
            query = f"UPDATE {table} SET {column} = :new || substr({column}, length(:old) + 1)"
            file.execute(f"{query} WHERE {BEGINS.format(column)}", {"old": old, "new": new})
    old, new = f"{moved.before}/", f"{moved.now}/"
    for table, (key, text) in NOTES.items():
        if _columns(file, table):
            query = f"UPDATE {table} SET {text} = replace({text}, ?, ?) WHERE {key} = ?"
            file.execute(query, (old, new, NOTE))
