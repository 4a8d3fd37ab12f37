"""Hydra: from the words of a command line and the YAML files to setups, and back."""

from __future__ import annotations

from dlexp.config.build import Setup, build
from dlexp.config.compose import Composition, compose, compose_run, files_in_use
from dlexp.config.explain import explain, explained
from dlexp.config.flags import Flags, parse
from dlexp.config.rebuild import rebuild
from dlexp.config.store import register

__all__ = [
    "Composition",
    "Flags",
    "Setup",
    "build",
    "compose",
    "compose_run",
    "explain",
    "explained",
    "files_in_use",
    "parse",
    "rebuild",
    "register",
]
