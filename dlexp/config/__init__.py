"""From plugins to Hydra, and from what Hydra composes to an experiment. Hydra lives in this room and in the cli."""

from __future__ import annotations

from dlexp.config.build import Setup, build
from dlexp.config.compose import compose, files_in_use
from dlexp.config.explain import explain
from dlexp.config.store import offer

__all__ = ["Setup", "build", "compose", "explain", "files_in_use", "offer"]
