"""When a run's state is saved: by the clock, by the epoch, and before an interruption is obeyed."""

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
    """A checkpoint that training cannot go on from."""


class Checkpointer:
    """What a run does between two of its steps: save what is due, and end if that was asked for."""

    def __init__(
        self, run: Run, book: Journal, settings: Checkpointing, interruption: Interruption
    ) -> None:
        assert run.folder is not None
        self.run, self.book, self.settings, self.interruption = run, book, settings, interruption
        self.folder = run.folder / FOLDER
        self._saved, self._best = time.monotonic(), -1

    def __call__(self) -> None:
        """Raises the interruption that was asked for, `OSError` where the state cannot be saved."""
        if self.interruption.asked is not None or self._is_due():
            self.save()
        self.interruption.raise_if_requested()

    def _is_due(self) -> bool:
        trainer, every = self.run.trainer, self.settings
        if every.epochs and trainer.t % (every.epochs * trainer.problem.steps_per_epoch) == 0:
            return True
        return every.seconds is not None and time.monotonic() - self._saved >= every.seconds

    def save(self) -> None:
        """Write last.npz, and best.npz where there is a better one."""
        paths.made(self.folder)
        self.book.sync()  # the state counts on what was measured before it
        checkpoint.save(
            self.folder / LAST, self.run.state_dict() | {"measured": self.book.measured}
        )
        self.save_best()
        self._saved = time.monotonic()

    def save_best(self) -> None:
        """Write the network at its best validation so far, if a state was ever saved and that one
        is new.
        """
        best, network = self.run.trainer.best, self.run.network
        if (
            network is None
            or best.storage is None
            or best.step == self._best
            or not self.folder.is_dir()
        ):
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
        """Put the run where it was last saved, or at its beginning; the step it goes on from.

        The `changes` since it began are written down.

        Raises `CheckpointError` for a checkpoint that is damaged, or of another network than this,
        and `DataError` for a journal that has lost measurements.
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
    """What processes that are no more left half written of a run; its probes are others' business."""
    found = (
        path for path in folder.rglob(f"*{STAGED}") if PROBES not in path.relative_to(folder).parts
    )
    return sorted(filter(is_left, found))


def _unfit(path: Path, e: Exception) -> CheckpointError:
    return CheckpointError(f"the checkpoint does not fit what is trained now: {e}", key=str(path))
