"""A chart as a record: marks in a box of WIDTH by HEIGHT units, axes, and what it says to who does not see it.

The box is stretched to whatever width the page has (lines keep their thickness), and the texts of the axes are HTML
beside it, so that they stay readable on a telephone. `templates/page.html` draws it, `templates/page.js` finds the mark
under the pointer.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from study.charts.labels import Label, least_for_names, place_labels, room_beside
from study.charts.scales import Choices, Scale, Ticks
from study.charts.words import shorten

WIDTH, HEIGHT = 2000, 1000


@dataclass(frozen=True)
class Mark:
    """One path.

    Attributes:
        kind: "line"; "dots" (each a line of no length with round ends); "area", filled; "rule", part of the drawing.
        style: its classes in `templates/page.css`.
        d: the path.
        trials: numbers: of a line its own, of dots one each; () where there is nothing to point at.
    """

    kind: Literal["line", "dots", "area", "rule"]
    style: str
    d: str
    trials: tuple[int, ...] = ()


@dataclass(frozen=True)
class Axis:
    """The text of an axis.

    Attributes:
        title: what it shows, and in which unit.
        ticks: places from the left, or from below.
        names: whether ticks are names, at even distances, rather than numbers.
    """

    title: str
    ticks: Ticks
    names: bool = False

    @classmethod
    def of(cls, title: str, scale: Scale) -> "Axis":
        """Return the axis of a scale."""
        return cls(shorten(title), scale.ticks(), isinstance(scale, Choices))

    @property
    def labels(self) -> list[Label]:
        """The labels below an axis of numbers, with the widths from which they are shown."""
        return place_labels(self.ticks)

    @property
    def upright_below(self) -> int:
        """The width of the axis, rem, below which names are written upright."""
        return least_for_names([text for _, text in self.ticks])

    @property
    def room(self) -> float:
        """The room that labels beside the axis take, rem."""
        return room_beside(self.ticks)


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        key: its id in the page.
        label: what it shows, in a sentence or two, for who does not see it.
        marks: from the back to the front.
        legend: (style, text).
        caption: what to read from it.
        tall: height, in rem.
        lined: whether lines of the grid are drawn at the ticks of x and of y.
    """

    key: str
    label: str
    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    legend: tuple[tuple[str, str], ...] = ()
    caption: str = ""
    tall: float = 20
    lined: tuple[bool, bool] = (False, True)

    @property
    def grid(self) -> str:
        """The path of the grid's lines."""
        x = [f"M{round(at * WIDTH)} 0V{HEIGHT}" for at, _ in self.x.ticks if self.lined[0]]
        y = [f"M0 {round((1 - at) * HEIGHT)}H{WIDTH}" for at, _ in self.y.ticks if self.lined[1]]
        return "".join([*x, *y])


@dataclass
class Dots:
    """Gathers points of one look into one path."""

    style: str
    kind: Literal["dots"] = "dots"
    parts: list[str] = field(default_factory=list)
    trials: list[int] = field(default_factory=list)

    def add(self, x: float, y: float, trial: int | None = None) -> None:
        """Add a point; x and y are places on the axes, 0 to 1 from the left and from below."""
        self.parts.append(f"M{round(x * WIDTH)} {round((1 - y) * HEIGHT)}h0")
        if trial is not None:
            self.trials.append(trial)

    def mark(self) -> Mark:
        """Return the path."""
        return Mark(self.kind, self.style, "".join(self.parts), tuple(self.trials))


def path(points: Iterable[tuple[float, float]]) -> str:
    """Return the path through places on the axes; where one is not finite it is broken."""
    parts: list[str] = []
    pen = False
    for x, y in points:
        if not (math.isfinite(x) and math.isfinite(y)):
            pen = False
            continue
        parts.append(f"{' ' if pen else 'M'}{round(x * WIDTH)} {round((1 - y) * HEIGHT)}")
        pen = True
    return "".join(parts)


def runs(row: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return (value, first, past the last) of each run of equal values in a row."""
    found, first = [], 0
    for at in range(1, len(row) + 1):
        if at == len(row) or row[at] != row[first]:
            found.append((int(row[first]), first, at))
            first = at
    return found
