"""Saves a run's state: by time, by epoch, and before an interruption ends it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dlexp import paths
from dlexp.errors import DataError
from dlexp.runs.run import Run
from dlexp.runs.signals import Interruption
from dlexp.storage import checkpoint, network_file
from dlexp.storage.atomic import STAGED, is_left
from dlexp.storage.checkpoint import BEST, FOLDER, LAST, Checkpointing
from dlexp.storage.journal import PROBES, Journal


class CheckpointError(DataError):
    """A checkpoint from which training cannot continue."""


class Checkpointer:
    """Called between two steps: save what is due, and end the run if a signal requested it."""

    def __init__(
        self, run: Run, book: Journal, settings: Checkpointing, interruption: Interruption
    ) -> None:
        assert run.folder is not None
        self.run, self.book, self.settings, self.interruption = run, book, settings, interruption
        self.folder = run.folder / FOLDER
        self._saved, self._best = time.monotonic(), -1

    def __call__(self) -> None:
        """Raises the requested interruption, and `OSError` if the state cannot be saved."""
        if self.interruption.requested is not None or self._is_due():
            self.save()
        self.interruption.raise_if_requested()

    def _is_due(self) -> bool:
        trainer, every = self.run.trainer, self.settings
        if every.epochs and trainer.t % (every.epochs * trainer.problem.steps_per_epoch) == 0:
            return True
        return every.seconds is not None and time.monotonic() - self._saved >= every.seconds

    def save(self) -> None:
        """Write last.npz, and best.npz if the network has improved."""
        paths.made(self.folder)
        self.book.sync()  # the state relies on the measurements before it
        state = self.run.state_dict() | {"measured": self.book.measured}
        checkpoint.save(self.folder / LAST, state)
        self.save_best()
        self._saved = time.monotonic()

    def save_best(self) -> None:
        """Write the best network so far, if a state was saved and this network was not."""
        best, network = self.run.trainer.best, self.run.network
        if network is None or best.storage is None or best.step == self._best:
            return
        if not self.folder.is_dir():
            return
        storage = network.params.storage
        now = storage.copy()
        try:
            storage[...] = best.storage
            output = self.run.experiment.objective.output
            network_file.save_network(
                self.folder / BEST, network, output=output, dataset=self.run.dataset
            )
        finally:
            storage[...] = now
        self._best = best.step

    def restore(self, changes: Sequence[str] = ()) -> int:
        """Restore the last saved state, or the start; return the step. `changes` are recorded.

        Raises `CheckpointError` for a checkpoint that is damaged or of another network, and
        `DataError` for a journal that has lost measurements.
        """
        for left in leftovers(self.folder.parent):  # of figures and arrays too
            with suppress(OSError):
                left.unlink()
        path = self.folder / LAST
        try:
            saved = checkpoint.load(path)
        except FileNotFoundError:
            self.book.go_on(0, 0, changes)
            return 0
        except DataError as e:
            raise CheckpointError(e.message, key=e.key) from None
        try:
            measured, step = int(saved["measured"]), int(saved["trainer"]["t"])
        except (ValueError, LookupError, TypeError) as e:
            raise _unfit(path, e) from None
        records = self.book.go_on(measured, step, changes)
        try:
            self.run.load_state_dict(saved, records)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as e:
            raise _unfit(path, e) from None
        return self.run.trainer.t


def leftovers(folder: Path) -> list[Path]:
    """Half-written files of ended processes in a run folder, except its probes."""
    staged = folder.rglob(f"*{STAGED}")
    own = (path for path in staged if PROBES not in path.relative_to(folder).parts)
    return sorted(filter(is_left, own))


def _unfit(path: Path, e: Exception) -> CheckpointError:
    return CheckpointError(f"the checkpoint does not fit what is trained now: {e}", key=str(path))
