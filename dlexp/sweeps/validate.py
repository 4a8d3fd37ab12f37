"""Validates all jobs before the first of them starts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dlexp.config import Composition, Setup
from dlexp.errors import UserError
from dlexp.runs.provenance import one_blas_thread
from dlexp.runs.run import Run


def jobs(sweep: Composition, overrides: Iterable[Sequence[str]]) -> list[tuple[list[str], Setup]]:
    """Each job's overrides and setup. Raises the `UserError` of the first invalid job.

    Data are loaded and networks built once for each different combination of the parts that matter
    for it.
    """
    made = []
    tried: set[Any] = set()
    for setup in sweep.setups(overrides):
        try:
            _try(setup, tried)
        except UserError as e:
            raise sweep.placed(e) from None
        made.append((list(setup.overrides), setup))
    return made


def _try(setup: Setup, tried: set[Any]) -> None:
    e = setup.experiment
    parts = (
        e.objective,
        e.data,
        e.model,
        e.normalization,
        e.regularizer,
        e.batch_size,
        e.early_stopping,
        e.dtype,
        e.observer,
    )
    if parts not in tried:
        tried.add(parts)
        try:
            with one_blas_thread():
                setup.checked(Run(e, e.trainer()))
        except UserError as error:
            raise setup.with_location(error) from None
