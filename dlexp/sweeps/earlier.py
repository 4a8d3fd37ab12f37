"""Finds members of a sweep that an earlier version of dlexp trained: their keys differ.

Such a run keeps its key and its folder. Its run.json tells which job it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from dlexp.core.experiment import streams
from dlexp.core.kinds import Data
from dlexp.errors import UserError
from dlexp.runs import identity
from dlexp.runs.records import configuration_changes
from dlexp.storage.ledger import Ledger
from dlexp.storage.records import RunDescription
from dlexp.sweeps.job import PlannedJob

OLD_FOLDER = re.compile(r"([0-9a-f]{16})-")  # today's keys begin with NUMERICS and a hyphen


class Member(NamedTuple):
    """An earlier run of a sweep."""

    key: str
    folder: str
    description: RunDescription


Members = Mapping[str, Member]  # by the identity of the run


def members(sweep: Path) -> Members:
    """The earlier runs in a sweep's folder; of equal ones, one with a result counts.

    A folder whose name has today's form is not opened.
    """
    read, by_key = list(_read(sweep / "runs")), dict[str, Member]()
    ledger = Ledger(sweep)
    if read:
        ledger.read()
    for member in read:
        known = identity.of_record(member.description)
        if known and (known.key() not in by_key or ledger.has_result(member.key)):
            by_key[known.key()] = member
    return by_key


def _read(runs: Path) -> Iterator[Member]:
    for folder in sorted(runs.glob("*-*")):
        if old := OLD_FOLDER.match(folder.name):
            try:
                yield Member(old[1], folder.name, RunDescription.read(folder))
            except (OSError, ValueError, UserError):
                continue  # it was killed before the file was written


def recognized(jobs: Iterable[PlannedJob], members: Members) -> Iterator[PlannedJob]:
    """The jobs; a job that an earlier run has done gets the key and folder of that run."""
    for job in jobs:
        member = members.get(identity.of_experiment(job.setup.experiment).key())
        if member is not None and _is_same(member.description, job):
            job = job._replace(key=member.key, folder=member.folder)
        yield job


def _is_same(description: RunDescription, job: PlannedJob) -> bool:
    """Whether an earlier run of equal identity had exactly the job's settings and data."""
    e = job.setup.experiment
    if any(configuration_changes(description, e)):
        return False
    digest = (description.dataset or {}).get("sha256")
    return digest is None or digest == _digest_of_data(
        e.data, e.seed, *job.ingredients.data.values()
    )


@cache
def _digest_of_data(data: Data, seed: int, *files: str) -> str:
    """The digest of the arrays in these files: earlier runs did not record digests of files."""
    return str(data.dataset(streams(seed)["split"]).describe()["sha256"])
