"""From plugins to Hydra, and from what Hydra composes to an experiment. Hydra lives in this room
and in the cli.
"""

from __future__ import annotations

import sys
from pathlib import Path

# Hydra looks for its launchers and sweepers in packages called hydra_plugins, when it is first
# asked for one.
sys.path.append(str(Path(__file__).resolve().parents[1] / "_hydra"))

from dlexp.config.build import Setup, build
from dlexp.config.compose import compose, files_in_use
from dlexp.config.explain import explain
from dlexp.config.rebuild import rebuild
from dlexp.config.store import register

__all__ = ["Setup", "build", "compose", "explain", "files_in_use", "rebuild", "register"]
