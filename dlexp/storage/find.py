"""Finds a run or a sweep by what a user typed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from dlexp import paths, shell
from dlexp.errors import UserError, nearest
from dlexp.storage import ledger
from dlexp.storage.journal import EVENTS
from dlexp.storage.records import (
    SWEEP_FILE,
    RunDescription,
    SweepDescription,
    is_sweep,
    read_object,
)

MIRROR_FILE = "mlflow.json"  # how much of a run was sent to MLflow, and its id there
NAMED = 8  # names listed in an error message


def find(word: str, *, runs: bool = True, sweeps: bool = True) -> Path | None:
    """The folder of a run or a sweep; None if there is none. `is_sweep` tells them apart.

    The word is a path, a folder's name, an id, a sweep's name, MLflow's run id, or `last`: the one
    that changed last.
    """
    run = _run(word) if runs else None
    sweep = _sweep(word) if sweeps else None
    if run is None or sweep is None or word != "last":
        return run or sweep
    belongs = run.parent.name == paths.RUNS and run.parents[1].resolve() == sweep.resolve()
    return sweep if belongs or _changed(sweep / "lock") > _changed(run / EVENTS) else run


def must_find(word: str, key: str, *, runs: bool = True, sweeps: bool = True) -> Path:
    """As `find`, but raises `UserError`, which lists the known names, if there is none."""
    if (folder := find(word, runs=runs, sweeps=sweeps)) is not None:
        return folder
    alone = [f.name for f in reversed(all_runs()) if not (sweeps and is_sweep(f.parents[1]))]
    names = [*(sweep_names() if sweeps else ()), *(alone if runs else ())]
    what = " or ".join(["run"] * runs + ["sweep"] * sweeps)
    if not names:
        way = shell.command("-m", "optimizer=sgd,adam", "seed=0,1,2")
        made = "" if runs else f"; one is made by, say, {way}"
        wrong = f"there is no {what} in {paths.outputs()}{made}"
        raise UserError(wrong, key=key, value=word, where="command line")
    more = f", … ({len(names)} in all)" if len(names) > NAMED else ""
    raise UserError(
        f"there is no such {what}{'' if runs else f', nor a folder with a {SWEEP_FILE}'}",
        key=key,
        value=word,
        where="command line",
        allowed=f"last, {', '.join(names[:NAMED])}{more}",
        hint=nearest(word, [*names, "last"]),
    )


def all_runs() -> list[Path]:
    """The folders of all runs under outputs/, those of sweeps too, by name."""
    home = paths.outputs()
    journals = [*home.glob(f"runs/*/{EVENTS}"), *home.glob(f"sweeps/*/runs/*/{EVENTS}")]
    return sorted((path.parent for path in journals), key=lambda folder: folder.name)


def all_sweeps() -> list[Path]:
    """The folders of all sweeps under outputs/, by name."""
    return sorted(path.parent for path in (paths.outputs() / paths.SWEEPS).glob(f"*/{SWEEP_FILE}"))


def sweep_names() -> list[str]:
    """The names of the sweeps under outputs/."""
    return sorted({_described(folder).name or folder.name for folder in all_sweeps()})


def _run(word: str) -> Path | None:
    if (Path(word) / EVENTS).is_file():
        return Path(word)
    known = all_runs()
    if word == "last":
        return max(known, key=lambda f: (_changed(f / EVENTS), f.name), default=None)
    fits = [f for f in known if word == f.name] or [f for f in known if word and word in _ids(f)]
    return fits[-1] if fits else None


def _ids(folder: Path) -> Iterator[str]:
    """The ids of a run: its own and MLflow's."""
    with suppress(OSError, ValueError):
        yield RunDescription.read(folder).id
    with suppress(OSError, ValueError):
        yield str(read_object(folder / MIRROR_FILE).get("run_id") or "")


def _sweep(word: str) -> Path | None:
    if is_sweep(Path(word)):
        return Path(word)
    known = {folder: _described(folder) for folder in all_sweeps()}
    fits = [f for f in known if word in ("last", f.name, known[f].id)]
    fits = fits or [f for f in known if word == known[f].name]
    return max(fits, key=lambda f: (_ended(f, known[f]), f.name), default=None)


def _described(folder: Path) -> SweepDescription:
    try:
        return SweepDescription.read(folder)
    except (OSError, ValueError):
        return SweepDescription(id=folder.name)


def _ended(folder: Path, description: SweepDescription) -> int:
    """When a sweep last changed, by its own records."""
    entries = ledger.read(folder).entries
    return max([description.created_ms, *(entry.time_ms for entry in entries)])


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
