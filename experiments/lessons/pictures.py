"""Plots of the lessons: panels side by side in one SVG file, with the scales and ticks of the report's charts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from study.charts.chart import runs
from study.charts.scales import Choices, Numbers

COLOURS = ("#3573b9", "#c2410c", "#2f855a", "#7b4fb5", "#b8860b", "#0e7490", "#777777")
PALE = ("#d6e4f5", "#fbe0d3")  # colors of the two sides of a boundary
RIGHT, TOP, BOTTOM = 16, 44, 44
LINE = 17  # height of a line of the legend

Point = Sequence[float]
Scale = Numbers | Choices


@dataclass(frozen=True)
class Panel:
    """One set of axes.

    Attributes:
        title: title above the axes.
        x, y: scales of the axes.
        x_title, y_title: titles of the axes; "" also omits the ticks of an axis.
        legend: (index of a color, text) of each entry.
        width, height: size of the area for data.
        left: space for the ticks of y.
    """

    title: str
    x: Scale
    y: Scale
    x_title: str = ""
    y_title: str = ""
    legend: tuple[tuple[int, str], ...] = ()
    width: int = 360
    height: int = 230
    left: int = 62

    @property
    def size(self) -> tuple[int, int]:
        """Width and height with margins."""
        return self.left + self.width + RIGHT, TOP + self.height + BOTTOM + LINE * len(self.legend)

    def at(self, point: Point) -> tuple[float, float]:
        """Return the position of a point in the area; points beyond it are moved to its edge."""
        return self.x.place(point[0]) * self.width, (1 - self.y.place(point[1])) * self.height

    def line(self, points: Iterable[Point], colour: int = 0, *, dashed: bool = False, width: float = 2) -> str:
        """Return a line through points."""
        d = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in map(self.at, points))
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        return f'<path d="{d}" fill="none" stroke="{COLOURS[colour]}" stroke-width="{width}"{dash}/>'

    def dots(self, points: Iterable[Point], colour: int = 0, radius: float = 2.2) -> str:
        """Return a dot for each point."""
        d = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in map(self.at, points))
        return f'<path d="{d}" stroke="{COLOURS[colour]}" stroke-width="{2 * radius}" stroke-linecap="round"/>'

    def regions(self, rows: Sequence[str]) -> str:
        """Return the two sides of a boundary from rows of "0" and "1" that cover the area, lowest row first."""
        parts = []
        high, wide = self.height / len(rows), self.width / len(rows[0])
        for k, row in enumerate(rows):
            y = self.height - (k + 1) * high
            for side, first, end in runs([int(value) for value in row]):
                place = f'x="{first * wide:.1f}" y="{y:.1f}" width="{(end - first) * wide + 0.3:.1f}"'
                parts.append(f'<rect {place} height="{high + 0.3:.1f}" fill="{PALE[side]}"/>')
        return "".join(parts)

    def bars(self, values: Sequence[tuple[str, float]], colour: int = 0) -> str:
        """Return a horizontal bar for each name on the y axis, with its value next to it."""
        parts = []
        for name, value in values:
            x, y = self.at((value, name))  # type: ignore[arg-type] - y is an axis of names
            parts.append(f'<path d="M0 {y:.1f}H{x:.1f}" stroke="{COLOURS[colour]}" stroke-width="14"/>')
            parts.append(text(x + 5, y + 4, f"{value:,.3g}" if value < 1000 else f"{value:,.0f}", "start"))
        return "".join(parts)


def figure(label: str, panels: Sequence[tuple[Panel, str]], columns: int = 2) -> str:
    """Return panels with their marks, side by side, as an SVG file.

    Args:
        label: alternative text of the plot.
        panels: (panel, marks) of each panel.
        columns: number of panels in a row.
    """
    columns = min(columns, len(panels))
    wide, high = max(p.size[0] for p, _ in panels), max(p.size[1] for p, _ in panels)
    parts = [
        f'<g transform="translate({wide * (k % columns)} {high * (k // columns)})">{_panel(panel, marks)}</g>'
        for k, (panel, marks) in enumerate(panels)
    ]
    return drawing(label, wide * columns, high * -(-len(panels) // columns), "".join(parts))


def drawing(label: str, width: int, height: int, marks: str) -> str:
    """Return marks as an SVG file with a white background."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{escape(label, quote=True)}" font-family="sans-serif" font-size="12" fill="#333">'
        f'<rect width="100%" height="100%" fill="white"/>{marks}</svg>'
    )


def text(x: float, y: float, words: str, anchor: str = "middle", extra: str = "") -> str:
    """Return text at a position; anchor is "start", "middle" or "end"."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{escape(words)}</text>'


def thin(values: Sequence[float], most: int = 120) -> list[list[float]]:
    """Return (index, value) of at most `most` evenly spaced values, including the first and the last."""
    last = len(values) - 1
    places = sorted({round(k * last / (most - 1)) for k in range(most)}) if last else [0]
    return [[place, float(f"{values[place]:.5g}")] for place in places]


def _panel(panel: Panel, marks: str) -> str:
    wide, high = panel.width, panel.height
    parts = [text(wide / 2, -16, panel.title, extra=' font-weight="bold"')]
    if panel.x_title:
        parts += [text(at * wide, high + 16, words) for at, words in panel.x.ticks()]
        parts.append(text(wide, high + 33, panel.x_title, "end"))
    if panel.y_title:
        for at, words in panel.y.ticks():
            y = (1 - at) * high
            parts.append(f'<path d="M0 {y:.1f}H{wide}" stroke="#e6e6e6"/>{text(-6, y + 4, words, "end")}')
        parts.append(text(6 - panel.left, -4, panel.y_title, "start"))
    parts.append(f'<path d="M0 0V{high}H{wide}" fill="none" stroke="#999"/>{marks}')
    for k, (colour, words) in enumerate(panel.legend):
        y = high + BOTTOM + LINE * k
        parts.append(
            f'<path d="M0 {y}h22" stroke="{COLOURS[colour]}" stroke-width="3"/>{text(28, y + 4, words, "start")}'
        )
    return f'<g transform="translate({panel.left} {TOP})">{"".join(parts)}</g>'
