"""Charts as standalone SVG files, with the same marks and colors as in the report, and the axes as text.

The layout has a fixed width. Margins depend on the width of the labels, and labels that do not fit are left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape as escape_html

from study.charts.chart import HEIGHT, WIDTH, Axis, Chart, Mark
from study.charts.labels import fits, width_of, within
from study.charts.scales import Ticks
from study.text.colors import CLASSES, LIGHT
from study.text.printable import printable

PLOT_WIDTH, PLOT_HEIGHT, ROW = 640, 300, 48  # size of the plot, and height of a row of names, in pixels
FONT, LINE, MARGIN = 13, 17, 20  # font size, line height and border, in pixels
SAMPLE = 28  # width of a line in the legend with its gap, in pixels
_BANDS = {f"band-{k}": f"stroke:{LIGHT[f'band-{k}']};stroke-opacity:.6;stroke-width:1.2" for k in range(5)}
# The styles of `report/templates/page.css`; marks without an entry are drawn in gray.
_CLASSES = {f"class-{k}": f"stroke:{LIGHT[f'class-{k}']};stroke-width:1.5" for k in range(CLASSES)}
_STYLES = (
    _BANDS
    | _CLASSES
    | {
        "faint": "stroke-opacity:.45;stroke-width:1.2",
        "complete": f"stroke:{LIGHT['complete']}",
        "pruned": f"stroke:{LIGHT['pruned']}",
        "failed": f"stroke:{LIGHT['failed']};stroke-dasharray:5 3",
        "running": f"stroke:{LIGHT['running']};stroke-dasharray:1 3",
        "best": f"stroke:{LIGHT['best']};stroke-opacity:1;stroke-width:3",
        "frontier": f"stroke:{LIGHT['best']};stroke-width:1.5",
        "bar": "stroke-width:10",
        "pole": f"stroke:{LIGHT['line']};stroke-width:1",
    }
)


@dataclass(frozen=True)
class _Layout:
    """The layout of a chart: margins and height of the plot in pixels, and the rows of the legend."""

    left: int
    top: int
    bottom: int
    height: int
    legend: tuple[tuple[tuple[str, str], ...], ...]
    upright: bool  # True if the names below the axis are written vertically

    @property
    def wide(self) -> int:
        return self.left + PLOT_WIDTH + MARGIN

    @property
    def high(self) -> int:
        return self.top + self.height + self.bottom


def draw_chart(chart: Chart) -> str:
    """Return one chart as an SVG file."""
    return draw_charts([chart], columns=1)


def draw_charts(charts: Sequence[Chart], columns: int = 2) -> str:
    """Return several charts as one SVG file.

    Args:
        charts: at least one chart.
        columns: number of charts per row.
    """
    layouts = [_lay_out(chart) for chart in charts]
    columns = min(columns, len(charts))
    wide = max(layout.wide for layout in layouts)
    heights = [max(layout.high for layout in row) for row in _batches(layouts, columns)]
    parts = [
        f'<g transform="translate({wide * (k % columns)} {sum(heights[: k // columns])})">{_plot(chart, layout)}</g>'
        for k, (chart, layout) in enumerate(zip(charts, layouts, strict=True))
    ]
    high = sum(heights)
    label = _escape(" ".join(chart.label for chart in charts))
    size = f'width="{wide * columns}" height="{high}" viewBox="0 0 {wide * columns} {high}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}" '
        f'font-family="sans-serif" font-size="{FONT}" fill="{LIGHT["quiet"]}">'
        "<style>path{fill:none;vector-effect:non-scaling-stroke}</style>"
        f'<rect width="100%" height="100%" fill="{LIGHT["ground"]}"/>{"".join(parts)}</svg>'
    )


def _batches(layouts: Sequence[_Layout], size: int) -> Iterator[Sequence[_Layout]]:
    return (layouts[first : first + size] for first in range(0, len(layouts), size))


def _lay_out(chart: Chart) -> _Layout:
    names = [text for _, text in chart.x.ticks] if chart.x.names else []
    upright = bool(names) and PLOT_WIDTH / len(names) < max(map(_width, names)) + 8
    below = max(map(_width, names)) + 12 if upright else LINE + 6
    legend = tuple(_rows_of(chart.legend))
    return _Layout(
        left=round(max((_width(text) for _, text in chart.y.ticks), default=0)) + MARGIN + 8,
        top=MARGIN + LINE * (len(legend) + bool(chart.y.title)) + 6,
        bottom=round(below) + LINE * bool(chart.x.title) + 12,
        height=ROW * len(chart.y.ticks) if chart.y.names else PLOT_HEIGHT,
        legend=legend,
        upright=upright,
    )


def _plot(chart: Chart, layout: _Layout) -> str:
    left, top, height = layout.left, layout.top, layout.height
    scale = f"translate({left} {top}) scale({PLOT_WIDTH / WIDTH} {height / HEIGHT})"
    marks = "".join(map(_path, chart.marks))
    grid = f'<path d="{chart.grid}" style="stroke:{LIGHT["grid"]};stroke-width:1"/>'
    frame = f'<path d="M{left} {top}V{top + height}H{left + PLOT_WIDTH}" style="stroke:{LIGHT["line"]}"/>'
    end = top + height + layout.bottom - 10
    titles = _text(left + PLOT_WIDTH, end, chart.x.title, "end") + _text(MARGIN, top - 10, chart.y.title, "start")
    labels = "".join([*_below(chart.x, layout), *_beside(chart.y, layout)])
    return f'<g transform="{scale}">{grid}{marks}</g>{frame}{labels}{titles}{_legend(layout)}'


def _below(axis: Axis, layout: _Layout) -> Iterator[str]:
    """Yield the labels below the plot: all names, or the numbers, thinned out until they fit."""
    y = layout.top + layout.height + LINE
    if layout.upright:
        for at, text in axis.ticks:
            x = round(layout.left + at * PLOT_WIDTH + 4)
            yield f'<text transform="translate({x} {y - 6}) rotate(-90)" text-anchor="end">{_escape(text)}</text>'
        return
    for at, text in axis.ticks if axis.names else _fitting(axis.ticks):
        middle = within(at * PLOT_WIDTH, _width(text) / 2, PLOT_WIDTH)
        yield _text(layout.left + middle, y, text, "middle")


def _beside(axis: Axis, layout: _Layout) -> Iterator[str]:
    for at, text in axis.ticks:
        lines = text.count("\n")
        y = layout.top + within((1 - at) * layout.height, 6, layout.height) + 4 - lines * LINE / 2
        yield _text(layout.left - 8, y, text, "end")


def _fitting(ticks: Ticks) -> Ticks:
    stride = 1
    while stride < len(ticks):
        kept = ticks[::stride]
        if fits([at for at, _ in kept], [_width(text) / 2 for _, text in kept], PLOT_WIDTH, 8):
            break
        stride *= 2
    return ticks[::stride]


def _rows_of(legend: Sequence[tuple[str, str]]) -> Iterator[tuple[tuple[str, str], ...]]:
    """Yield the entries of a legend in rows that fit the width of the plot."""
    row: list[tuple[str, str]] = []
    for entry in legend:
        if row and sum(SAMPLE + _width(text) + 12 for _, text in (*row, entry)) > PLOT_WIDTH:
            yield tuple(row)
            row = []
        row.append(entry)
    if row:
        yield tuple(row)


def _legend(layout: _Layout) -> str:
    parts = []
    for k, row in enumerate(layout.legend):
        x, y = float(MARGIN), MARGIN + k * LINE
        for style, text in row:
            sample = f'<path d="M{x:.0f} {y - 4}h18" style="{_look(style)};stroke-opacity:1"/>'
            parts.append(sample + _text(x + SAMPLE - 4, y, text, "start"))
            x += SAMPLE + _width(text) + 12
    return "".join(parts)


def _path(mark: Mark) -> str:
    look = _look(mark.style)
    if mark.kind == "dots":
        look += f";stroke-linecap:round;stroke-width:{11 if 'big' in mark.style.split() else 7};stroke-dasharray:none"
    return f'<path d="{mark.d}" style="{look}"/>'


def _look(style: str) -> str:
    known = [_STYLES[word] for word in style.split() if word in _STYLES]
    return ";".join(known) or "stroke:#777;stroke-width:1.2"


def _width(text: str) -> float:
    return width_of(text, FONT)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    if not text:
        return ""
    spans = "".join(
        f'<tspan x="{x:.0f}" dy="{0 if k == 0 else LINE}">{_escape(line)}</tspan>'
        for k, line in enumerate(text.split("\n"))
    )
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{spans}</text>'


def _escape(text: str) -> str:
    """Return text escaped for XML, which does not allow control characters."""
    return escape_html(printable(text), quote=True)
