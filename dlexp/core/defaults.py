"""The defaults of an experiment; they are defined in `conf/config.yaml` only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from dlexp.paths import CONF


@dataclass(frozen=True)
class Defaults:
    """The content of the file.

    `chosen` are the options of each group, `values` plain values by key: {"epochs": 50,
    "early_stopping.metric": "val/loss"}.
    """

    chosen: Mapping[str, tuple[str, ...]]
    values: Mapping[str, Any]


@cache
def defaults() -> Defaults:
    """The file, read when first needed; Hydra reads it itself for the command line."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)((CONF / "config.yaml").read_bytes())
    content = loader.get_single_data()
    chosen = {
        group: tuple(options if isinstance(options, list) else [options])
        for item in content.pop("defaults")
        if isinstance(item, dict)
        for group, options in item.items()
    }
    del content["hydra"]
    values: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            values |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            values[key] = value
    return Defaults(chosen, values)


def default(key: str) -> Callable[[], Any]:
    """A function that returns the default of a key, for use as a field's default factory."""
    return partial(_value, key)


def _value(key: str) -> Any:
    return defaults().values[key]
