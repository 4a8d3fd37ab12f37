"""A run's identity: `NUMERICS`, the code of its plugins, its choices and its data.

dlexp's own code is not part of it, so it can be moved or commented. Instead, one number stands for
all that it computes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dlexp.core.experiment import Experiment

# Raise it whenever dlexp's own code (not a plugin) gives some run other bits, or when the default
# of one of its own fields changes. tests/core/test_golden_weights.py notices both.
NUMERICS = 1


@dataclass(frozen=True)
class Identity:
    """All that decides a run's numbers, except its data and the machine.

    `numerics` is None if the code of dlexp belongs to no known version. `code` is the digest of
    each plugin's file, `choices` are `choices_of` the experiment.
    """

    numerics: int | None
    code: Mapping[str, str]
    choices: Mapping[str, Any]

    def key(self, data: Iterable[str] = ()) -> str:
        """A short name for the identity and the digests of the data files.

        Names and folders of the files do not count.
        """
        whole = [self.choices, sorted(self.code.values()), [*data]]
        text = json.dumps(whole, sort_keys=True, default=str)
        return f"{self.numerics}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def choices_of(e: Experiment) -> dict[str, Any]:
    """The names of the plugins, and the fields that differ from their class's default.

    So a new field with a default does not change the identity of older runs.
    """
    return not_at_default(e.params(), e.defaults())


def not_at_default(params: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that have no default or another value."""
    return {k: v for k, v in params.items() if k not in defaults or defaults[k] != v}


@cache
def _known() -> dict[str, Any]:
    """`known_sources.json`: digests of released code. scripts/known_sources writes it.

    `framework`: for each value of NUMERICS, dlexp's own files, each with the digests of its bytes.
    `plugins`: each shipped plugin's file with the digests, of its code or its bytes, that stand for
    the same numbers.
    """
    file = Path(__file__).with_name("known_sources.json")
    known: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return known


def settled(name: str, digest: str) -> str:
    """One digest for all versions of a shipped plugin's file that give the same numbers."""
    equal = _known()["plugins"].get(name, "").split()
    return str(equal[0]) if digest in equal else digest


def is_settled(name: str, digest: str) -> bool:
    """Whether this is a known digest of a shipped plugin's file."""
    return digest in _known()["plugins"].get(name, "").split()


def numerics_of(framework: Mapping[str, str]) -> tuple[int | None, list[str]]:
    """The NUMERICS of dlexp's own files, by the digests of their bytes, and the unknown files.

    For runs that did not record it.
    """
    unknown = []
    for number, known in _known()["framework"].items():
        unknown = [n for n, digest in framework.items() if digest not in known.get(n, "").split()]
        if not unknown:
            return int(number), []
    return None, unknown
