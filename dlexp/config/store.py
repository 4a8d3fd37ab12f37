"""Registers every plugin as a config group option: its dataclass is the schema, no YAML needed."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, get_type_hints

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlexp import paths
from dlexp.config import hydra_groups
from dlexp.config.overrides import SWEEP
from dlexp.config.wording import of_key
from dlexp.core import kinds
from dlexp.core.defaults import defaults
from dlexp.core.experiment import Experiment
from dlexp.core.registry import every
from dlexp.plugins import discovery
from dlexp.storage.checkpoint import Checkpointing
from dlexp.tracking.settings import TRACKING

_stored: set[type] = set()


def register() -> None:
    """Discover the plugins and register them with Hydra: `optimizer=adam optimizer.lr=0.01`."""
    discovery.discover()
    for cls in list(every()):
        if cls not in _stored:
            try:
                _store(cls.kind, cls.name, cls, kinds.key_of(cls))
            except (OmegaConfBaseException, ValueError, TypeError) as e:
                discovery.leave_out(cls, f"{_place(cls)}: {cls.__qualname__}: {of_key(e)}")
                continue
            _stored.add(cls)
    for name, settings in TRACKING.items():
        _store("tracking", name, settings, "tracking")
    hydra_groups.register()
    ConfigStore.instance().store(name="schema", node=opened(schema()), provider="dlexp")
    OmegaConf.register_new_resolver("dlexp.outputs", lambda: str(paths.outputs()), replace=True)


def _place(cls: type) -> str:
    """File and line of a class, as far as they are known."""
    try:
        return f"{inspect.getsourcefile(cls)}:{inspect.getsourcelines(cls)[1]}"
    except (OSError, TypeError):  # defined in a notebook
        return cls.__module__


def _store(group: str, name: str, cls: type, package: str) -> None:
    ConfigStore.instance().store(
        group=group, name=name, node=opened(cls), package=package, provider="dlexp"
    )


def opened(cls: type) -> Any:
    """The class as a config node that is writable, although the dataclass is frozen."""
    node = OmegaConf.structured(cls)
    OmegaConf.set_readonly(node, False)
    for key in node:
        if not OmegaConf.is_missing(node, key) and OmegaConf.is_config(node[key]):
            OmegaConf.set_readonly(node[key], False)
    return node


def schema() -> type:
    """The root of the configuration: an experiment's plain fields, and a place for each kind."""
    types, values = get_type_hints(Experiment), defaults().values
    spec: list[Any] = []
    for f in dataclasses.fields(Experiment):
        if f.name in kinds.MANY:
            spec.append((f.name, dict[str, Any], dataclasses.field(default_factory=dict)))
        elif f.name in kinds.KINDS:
            spec.append((f.name, Any, MISSING))
        else:
            spec.append((f.name, types[f.name], values.get(f.name, f)))
    spec += [("checkpoint", Checkpointing, dataclasses.field(default_factory=Checkpointing))]
    spec += [(key, wanted, values.get(key)) for key, wanted in SWEEP.items()]
    return dataclasses.make_dataclass("Schema", [*spec, ("tracking", Any, MISSING)])
