"""Estimate the width of labels, and the minimum width of an axis at which each label fits.

Fonts differ, so the widths are conservative estimates for digits and letters of common fonts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from study.charts.scales import Ticks

EM = 0.6  # width of a character with some padding, relative to the font size
SIZE = 0.8  # font size of labels in a page, in rem
GAP = 0.5  # minimum distance between two labels, in rem
STEPS = (7, 9, 11, 14, 18, 23, 30, 40, 52, 70)  # widths of an axis, in rem, at which `page.css` shows more labels
NEVER = STEPS[-1]
WIDEST = 9.0  # maximum width of labels beside an axis, in rem; longer ones are wrapped


@dataclass(frozen=True)
class Label:
    """A label below an axis.

    Attributes:
        at: position on the axis, from 0 to 1.
        text: text of the label.
        half: half of its width, in rem.
        least: minimum width of the axis, in rem, at which it is shown: one of STEPS, or 0 for always.
    """

    at: float
    text: str
    half: float
    least: int


def width_of(text: str, size: float = SIZE) -> float:
    """Return the approximate width of the longest line of a text, in the unit of the font size."""
    return size * EM * max(map(len, text.split("\n")), default=0)


def place_labels(ticks: Ticks) -> list[Label]:
    """Return the labels below an axis of numbers. If not all of them fit, only every second, fourth, … one is shown.

    Labels at the ends are moved inward, so that they stay within the axis.
    """
    count = len(ticks)
    strides = [1 << k for k in range(max(1, count.bit_length()))]
    halves = [width_of(text) / 2 for _, text in ticks]
    least = {stride: least_width([at for at, _ in ticks[::stride]], halves[::stride]) for stride in strides}
    return [
        Label(at, text, halves[k], 0 if k == 0 else min(least[stride] for stride in strides if k % stride == 0))
        for k, (at, text) in enumerate(ticks)
    ]


def least_width(places: Sequence[float], halves: Sequence[float], gap: float = GAP) -> int:
    """Return the smallest of STEPS at which labels do not overlap; 0 for a single label, NEVER if there is none."""
    if len(places) < 2:
        return 0
    return next((step for step in STEPS if fits(places, halves, step, gap)), NEVER)


def fits(places: Sequence[float], halves: Sequence[float], width: float, gap: float = GAP) -> bool:
    """Return True if labels do not overlap on an axis of this width, after moving them within the axis."""
    middles = [within(at * width, half, width) for at, half in zip(places, halves, strict=True)]
    ends = [(middle - half, middle + half) for middle, half in zip(middles, halves, strict=True)]
    return all(later - earlier >= gap for (_, earlier), (later, _) in pairwise(ends))


def within(middle: float, half: float, width: float) -> float:
    """Return the center of a label after moving it between 0 and the width of the axis."""
    return max(half, min(middle, width - half))


def least_for_names(names: Sequence[str]) -> int:
    """Return the minimum width at which names are written horizontally; below it they are written vertically."""
    return next((step for step in STEPS if step / len(names) >= max(map(width_of, names)) + GAP), NEVER)


def room_beside(ticks: Ticks) -> float:
    """Return the width in rem of the labels beside an axis."""
    return min(WIDEST, max((width_of(text) for _, text in ticks), default=0.0)) + 0.5
