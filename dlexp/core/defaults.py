"""The defaults of an experiment, which stand in `conf/config.yaml` only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from dlexp.paths import CONF


@dataclass(frozen=True)
class Defaults:
    """What stands in the file: the options `chosen` of each group, and plain `values` by their keys,
    {"epochs": 50, "early_stopping.metric": "val/loss"}.
    """

    chosen: Mapping[str, tuple[str, ...]]
    values: Mapping[str, Any]


@cache
def defaults() -> Defaults:
    """The file, read when it is first needed: a run from the command line does not need it, because
    Hydra reads the file itself.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)((CONF / "config.yaml").read_bytes())
    held = loader.get_single_data()
    items = [item for item in held.pop("defaults") if isinstance(item, dict)]
    groups = {group: options for item in items for group, options in item.items()}
    del held["hydra"]
    return Defaults(
        {g: tuple(o if isinstance(o, list) else [o]) for g, o in groups.items()},
        {
            f"{key}.{name}" if name else key: value
            for key, held_value in held.items()
            for name, value in (
                held_value if isinstance(held_value, dict) else {"": held_value}
            ).items()
        },
    )


def default(key: str) -> Callable[[], Any]:
    """A function that returns the default of a key, for a field that reads it when it is built."""
    return partial(_value, key)


def _value(key: str) -> Any:
    return defaults().values[key]
