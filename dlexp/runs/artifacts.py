"""What observers write in a run folder: figures, and arrays for the figures of several runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dlexp import paths
from dlexp.core.arrays import Array
from dlexp.storage.archives import write_arrays


@dataclass(frozen=True)
class Artifacts:
    """The files of observers in a run folder; without a folder nothing is written."""

    folder: Path | None

    def figure_path(self, name: str) -> Path | None:
        """Where to save the figure `name`, or None without a folder."""
        if self.folder is None:
            return None
        return paths.made(self.folder / "figures") / f"{name}.png"

    def save_arrays(self, name: str, arrays: Mapping[str, Array]) -> None:
        """Write `<folder>/arrays/<name>.npz` atomically."""
        if self.folder is not None:
            write_arrays(paths.made(self.folder / "arrays") / f"{name}.npz", arrays)
