"""Rebuilds the setup of a run from its own `config.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlexp.config import store, yamlfile
from dlexp.config.build import Setup, build
from dlexp.config.wording import of_key
from dlexp.core import kinds, registry
from dlexp.core.defaults import defaults
from dlexp.errors import UserError
from dlexp.plugins import discovery
from dlexp.tracking.settings import TRACKING

PLAIN_GROUPS = ("early_stopping", "checkpoint")  # of plain values, whose classes the schema knows


def rebuild(path: Path, overrides: Sequence[str] = ()) -> Setup:
    """The setup that a `config.yaml` was written from: the inverse of `build.to_yaml`.

    Raises `UserError` for an invalid file, and for a plugin that no longer exists.
    """
    store.register()
    try:
        content = yamlfile.construct(yamlfile.read(path, str(path)), str(path))
        if not isinstance(content, dict):
            raise ValueError("not the configuration of a run")
        cfg = store.opened(store.schema())
        for key, value in content.items():
            OmegaConf.update(
                cfg, str(key), _node(str(key), value), force_add=True, merge=key in PLAIN_GROUPS
            )
        for kind in kinds.every():
            if kind.name not in content:
                _leave_out(cfg, kind)
        return replace(
            build(cfg, (), (("", path),), again=True), overrides=tuple(overrides), rebuilt=True
        )
    except (ValueError, LookupError, AttributeError, TypeError, OmegaConfBaseException) as e:
        if isinstance(e, UserError) and (e.key or e.where):
            e.where = e.where or str(path)
            raise
        reason = of_key(e) if isinstance(e, OmegaConfBaseException) else " ".join(str(e).split())
        raise UserError(f"cannot be read: {reason}", key=str(path)) from None


def _leave_out(cfg: Any, kind: kinds.Kind) -> None:
    """Use the default of a kind that is newer than the run, provided that it does nothing."""
    if kind.many:
        OmegaConf.update(cfg, kind.name, {})
        return
    for name in defaults().chosen.get(kind.name, ()):
        if registry.find(kind.name, name).does_nothing:
            OmegaConf.update(cfg, kind.name, _part(kind.name, name, {}))


def _node(key: str, value: Any) -> Any:
    """A value of the file; for a part with a class, a node of it."""
    if key in kinds.MANY:
        return {name: _part(key, name, values) for name, values in (value or {}).items()}
    if key in kinds.KINDS or key == "tracking":
        return _part(key, value["name"], {k: v for k, v in value.items() if k != "name"})
    return value


def _part(kind: str, name: str, values: Mapping[str, Any]) -> Any:
    if kind == "tracking":
        cls: Any = TRACKING.get(name)
        if cls is None:
            raise UserError(
                "there is no tracking of that name",
                key=kind,
                value=name,
                allowed=", ".join(TRACKING),
            )
    else:
        if (reason := discovery.broken(kind, name)) is not None:
            raise reason
        cls = registry.find(kind, name)
    node = store.opened(cls)
    for key, value in values.items():
        OmegaConf.update(node, key, value, force_add=True)
    return node
