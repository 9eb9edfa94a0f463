"""Where the labels of an axis fit: how wide a text is, and from which width of the axis on each label can be shown.

Fonts differ, so widths are estimates on the safe side: of the digits and letters of common fonts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from study.charts.scales import Ticks

EM = 0.6  # of the font's size: the width of a character, and a little room
SIZE = 0.8  # rem, of labels in a page
GAP = 0.5  # rem between two labels
STEPS = (7, 9, 11, 14, 18, 23, 30, 40, 52, 70)  # rem: widths of an axis at which `page.css` shows more labels
NEVER = STEPS[-1]
WIDEST = 9.0  # rem, of labels beside an axis; longer ones are broken into lines


@dataclass(frozen=True)
class Label:
    """A label below an axis.

    Attributes:
        at: place on the axis, 0 to 1.
        text: of the label.
        half: half of its width, rem.
        least: width of the axis in rem from which it is shown, one of STEPS; 0 is always.
    """

    at: float
    text: str
    half: float
    least: int


def width_of(text: str, size: float = SIZE) -> float:
    """Return about how wide the longest line of a text is, in the unit of the font's size."""
    return size * EM * max(map(len, text.split("\n")), default=0)


def place_labels(ticks: Ticks) -> list[Label]:
    """Return the labels below an axis of numbers: where not all fit every second is left out, or three of four, ….

    At the ends a label is moved inwards, so that it stays within the axis.
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
    """Return the least of STEPS at which labels do not overlap, 0 where there is one alone, NEVER where they do."""
    if len(places) < 2:
        return 0
    return next((step for step in STEPS if fits(places, halves, step, gap)), NEVER)


def fits(places: Sequence[float], halves: Sequence[float], width: float, gap: float = GAP) -> bool:
    """Return whether labels that are moved within an axis of a width do not overlap."""
    middles = [within(at * width, half, width) for at, half in zip(places, halves, strict=True)]
    ends = [(middle - half, middle + half) for middle, half in zip(middles, halves, strict=True)]
    return all(later - earlier >= gap for (_, earlier), (later, _) in pairwise(ends))


def within(middle: float, half: float, width: float) -> float:
    """Return the middle of a label moved so that it stays between 0 and a width."""
    return max(half, min(middle, width - half))


def least_for_names(names: Sequence[str]) -> int:
    """Return the width from which names side by side are written across; below it they are written upright."""
    return next((step for step in STEPS if step / len(names) >= max(map(width_of, names)) + GAP), NEVER)


def room_beside(ticks: Ticks) -> float:
    """Return the room that labels beside an axis take, rem."""
    return min(WIDEST, max((width_of(text) for _, text in ticks), default=0.0)) + 0.5
