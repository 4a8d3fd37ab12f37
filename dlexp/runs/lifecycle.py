"""The life of a run: compose, validate everything, create the run folder, train, finish.

A bad value is refused before a folder exists. Training writes the journal only; a sender, in a
separate process, mirrors it to MLflow.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlexp import paths, tracking
from dlexp.core.experiment import Experiment
from dlexp.core.records import Record
from dlexp.core.trainer import Diverged
from dlexp.errors import Busy, UserError, describe_error, is_of_the_machine
from dlexp.runs import identity, provenance, records, signals
from dlexp.runs.checkpointing import Checkpointer, CheckpointError
from dlexp.runs.run import Run
from dlexp.runs.run_log import in_the_way, logged_to
from dlexp.runs.signals import Interruption, deferred_signals
from dlexp.storage import atomic, journal, network_file
from dlexp.storage.records import CONFIG_FILE, RunDescription
from dlexp.storage.status import Status
from dlexp.tracking.settings import MLflow, to_json

if TYPE_CHECKING:
    from dlexp.config import Setup

log = logging.getLogger("dlexp")

# Hydra and the number of BLAS threads belong to the whole process
_ONE_AT_A_TIME = threading.RLock()

EXIT = {Status.FINISHED: 0, Status.DIVERGED: 1, Status.FAILED: 1}


def run_overrides(overrides: tuple[str, ...], *, keep: bool = True) -> Run:
    """Train what `python -m dlexp <overrides>` would. Raises `UserError` and errors of training.

    A diverged run is returned, with that status. `keep=False` writes nothing.
    """
    from dlexp.config import compose_run

    with _ONE_AT_A_TIME:
        run = perform(compose_run(*overrides), keep=keep)
    if run.error is not None and run.status != Status.DIVERGED:
        raise run.error
    return run


@dataclass(frozen=True)
class Place:
    """Where a run is kept; a run that is not `standalone` belongs to a sweep, which tracks it."""

    folder: Path
    identity: str
    tags: Mapping[str, str] = field(default_factory=dict)
    standalone: bool = True
    # the settings of its sweep: a worker's environment may differ
    tracking: Mapping[str, Any] | None = None

    @staticmethod
    def new(experiment: Experiment) -> Place:
        """A new folder under the outputs folder."""
        identity = atomic.new_id()
        name = paths.native(atomic.slug(provenance.run_name(experiment)))
        return Place(paths.outputs() / "runs" / f"{identity}-{name}", identity)


def perform(
    setup: Setup,
    *,
    keep: bool = True,
    place: Place | None = None,
    loaded: Callable[[], None] = lambda: None,
) -> Run:
    """Train one setup and return its run, however it ended; `run.status` says how.

    `loaded` is called after the data are loaded and before anything is created, and may raise.
    Raises `UserError` for what cannot be trained (data, sizes), before anything is created.
    """
    with _training() as interruption:
        run = assembled(setup)
        loaded()
        if not keep:
            with interruption.patience():
                _train(run, interruption.raise_if_requested)
            return run
        place = place or Place.new(setup.experiment)
        run.folder = place.folder
        name = provenance.run_name(run.experiment)
        texts = {CONFIG_FILE: setup.yaml, "run.log": ""}
        book = journal.begun(run.folder, _describe(setup, run, place, name), texts)
        with logged_to(run.folder / "run.log"):
            log.info("%s: %s", name, run.folder)
            log.info("overrides: %s", " ".join(setup.overrides) or "none")
            for line in run.dataset.messages() if run.dataset else ():
                log.info("%s", line)
            checkpointer = Checkpointer(run, book, setup.checkpoint, interruption)
            _train_and_keep(run, setup, checkpointer, standalone=place.standalone)
    return run


def resume(folder: Path, *, anyway: bool = False) -> Run:
    """Continue an interrupted run from its last checkpoint, bit-identical to one in one piece.

    With `anyway`, also if code or arithmetic changed: the run is then marked as mixed. Raises
    `UserError` for a run that is being trained, has its result, or would be another run now.
    """
    try:
        return go_on(folder, anyway=anyway)
    except CheckpointError as e:
        e.message += "; delete it to start again from step 0"
        raise


def go_on(folder: Path, *, anyway: bool = False) -> Run:
    """The same, without advice in error messages.

    Raises `Busy` while another process trains the run, `OtherRun` if it would be another run,
    `CheckpointError` for a checkpoint that cannot be used, and `UserError` for a run that cannot be
    read or has its result.
    """
    past = records.read(folder)
    past.check_resumable()
    with _training() as interruption, logged_to(folder / "run.log"):
        run = assembled(past.setup)
        if note := past.framework_note(run):
            log.info(note)
        changes = [change.text for change in past.check_same(run, anyway=anyway)]
        for change in changes:
            log.warning("changed since the run began: %s", change)
        run.folder, run.mixed = folder, [*dict.fromkeys([*past.mixed, *changes])]
        try:
            book = journal.Journal.resumed(folder)
        except BlockingIOError:
            raise Busy("is being trained now", key="resume", value=folder.name) from None
        except OSError as e:
            raise in_the_way(e, e.filename or folder) from None
        checkpointer = Checkpointer(run, book, past.setup.checkpoint, interruption)
        try:
            log.info("resumed at step %d", checkpointer.restore(changes))
        except UserError:
            book.close()
            raise
        standalone = past.description.sweep is None
        _train_and_keep(run, past.setup, checkpointer, standalone=standalone)
    return run


@contextmanager
def _training() -> Iterator[Interruption]:
    """Inside, this process uses one BLAS thread, and interruptions wait for the end of a step."""
    with _ONE_AT_A_TIME, provenance.one_blas_thread(), deferred_signals() as interruption:
        yield interruption


def assembled(setup: Setup) -> Run:
    """The run of a setup before its first step. Raises `UserError` if it cannot be trained."""
    try:
        run = Run(setup.experiment, setup.experiment.trainer())
    except UserError as e:
        raise setup.with_location(e) from None
    return setup.checked(run)


def _train(
    run: Run, after_step: Callable[[], None], ended: Callable[[], None] = lambda: None
) -> None:
    """Train and save the network; the status and the error say how the run ended."""
    try:
        run.train(after_step)
        ended()
        run.status = Status.FINISHED
    except Diverged as e:
        run.status, run.error = Status.DIVERGED, e
        log.info("%s", e)
    except KeyboardInterrupt as e:
        run.status, run.error = Status.INTERRUPTED, e
    except SystemExit as e:
        run.status, run.error = Status.FAILED, e
        log.error("the run failed at step %d: %s", run.trainer.t, describe_error(e))
        log.info("traceback:", exc_info=True)
    except BaseException as e:
        run.status, run.error = Status.FAILED, e
        if is_of_the_machine(e):
            log.error("the run failed at step %d: %s", run.trainer.t, describe_error(e))
        else:
            log.exception("the run failed at step %d", run.trainer.t)


def _train_and_keep(
    run: Run, setup: Setup, checkpointer: Checkpointer, *, standalone: bool
) -> None:
    """Train with a folder, a journal and a sender; wait at the end until everything is sent."""

    def ended() -> None:
        checkpointer.save_best()
        if standalone and run.network is not None:
            output = run.experiment.objective.output
            network_file.save_network(
                folder / "network.npz", run.network, output=output, dataset=run.dataset
            )

    assert run.folder is not None
    folder = run.folder
    run.journal = checkpointer.book
    tracked = standalone and isinstance(setup.tracking, MLflow)
    sender = tracking.start([folder]) if tracked else None
    began = time.monotonic()
    with checkpointer.interruption.patience():
        _train(run, checkpointer, ended)
    log.info("%s after %d steps in %.2f s", run.status, run.trainer.t, time.monotonic() - began)
    try:
        checkpointer.book.finish(
            run.status,
            describe_error(run.error) if run.error else None,
            weights=provenance.weights(run),
        )
    except OSError as e:
        log.error("the end of the run cannot be written to the journal: %s", describe_error(e))
    if sender is not None and isinstance(setup.tracking, MLflow):
        try:
            run.tracked = sender.wait(setup.tracking.wait)
        except KeyboardInterrupt as e:
            # the run has its result; only the command was interrupted
            run.tracked = sender.left("interrupted while sending")
            run.error = run.error or e


def _describe(setup: Setup, run: Run, place: Place, name: str) -> RunDescription:
    return RunDescription(
        id=place.identity,
        name=name,
        created_ms=time.time_ns() // 1_000_000,
        params=run.experiment.params(),
        defaults=run.experiment.defaults(),
        tags=provenance.tags(list(setup.overrides)) | dict(place.tags),
        better=dict(run.experiment.objective.better),
        dataset=run.dataset.describe() if run.dataset else None,
        identity=identity.describe(run.experiment),
        sources=provenance.sources(run.experiment),
        tracking=to_json(setup.tracking) if place.standalone else place.tracking,
    )


def exit_status(run: Run) -> int:
    """0 finished, 1 diverged or failed, 130 Ctrl-C, 143 SIGTERM, 129 a closed terminal."""
    if isinstance(run.error, KeyboardInterrupt):
        return signals.exit_status(run.error)
    return EXIT[run.status]


__all__ = ["Experiment", "Record", "exit_status", "perform", "run_overrides"]
