"""Compose a configuration without a command line: for notebooks and tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose, initialize_config_dir
from omegaconf import open_dict

from dlexp.config import overrides as overrides_
from dlexp.config.build import Setup, build
from dlexp.config.explain import explain
from dlexp.config.sources import checked_sources
from dlexp.config.store import register
from dlexp.paths import CONF


def compose(*overrides: str) -> Setup:
    """What `python -m dlexp <overrides>` would run. Raises the `UserError` it would print."""
    register()
    words = overrides_.normalize(overrides)
    overrides_.check(words)
    try:
        with (
            checked_sources(),
            initialize_config_dir(str(CONF), version_base="1.3", job_name="dlexp"),
        ):
            cfg = hydra_compose("config", words, return_hydra_config=True)
    except Exception as e:
        if said := explain(e, words):
            raise said from None
        raise
    hydra = cfg.hydra
    with open_dict(cfg):
        del cfg["hydra"]
    return build(cfg, words, files_in_use(hydra))


def files_in_use(hydra: Any) -> list[tuple[str, Path]]:
    """The YAML files behind a configuration, strongest first, each with the package of its keys."""
    roots = [Path(s.path) for s in hydra.runtime.config_sources if s.schema == "file"]
    choices: dict[str, Any] = {
        g: c for g, c in hydra.runtime.choices.items() if not g.startswith("hydra/")
    }
    named = [
        ("" if g == "experiment" else g, f"{g}/{c}.yaml") for g, c in sorted(choices.items()) if c
    ]
    named.sort(key=lambda item: item[0] != "")  # an experiment overrules a group's file
    candidates = [*named, ("", "config.yaml")]
    return [
        (package, root / name)
        for package, name in candidates
        for root in roots
        if (root / name).is_file()
    ]
