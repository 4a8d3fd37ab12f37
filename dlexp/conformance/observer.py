"""Promises of every observer: it only reads, changes no number and stops no run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatch
from itertools import zip_longest
from pathlib import Path
from types import SimpleNamespace
from unittest import SkipTest

from dlexp.conformance import toy
from dlexp.core.experiment import Experiment
from dlexp.core.kinds.observer import Observer
from dlexp.core.records import Record
from dlexp.core.trainer import Diverged
from dlexp.runs.run import Run
from dlexp.storage import checkpoint
from dlexp.storage.status import Status

CUT = 5  # a run is interrupted after this step, within an epoch


class Notes(list[Record]):
    """A journal that keeps what observers note."""

    def record(self, record: Record, event: str = "record") -> None:
        """One note."""
        self.append(record)


def watching(p: Observer | None, run: Run) -> Iterator[None]:
    """A run with one observer, or none, like `Run.train`, but no exception is hidden."""
    s = SimpleNamespace()
    error: BaseException | None = None
    _tell(p, "start", run, s)
    try:
        for record in run.trainer.run():
            run.records.append(record)
            _tell(p, "record", run, s, record)
            yield
    except Diverged as e:
        error, run.status = e, Status.DIVERGED
    else:
        run.status = Status.FINISHED
    _tell(p, "finish", run, s, error)


def watched(p: Observer | None, parts: Experiment, place: Path | None) -> Run:
    """A whole run with an observer."""
    run = Run(parts, parts.trainer(), folder=place)
    for _ in watching(p, run):
        pass
    return run


def _tell(p: Observer | None, moment: str, *news: object) -> None:
    if p is None:
        return
    try:
        getattr(p, moment)(*news)
    except (Exception, SystemExit) as e:
        raise AssertionError(
            f"{moment} raises {type(e).__name__}: {e}; an observer must not raise"
        ) from e


def _unchanged(p: Observer, parts: Experiment, place: Path | None) -> Run:
    seen, unseen = watched(p, parts, place), watched(None, parts, None)
    differs = toy.same(toy.outcome(seen), toy.outcome(unseen))
    assert not differs, (
        f"it changes {differs}: work on copies, and try steps inside trainer.rehearsal()"
    )
    assert seen.trainer.t == unseen.trainer.t, "it changes the length of the run"
    return seen


def _noisy(**settings: object) -> Experiment:
    """A network with dropout, batch normalization and Adam: every interference changes numbers."""
    parts = (("regularizer", "dropout"), ("normalization", "batch_norm"), ("optimizer", "adam"))
    return toy.experiment(*(toy.part(kind, name) for kind, name in parts), **settings)


def check_cannot_change_a_number(p: Observer) -> None:
    with toy.folder() as place, toy.global_randomness() as touched:
        _unchanged(p, _noisy(), place)
    assert not touched, f"it uses {' and '.join(touched)}: give it its own generator"


def check_survives_a_run_without_a_folder(p: Observer) -> None:
    watched(p, _noisy(), None)


def check_survives_a_diverged_run(p: Observer) -> None:
    wild = toy.part("optimizer", "sgd", lr=1e200)
    with toy.folder() as place:
        run = watched(p, toy.experiment(wild), place)
    assert run.status == Status.DIVERGED, "the run should have diverged"


def check_survives_an_untrained_run(p: Observer) -> None:
    with toy.folder() as place:
        watched(p, _noisy(epochs=0), place)


def check_survives_a_surface(p: Observer) -> None:
    with toy.folder() as place:
        _unchanged(p, toy.experiment(toy.part("objective", "valley"), steps=5), place)


def check_watches_two_runs_at_once(p: Observer) -> None:
    """Its notes on a run do not depend on another run that alternates with it."""
    alone, together = ([_noted(seed) for seed in (0, 1)] for _ in "ab")
    for run, _ in alone:
        list(watching(p, run))
    for _ in zip_longest(*(watching(p, run) for run, _ in together)):
        pass
    same = [notes for _, notes in alone] == [notes for _, notes in together]
    assert same, "it notes other values when two runs alternate: keep state only in s"


def check_notes_what_it_declares(p: Observer) -> None:
    if p.measures is None:
        raise SkipTest("it does not declare what it measures")
    run, notes = _noted(seed=0)
    list(watching(p, run))
    noted = {name for note in notes for name in note.metrics}
    other = [n for n in sorted(noted) if not any(fnmatch(n, like) for like in p.measures)]
    assert not other, f"it notes {other[0]}, which is not in measures = {p.measures}: declare it"


def check_resumes_bit_for_bit(p: Observer) -> None:
    """Interrupted within an epoch and resumed in a new run, it leaves the same files."""
    with toy.folder() as place:
        whole, cut = _watched_run(p, place / "whole"), _watched_run(p, place / "cut")
        whole.train()

        def stop() -> None:
            if cut.trainer.t == CUT:
                checkpoint.save(place / "last.npz", cut.state_dict())
                raise KeyboardInterrupt

        with suppress(KeyboardInterrupt):
            cut.train(stop)
        saved, before = checkpoint.load(place / "last.npz"), cut.records
        resumed = _watched_run(p, place / "cut")
        resumed.load_state_dict(saved, before)
        resumed.train()
        differs = [
            name
            for name, content in _files(place / "whole").items()
            if _files(place / "cut").get(name) != content
        ]
    assert not differs, (
        f"a resumed run writes another {differs[0]}: keep its state as plain data in s"
    )


def _watched_run(p: Observer, place: Path) -> Run:
    place.mkdir(exist_ok=True)
    parts = replace(_noisy(), observer=(p,))
    return Run(parts, parts.trainer(), folder=place)


def _files(place: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(place)): path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def _noted(seed: int) -> tuple[Run, Notes]:
    parts, notes = _noisy(seed=seed), Notes()
    return Run(parts, parts.trainer(), journal=notes), notes
