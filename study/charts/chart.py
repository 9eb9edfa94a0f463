"""A chart as a record: marks in a box of WIDTH by HEIGHT units, axes, and a text alternative.

The box is stretched to the width of the page, while lines keep their thickness. The labels of the axes are HTML outside
the box, so that they stay readable on a phone. `templates/page.html` draws the chart, and `templates/page.js` finds the
mark under the pointer.
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
    """One SVG path.

    Attributes:
        kind: "line"; "dots", each a line of zero length with round ends; "area", which is filled; or "rule", which
            is not interactive.
        style: classes of the path in `templates/page.css`.
        d: data of the path.
        trials: the trial of a line, or the trials of the dots in order; () if the mark is not interactive.
    """

    kind: Literal["line", "dots", "area", "rule"]
    style: str
    d: str
    trials: tuple[int, ...] = ()


@dataclass(frozen=True)
class Axis:
    """The labels of an axis.

    Attributes:
        title: title with the unit.
        ticks: ticks with their positions from the left, or from the bottom.
        names: True if the ticks are evenly spaced names instead of numbers.
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
        """The labels below an axis of numbers, with the minimum widths at which they are shown."""
        return place_labels(self.ticks)

    @property
    def upright_below(self) -> int:
        """The width of the axis in rem below which names are written vertically."""
        return least_for_names([text for _, text in self.ticks])

    @property
    def room(self) -> float:
        """The width in rem of the labels beside the axis."""
        return room_beside(self.ticks)


@dataclass(frozen=True)
class Chart:
    """One chart.

    Attributes:
        key: id of the chart in the page.
        label: text alternative of one or two sentences.
        x, y: the axes.
        marks: marks from back to front.
        legend: (style, text) of each entry.
        caption: how to read the chart.
        usage: how to use the chart with a pointer, for an interactive page.
        tall: height in rem.
        lined: draw grid lines at the ticks of the x axis and of the y axis.
    """

    key: str
    label: str
    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    legend: tuple[tuple[str, str], ...] = ()
    caption: str = ""
    usage: str = ""
    tall: float = 20
    lined: tuple[bool, bool] = (False, True)

    @property
    def grid(self) -> str:
        """The path of the grid lines."""
        x = [f"M{round(at * WIDTH)} 0V{HEIGHT}" for at, _ in self.x.ticks if self.lined[0]]
        y = [f"M0 {round((1 - at) * HEIGHT)}H{WIDTH}" for at, _ in self.y.ticks if self.lined[1]]
        return "".join([*x, *y])


@dataclass
class Dots:
    """Collect points of the same style in one path."""

    style: str
    kind: Literal["dots"] = "dots"
    parts: list[str] = field(default_factory=list)
    trials: list[int] = field(default_factory=list)

    def add(self, x: float, y: float, trial: int | None = None) -> None:
        """Add a point; x and y are positions on the axes from 0 to 1, from the left and from the bottom."""
        self.parts.append(f"M{round(x * WIDTH)} {round((1 - y) * HEIGHT)}h0")
        if trial is not None:
            self.trials.append(trial)

    def mark(self) -> Mark:
        """Return the points as a mark."""
        return Mark(self.kind, self.style, "".join(self.parts), tuple(self.trials))


def path(points: Iterable[tuple[float, float]]) -> str:
    """Return the path through positions on the axes, interrupted at positions that are not finite."""
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
    """Return (value, start, stop) of each run of equal values in a row; stop is exclusive."""
    found, first = [], 0
    for at in range(1, len(row) + 1):
        if at == len(row) or row[at] != row[first]:
            found.append((int(row[first]), first, at))
            first = at
    return found
