"""What a figure needs: the house style and the words. Matplotlib is imported when something is
drawn, never before.
"""

from dlexp.figures.animation import animate
from dlexp.figures.captions import choices, notes, number, outcome, task
from dlexp.figures.histogram import decade_ticks, histogram_row, linear_ticks
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
from dlexp.figures.terrain import contour_levels, contours, gradient_field

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "HUGE",
    "INK",
    "LARGE",
    "LIGHT",
    "NORMAL",
    "ORANGE",
    "PURPLE",
    "RED",
    "SKY",
    "SMALL",
    "YELLOW",
    "animate",
    "by_depth",
    "choices",
    "contour_levels",
    "contours",
    "decade_ticks",
    "drawing",
    "gradient_field",
    "histogram_row",
    "label_ends",
    "linear_ticks",
    "notes",
    "number",
    "outcome",
    "save",
    "scale_epochs",
    "scale_heights",
    "task",
]
