"""Pictures that move."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlexp.figures.style import replace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = 128  # of all frames together


def animate(figure: Figure, path: Path, frames: Iterable[Any], seconds: float, hold: float, dpi: int = 114) -> None:
    """Write a GIF that repeats for ever: a frame as the figure stands at each item of `frames`, the last one held.

    Whoever calls moves the figure's artists while the frames are asked for. `seconds` is the time of a frame, `hold`
    of the last, in hundredths exact; at 114 dots per inch a figure of 6.6 inches is 752 pixels wide. All frames
    share one palette, so that only what moves is stored. The same frames give the same bytes.
    """
    from PIL import Image

    figure.set_dpi(dpi)
    seen = []
    for _ in frames:
        figure.canvas.draw()
        rgba = np.asarray(figure.canvas.buffer_rgba())  # type: ignore[attr-defined]
        seen.append(Image.fromarray(np.ascontiguousarray(rgba[..., :3])))
    palette = seen[-1].quantize(COLORS)
    first, *rest = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in seen]
    times = [*[round(1000 * seconds)] * (len(seen) - 1), round(1000 * hold)]
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=rest, duration=times, loop=0, optimize=False)
    replace(path, buffer.getvalue())
