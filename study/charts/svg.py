"""Charts as SVG files that stand alone: the same marks as in the report's page, with their axes as text."""

from collections.abc import Sequence
from html import escape as escape_html

from study.charts.chart import HEIGHT, WIDTH, Chart, Mark
from study.printable import printable

PLOT_WIDTH, PLOT_HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 104, 24, 46, 56
_BANDS = ("#440154", "#3b528b", "#21918c", "#5ec962", "#d8c51d")
# The looks of `report/templates/page.css` in its light colours; marks without an entry are drawn in grey.
_STYLES = {
    "faint": "stroke:#5b6b7d;stroke-opacity:.3;stroke-width:1.2",
    "complete": "stroke:#3573b9;stroke-opacity:.65",
    "pruned": "stroke:#b8860b;stroke-opacity:.5",
    "failed": "stroke:#a33;stroke-dasharray:5 3",
    "running": "stroke:#777;stroke-dasharray:1 3",
    "best": "stroke:#c2410c;stroke-opacity:1;stroke-width:3",
    "frontier": "stroke:#c2410c;stroke-width:1.5",
    "bar": "stroke-width:10",
    "pole": "stroke:#999;stroke-width:1",
    **{f"band-{k}": f"stroke:{colour};stroke-opacity:.6;stroke-width:1.2" for k, colour in enumerate(_BANDS[::-1])},
}


def draw_chart(chart: Chart) -> str:
    """Return one chart as an SVG file."""
    return draw_charts([chart], columns=1)


def draw_charts(charts: Sequence[Chart], columns: int = 2) -> str:
    """Return charts side by side as one SVG file.

    Args:
        charts: at least one.
        columns: charts in a row.
    """
    wide, high = LEFT + PLOT_WIDTH + RIGHT, TOP + PLOT_HEIGHT + BOTTOM
    columns = min(columns, len(charts))
    rows = -(-len(charts) // columns)
    parts = [
        f'<g transform="translate({wide * (k % columns)} {high * (k // columns)})">{_plot(chart)}</g>'
        for k, chart in enumerate(charts)
    ]
    label = _escape(" ".join(chart.label for chart in charts))
    size = f'width="{wide * columns}" height="{high * rows}" viewBox="0 0 {wide * columns} {high * rows}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{label}" '
        'font-family="sans-serif" font-size="13" fill="#333">'
        "<style>path{fill:none;vector-effect:non-scaling-stroke}</style>"
        f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>'
    )


def _plot(chart: Chart) -> str:
    scale = f"translate({LEFT} {TOP}) scale({PLOT_WIDTH / WIDTH} {PLOT_HEIGHT / HEIGHT})"
    marks = "".join(map(_path, chart.marks))
    grid = f'<path d="{chart.grid}" style="stroke:#e3e3e3;stroke-width:1"/>'
    x = "".join(_text(LEFT + at * PLOT_WIDTH, TOP + PLOT_HEIGHT + 18, text, "middle") for at, text in chart.x.ticks)
    y = "".join(_text(LEFT - 8, TOP + (1 - at) * PLOT_HEIGHT + 4, text, "end") for at, text in chart.y.ticks)
    titles = _text(LEFT + PLOT_WIDTH, TOP + PLOT_HEIGHT + 40, chart.x.title, "end")
    titles += _text(LEFT, TOP - 10, chart.y.title, "start")
    frame = f'<path d="M{LEFT} {TOP}V{TOP + PLOT_HEIGHT}H{LEFT + PLOT_WIDTH}" style="stroke:#999"/>'
    return f'<g transform="{scale}">{grid}{marks}</g>{frame}{x}{y}{titles}{_legend(chart)}'


def _legend(chart: Chart) -> str:
    parts, at = [], LEFT + 130
    for style, text in chart.legend:
        parts.append(
            f'<path d="M{at} 14h18" style="{_look(style)};stroke-opacity:1"/>{_text(at + 24, 18, text, "start")}'
        )
        at += 24 + 7 * len(text) + 16
    return "".join(parts)


def _path(mark: Mark) -> str:
    look = _look(mark.style)
    if mark.kind == "dots":
        look += f";stroke-linecap:round;stroke-width:{11 if 'big' in mark.style.split() else 7}"
    return f'<path d="{mark.d}" style="{look}"/>'


def _look(style: str) -> str:
    known = [_STYLES[word] for word in style.split() if word in _STYLES]
    return ";".join(known) or "stroke:#777;stroke-width:1.2"


def _text(x: float, y: float, text: str, anchor: str) -> str:
    lines = text.split("\n")
    spans = "".join(
        f'<tspan x="{x:.0f}" dy="{0 if k == 0 else 15}">{_escape(line)}</tspan>' for k, line in enumerate(lines)
    )
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{spans}</text>'


def _escape(text: str) -> str:
    """Return text as XML takes it, which has no place for control characters."""
    return escape_html(printable(text), quote=True)
