"""What a sweep is to train: validated jobs, each with its key, its code and its data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dlexp.config import Setup
from dlexp.runs import provenance
from dlexp.storage import atomic
from dlexp.sweeps.identity import Ingredients, run_key


class Planned(NamedTuple):
    """A validated job, and the code and the data it is to be trained with."""

    key: str
    overrides: Sequence[str]
    setup: Setup
    held: Ingredients

    @property
    def folder(self) -> str:
        """The name of its run folder in the sweep: told by its key, with words for people."""
        return f"{self.key}-{atomic.slug(provenance.run_name(self.setup.experiment))}"


def planned(jobs: Iterable[tuple[Sequence[str], Setup]]) -> list[Planned]:
    """The jobs with their keys. Raises `OSError` where a file of data cannot be read."""
    found = []
    for overrides, setup in jobs:
        held = Ingredients.of(setup.experiment)
        found.append(Planned(run_key(setup.experiment, held), overrides, setup, held))
    return found
