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
    chosen = {
        group: tuple(options if isinstance(options, list) else [options])
        for item in held.pop("defaults")
        if isinstance(item, dict)
        for group, options in item.items()
    }
    del held["hydra"]
    values: dict[str, Any] = {}
    for key, value in held.items():
        if isinstance(value, dict):
            values |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            values[key] = value
    return Defaults(chosen, values)


def default(key: str) -> Callable[[], Any]:
    """A function that returns the default of a key, for a field that reads it when it is built."""
    return partial(_value, key)


def _value(key: str) -> Any:
    return defaults().values[key]
