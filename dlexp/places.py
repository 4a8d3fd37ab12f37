"""Where things are: what dlexp ships, and where a user's runs go."""

from __future__ import annotations

import os
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def _shipped(name: str) -> Path:
    """A folder that travels inside the package in a wheel, and stands beside it in a checkout."""
    return next(p for p in (_HERE / f"_{name}", _HERE.parent / name) if p.is_dir())


CONF = _shipped("conf")
PLUGINS = _shipped("plugins")


def outputs() -> Path:
    """Where runs are kept: the environment variable `DLEXP_OUTPUTS`, or `outputs` in the working folder."""
    return Path(os.environ.get("DLEXP_OUTPUTS") or "outputs").expanduser().absolute()
