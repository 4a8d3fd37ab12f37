"""What a sweep is to train: validated jobs, each with its key, its code and its data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dlexp.config import Setup
from dlexp.runs import provenance
from dlexp.storage import atomic
from dlexp.sweeps.identity import Ingredients, run_key


class Planned(NamedTuple):
    """A validated job, and the code and the data it is to be trained with.

    `folder` is the name of its run folder in the sweep: its key, with words for people.
    """

    key: str
    overrides: Sequence[str]
    setup: Setup
    held: Ingredients
    folder: str


def planned(jobs: Iterable[tuple[Sequence[str], Setup]]) -> list[Planned]:
    """The jobs with their keys. Raises `OSError` where a file of data cannot be read."""
    found = []
    for overrides, setup in jobs:
        held = Ingredients.of(setup.experiment)
        key = run_key(setup.experiment, held)
        folder = f"{key}-{atomic.slug(provenance.run_name(setup.experiment))}"
        found.append(Planned(key, overrides, setup, held, folder))
    return found
