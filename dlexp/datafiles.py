"""Data files: IDX arrays, and downloads that are checked and can be resumed."""

from __future__ import annotations

from pathlib import Path

from dlexp.kinds import Array


def read_idx(path: Path) -> Array:
    """placeholder, replaced by the data room"""
    raise OSError(path)


def fetch(url: str, sha256: str, folder: Path) -> Path:
    """placeholder, replaced by the data room"""
    raise OSError(url)
