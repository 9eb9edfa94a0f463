"""Curves as text: a sparkline of a few characters, and a plot of braille dots.

A braille character has two columns of four dots, each of which is a bit of its code point; U+2800 is empty.
"""

import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # bits of each column from top to bottom


def sparkline(values: Sequence[float], width: int = 8) -> str:
    """Return values as blocks of eight heights; values that are not finite become spaces.

    Args:
        values: values of a curve, in order.
        width: maximum number of characters; longer curves are sampled, including the first and last value.
    """
    taken = thin(values, width)
    finite = [value for value in taken if math.isfinite(value)]
    if not finite:
        return " " * len(taken)
    low, span = min(finite), max(finite) - min(finite)

    def block(value: float) -> str:
        if not math.isfinite(value):
            return " "
        return BLOCKS[round((value - low) / span * (len(BLOCKS) - 1)) if span else 0]

    return "".join(map(block, taken))


def draw_curve(values: Sequence[float], width: int = 60, height: int = 10) -> list[str]:
    """Return the lines of a plot, with the largest value in the first line; values that are not finite are left out.

    Args:
        values: values of a curve, in order.
        width, height: size in characters, each of two by four dots.
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return [" " * width for _ in range(height)]
    low, span = min(finite), max(finite) - min(finite) or 1.0
    cells = [[0] * width for _ in range(height)]
    before: int | None = None
    for column in range(2 * width):
        value = values[round(column * (len(values) - 1) / (2 * width - 1))]
        if not math.isfinite(value):
            before = None
            continue
        row = round((1 - (value - low) / span) * (4 * height - 1))
        # Fill steep segments down or up to the previous dot, so that the line is connected.
        first, last = (row, row) if before is None else sorted((row, before + (row > before) - (row < before)))
        for dot in range(first, last + 1):
            cells[dot // 4][column // 2] |= _DOTS[column % 2][dot % 4]
        before = row
    return ["".join(chr(0x2800 + cell) for cell in line) for line in cells]


def thin(values: Sequence[float], count: int) -> list[float]:
    """Return at most `count` evenly spaced values, including the first and the last."""
    n = len(values)
    if n <= count:
        return [float(value) for value in values]
    return [float(values[round(k * (n - 1) / (count - 1))]) for k in range(count)]
