"""What a figure needs: the house style and the words. Matplotlib is imported when something is drawn, never before."""

from dlexp.figures.captions import choices, notes, number, outcome, task
from dlexp.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    HUGE,
    INK,
    LARGE,
    LIGHT,
    NORMAL,
    ORANGE,
    PURPLE,
    RED,
    SKY,
    SMALL,
    YELLOW,
    by_depth,
    drawing,
    label_ends,
    save,
    scale_epochs,
    scale_heights,
)

__all__ = [
    "BLACK", "BLUE", "GREEN", "GREY", "HUGE", "INK", "LARGE", "LIGHT", "NORMAL", "ORANGE", "PURPLE", "RED", "SKY",
    "SMALL", "YELLOW", "by_depth", "choices", "drawing", "label_ends", "notes", "number", "outcome", "save",
    "scale_epochs", "scale_heights", "task",
]  # fmt: skip
