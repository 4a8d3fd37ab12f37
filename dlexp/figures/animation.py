"""Pictures that move."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlexp.figures.style import replace

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

COLORS = 128  # of all frames together


def animate(
    figure: Figure,
    path: Path,
    moving: Sequence[Artist],
    frames: Iterable[Any],
    seconds: float,
    hold: float,
    dpi: int = 114,
) -> None:
    """Write a looping GIF, one frame per item of `frames`; the last frame is held.

    Only the artists in `moving` may change between frames; the caller moves them while the
    frames are generated. `seconds` is the time of a frame, `hold` that of the last, exact to
    hundredths; at 114 dots per inch a figure of 6.6 inches is 752 pixels wide. All frames share one
    palette, so that only what moves is stored. The same frames give the same bytes.
    """
    from PIL import Image

    figure.set_dpi(dpi)
    canvas: Any = figure.canvas
    for artist in moving:
        artist.set_animated(True)  # left out of the background
    canvas.draw()
    behind = canvas.copy_from_bbox(figure.bbox)
    seen = []
    for _ in frames:
        canvas.restore_region(behind)
        for artist in moving:
            figure.draw_artist(artist)
        seen.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()))
    palette = seen[-1].quantize(COLORS)
    first, *rest = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in seen]
    times = [*[round(1000 * seconds)] * (len(seen) - 1), round(1000 * hold)]
    buffer = io.BytesIO()
    first.save(
        buffer, "GIF", save_all=True, append_images=rest, duration=times, loop=0, optimize=True
    )
    replace(path, buffer.getvalue())
