"""Observers."""

import sys
from collections import Counter

import numpy as np

from dlexp import Observer
from faults import MEMORY, wrong


@wrong("cannot_change_a_number", also="survives_a_surface")
class Nudging(Observer):
    def record(self, run, s, record):
        run.trainer.problem.params.values[0] += 1e-15


@wrong("cannot_change_a_number", also="survives_a_surface")
class Drawing(Observer):
    def start(self, run, s):
        run.trainer.rngs["noise"].random()


@wrong("cannot_change_a_number", also="draws_on_no_global_random_state")
class Shuffling(Observer):
    def finish(self, run, s, error):
        np.random.shuffle(np.arange(3))


@wrong("cannot_change_a_number")
class Impatient(Observer):
    def record(self, run, s, record):
        run.trainer.total = min(run.trainer.total, 7)


@wrong("survives_a_run_without_a_folder", also="watches_two_runs_at_once")
class Homely(Observer):
    def finish(self, run, s, error):
        (run.folder / "note.txt").write_text("done")


@wrong("survives_a_diverged_run")
class Hopeful(Observer):
    def finish(self, run, s, error):
        s.accuracy = (
            run.metrics["test/accuracy"] if not hasattr(run.experiment.objective, "f") else None
        )


@wrong("survives_an_untrained_run")
class Busy(Observer):
    def finish(self, run, s, error):
        s.rate = len(run.records) / run.trainer.t


@wrong("survives_a_surface")
class Narrow(Observer):
    def start(self, run, s):
        s.classes = run.dataset.n_classes


@wrong("survives_a_diverged_run")
class Quitting(Observer):
    def finish(self, run, s, error):
        if error is not None:
            sys.exit(1)


@wrong("watches_two_runs_at_once")
class Mixing(Observer):
    def start(self, run, s):
        MEMORY["loss"] = 0.0

    def record(self, run, s, record):
        MEMORY["loss"] += run.metrics["train/loss"]
        run.note({"sum": MEMORY["loss"]})


@wrong("notes_what_it_declares")
class Talkative(Observer):
    measures = ("talk/*",)

    def record(self, run, s, record):
        run.note({"talk/loss": run.metrics["train/loss"], "more": 1.0})


@wrong("resumes_bit_for_bit")
class Tallying(Observer):
    def start(self, run, s):
        s.tally = Counter()  # no plain dict: a resumed run begins to count anew

    def record(self, run, s, record):
        s.tally["records"] += 1

    def finish(self, run, s, error):
        run.save_arrays("tally", {"records": np.array(s.tally["records"])})
