"""A run's life: compose → validate everything → create the run folder → train → finish.

A bad value is refused before any folder exists. Training writes the journal and nothing else; a
sender, a process of its own, mirrors it to MLflow meanwhile.
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
    """Train what `python -m dlexp <overrides>` would. Raises `UserError`, and whatever the training
    raises.

    A diverged run is returned, with that status. `keep=False` writes nothing: no folder, no
    figures, no MLflow.
    """
    from dlexp.config import compose_run

    with _ONE_AT_A_TIME:
        run = perform(compose_run(*overrides), keep=keep)
    if run.error is not None and run.status != Status.DIVERGED:
        raise run.error
    return run


@dataclass(frozen=True)
class Place:
    """Where a run is kept. One that is not `standalone` belongs to a sweep, which sends it to MLflow and
    needs no model.
    """

    folder: Path
    identity: str
    tags: Mapping[str, str] = field(default_factory=dict)
    standalone: bool = True
    # what its sweep says: a worker's environment may say something else
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
    """Train one setup and return its run, whatever became of it; `run.status` says which.

    `loaded` is called when the data are loaded and nothing is created yet, and may raise. Raises
    `UserError` for what cannot be trained (the data, the sizes), before anything is created.
    """
    with _at_work() as interruption:
        run = assembled(setup)
        loaded()
        if not keep:
            with interruption.patience():
                _train(run, interruption.raise_if_requested)
            return run
        place = place or Place.new(setup.experiment)
        run.folder = place.folder
        name = provenance.run_name(run.experiment)
        book = journal.begun(
            run.folder,
            _describe(setup, run, place, name),
            {CONFIG_FILE: setup.yaml, "run.log": ""},
        )
        with logged_to(run.folder / "run.log"):
            log.info("%s: %s", name, run.folder)
            log.info("asked for: %s", " ".join(setup.overrides) or "the defaults")
            for line in run.dataset.messages() if run.dataset else ():
                log.info("%s", line)
            keeper = Checkpointer(run, book, setup.checkpoint, interruption)
            _train_and_keep(run, setup, keeper, standalone=place.standalone)
    return run


def resume(folder: Path, *, anyway: bool = False) -> Run:
    """Go on with a run that was cut short, from its last checkpoint or from the start; to the bit
    the same run.

    With `anyway`, also under other code or arithmetic: the run is then a mixture, and says so
    wherever it is shown. Raises `UserError` for a run that is being trained, that has its result,
    or that would be another run now.
    """
    try:
        return go_on(folder, anyway=anyway)
    except CheckpointError as e:
        e.message += "; delete it to begin anew"
        raise


def go_on(folder: Path, *, anyway: bool = False) -> Run:
    """The same, without advice in the messages of its errors.

    Raises `Busy` while another process trains the run, `OtherRun` where it would be another run,
    `CheckpointError` for a checkpoint that cannot be used, and other `UserError` for what cannot be
    read or has its result.
    """
    past = records.read(folder)
    past.check_resumable()
    with _at_work() as interruption, logged_to(folder / "run.log"):
        run = assembled(past.setup)
        if note := past.framework_note(run):
            log.info(note)
        changes = [change.said for change in past.check_same(run, anyway=anyway)]
        for change in changes:
            log.warning("not as when the run began: %s", change)
        run.folder, run.mixed = folder, [*dict.fromkeys([*past.mixed, *changes])]
        try:
            book = journal.Journal.resumed(folder)
        except BlockingIOError:
            raise Busy("is being trained now", key="resume", value=folder.name) from None
        except OSError as e:
            raise in_the_way(e, e.filename or folder) from None
        keeper = Checkpointer(run, book, past.setup.checkpoint, interruption)
        try:
            log.info("resumed at step %d", keeper.restore(changes))
        except UserError:
            book.close()
            raise
        _train_and_keep(
            run,
            past.setup,
            keeper,
            standalone=past.description.sweep is None,
        )
    return run


@contextmanager
def _at_work() -> Iterator[Interruption]:
    """Inside, this process trains: with one BLAS thread and interruptions that wait for a step."""
    with _ONE_AT_A_TIME, provenance.one_blas_thread(), deferred_signals() as interruption:
        yield interruption


def assembled(setup: Setup) -> Run:
    """The run of a setup, before its first step. Raises `UserError` for what cannot be trained,
    with its place.
    """
    try:
        run = Run(setup.experiment, setup.experiment.trainer())
    except UserError as e:
        raise setup.with_location(e) from None
    return setup.checked(run)


def _train(
    run: Run, after_step: Callable[[], None], ended: Callable[[], None] = lambda: None
) -> None:
    """Train, and do what belongs to a trained network; the status and the error say how it ended."""
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
        log.info("from here:", exc_info=True)
    except BaseException as e:
        run.status, run.error = Status.FAILED, e
        if is_of_the_machine(e):
            log.error("the run failed at step %d: %s", run.trainer.t, describe_error(e))
        else:
            log.exception("the run failed at step %d", run.trainer.t)


def _train_and_keep(run: Run, setup: Setup, keeper: Checkpointer, *, standalone: bool) -> None:
    """Train with a folder, a journal and a sender; wait at the end for what is still to be sent."""

    def ended() -> None:
        keeper.save_best()
        if standalone and run.network is not None:
            output = run.experiment.objective.output
            network_file.save_network(
                folder / "network.npz", run.network, output=output, dataset=run.dataset
            )

    assert run.folder is not None
    folder = run.folder
    run.journal = keeper.book
    tracked = standalone and isinstance(setup.tracking, MLflow)
    sender = tracking.start([folder]) if tracked else None
    began = time.monotonic()
    with keeper.interruption.patience():
        _train(run, keeper, ended)
    log.info("%s after %d steps in %.2f s", run.status, run.trainer.t, time.monotonic() - began)
    try:
        keeper.book.finish(
            run.status,
            describe_error(run.error) if run.error else None,
            weights=provenance.weights(run),
        )
    except OSError as e:
        log.error("how the run ended cannot be written down: %s", describe_error(e))
    if sender is not None and isinstance(setup.tracking, MLflow):
        try:
            run.tracked = sender.wait(setup.tracking.wait)
        except KeyboardInterrupt as e:
            # the run has its result, and says so; the command was cut short
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
    return (
        signals.exit_status(run.error)
        if isinstance(run.error, KeyboardInterrupt)
        else EXIT[run.status]
    )


__all__ = ["Experiment", "Record", "exit_status", "perform", "run_overrides"]
