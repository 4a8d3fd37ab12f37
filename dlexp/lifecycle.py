"""A run's life: compose → validate everything → create the run folder → train → finish.

A bad value is refused before any folder exists. Training writes the journal and nothing else; a sender, a process of
its own, mirrors it to MLflow meanwhile.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlexp import journal, memory, places, provenance, serving, tracking
from dlexp.errors import UserError
from dlexp.experiment import Experiment, Run
from dlexp.tracking.settings import MLflow, told
from dlexp.trainer import Diverged, Record

if TYPE_CHECKING:
    from dlexp.config import Setup

log = logging.getLogger("dlexp")

_ONE_AT_A_TIME = threading.RLock()  # Hydra and the number of BLAS threads belong to the whole process

EXIT = {"FINISHED": 0, "DIVERGED": 1, "FAILED": 1, "INTERRUPTED": 130}


class Terminated(KeyboardInterrupt):
    """SIGTERM: the same as Ctrl-C, from somebody else."""


def run_overrides(overrides: tuple[str, ...], *, keep: bool = True) -> Run:
    """Train what `python -m dlexp <overrides>` would. Raises `UserError`, and whatever the training raises.

    A diverged run is returned, with that status. `keep=False` writes nothing: no folder, no figures, no MLflow.
    """
    from dlexp.config import compose

    with _ONE_AT_A_TIME:
        run = perform(compose(*overrides), keep=keep)
    if run.status in ("FAILED", "INTERRUPTED") and run.error is not None:
        raise run.error
    return run


@dataclass(frozen=True)
class Place:
    """Where a run is kept. One that is not `alone` belongs to a sweep, which sends it to MLflow and needs no model."""

    folder: Path
    identity: str
    tags: Mapping[str, str] = field(default_factory=dict)
    alone: bool = True

    @staticmethod
    def new(experiment: Experiment) -> Place:
        """A new folder under the outputs folder."""
        identity = journal.new_id()
        name = journal.slug(provenance.run_name(experiment))
        return Place(places.outputs() / "runs" / f"{identity}-{name}", identity)


def perform(setup: Setup, *, keep: bool = True, place: Place | None = None) -> Run:
    """Train one setup and return its run, whatever became of it; `run.status` says which.

    Raises `UserError` for what cannot be trained (the data, the sizes), before anything is created.
    """
    memory.keep_freed()
    with _ONE_AT_A_TIME, provenance.one_blas_thread(), _sigterm_interrupts():
        try:
            trainer = setup.experiment.trainer()
        except UserError as e:
            raise setup.placed(e) from None
        run = Run(setup.experiment, trainer)
        if keep:
            _train_and_keep(run, setup, place or Place.new(setup.experiment))
        else:
            _train(run)
    return run


def _train(run: Run) -> None:
    """Train; the status and the error say how it ended."""
    try:
        run.train()
        run.status = "FINISHED"
    except Diverged as e:
        run.status, run.error = "DIVERGED", e
        log.info("%s", e)
    except KeyboardInterrupt as e:
        run.status, run.error = "INTERRUPTED", e
    except Exception as e:
        run.status, run.error = "FAILED", e
        log.exception("the run failed at step %d", run.trainer.t)


def _train_and_keep(run: Run, setup: Setup, place: Place) -> None:
    """Train with a folder, a journal and a sender; wait at the end for what is still to be sent."""
    name = provenance.run_name(run.experiment)
    run.folder = place.folder
    book = _open(run.folder, _describe(setup, run, place, name))
    journal.write_atomically(run.folder / "config.yaml", setup.yaml)
    run.journal = book
    with _logged_to(run.folder / "run.log"):
        log.info("%s: %s", name, run.folder)
        log.info("asked for: %s", " ".join(setup.overrides) or "the defaults")
        tracked = place.alone and isinstance(setup.tracking, MLflow)
        sender = tracking.start([run.folder]) if tracked else None
        began = time.monotonic()
        _train(run)
        if place.alone and run.network is not None and run.status == "FINISHED":
            serving.save_network(run.folder / "network.npz", run.network)
        log.info("%s after %d steps in %.2f s", run.status, run.trainer.t, time.monotonic() - began)
    book.finish(run.status, str(run.error) if run.error else None)
    if sender is not None and isinstance(setup.tracking, MLflow):
        run.tracked = sender.wait(setup.tracking.wait)


def _open(folder: Path, description: dict[str, Any]) -> journal.Journal:
    try:
        return journal.Journal(folder, description)
    except OSError as e:
        wrong = f"the run folder cannot be created: {e.strerror or e}"
        raise UserError(wrong, key=str(folder), hint="") from None


def _describe(setup: Setup, run: Run, place: Place, name: str) -> dict[str, Any]:
    """What run.json says."""
    return {
        "id": place.identity,
        "name": name,
        "created_ms": time.time_ns() // 1_000_000,
        "params": run.experiment.params(),
        "defaults": run.experiment.defaults(),
        "tags": provenance.tags(list(setup.overrides)) | dict(place.tags),
        "dataset": run.dataset.describe() if run.dataset else None,
        "tracking": told(setup.tracking),
        "config_file": "config.yaml",
    }


@contextmanager
def _logged_to(path: Path) -> Iterator[None]:
    """What dlexp says, also into a file."""
    handler = logging.FileHandler(path, encoding="utf-8", errors="surrogateescape")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    before = log.level
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
        handler.close()


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Inside, SIGTERM ends a run as Ctrl-C does (where signals can be caught: in the main thread)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number: int, frame: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def exit_status(run: Run) -> int:
    """0 finished, 1 diverged or failed, 130 Ctrl-C, 143 SIGTERM."""
    return 143 if isinstance(run.error, Terminated) else EXIT[run.status]


__all__ = ["Experiment", "Record", "exit_status", "perform", "run_overrides"]
