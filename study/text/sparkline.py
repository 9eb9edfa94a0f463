"""Curves in text: a sparkline of a few characters, and a drawing in braille dots.

Unicode numbers the dots of a braille character by bits, two columns of four: U+2800 is the empty one.
"""

import math
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # bits of each column, from the top


def sparkline(values: Sequence[float], width: int = 8) -> str:
    """Return values as blocks of eight heights, the lowest value lowest; what is not finite is a blank.

    Args:
        values: of a curve, in order.
        width: characters at most; longer curves are sampled, first and last value among them.
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
    """Return the lines of a drawing, the largest value in the first line; what is not finite is left out.

    Args:
        values: of a curve, in order.
        width, height: in characters, each of two by four dots.
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
        # A steep piece is filled up to the dot before it, so that the line hangs together.
        first, last = (row, row) if before is None else sorted((row, before + (row > before) - (row < before)))
        for dot in range(first, last + 1):
            cells[dot // 4][column // 2] |= _DOTS[column % 2][dot % 4]
        before = row
    return ["".join(chr(0x2800 + cell) for cell in line) for line in cells]


def thin(values: Sequence[float], count: int) -> list[float]:
    """Return at most `count` of the values, evenly spread, first and last among them."""
    n = len(values)
    if n <= count:
        return [float(value) for value in values]
    return [float(values[round(k * (n - 1) / (count - 1))]) for k in range(count)]
