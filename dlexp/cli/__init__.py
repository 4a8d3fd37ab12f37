"""The command line."""

from __future__ import annotations

from dlexp.cli.main import main

__all__ = ["main"]
