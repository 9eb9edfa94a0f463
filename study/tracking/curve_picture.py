"""The picture of one trial's curve as SVG: drawn for every trial, so in a millisecond and a few kilobytes."""

import math
from collections.abc import Sequence

from engine.activations import Array

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 360, 70, 40, 30
MOST = 300  # points of a line; more cannot be told apart at this size
_TRAIN, _DEV = "#0072b2", "#d55e00"


def draw_curve(costs: Array, dev: Sequence[tuple[int, float]]) -> str:
    """Return an SVG of the cost over iterations, on train (line) and on dev (dots and line).

    Args:
        costs: J before each update.
        dev: (iteration, cost on dev).
    """
    stride = max(1, math.ceil(len(costs) / MOST))
    train = [(i, float(costs[i])) for i in range(0, len(costs), stride) if math.isfinite(costs[i])]
    dev = [(i, cost) for i, cost in dev if math.isfinite(cost)]
    values = [cost for _, cost in (*train, *dev)] or [0.0, 1.0]
    low, high = min(values), max(values)
    high = high if high > low else low + 1.0
    last = max([i for i, _ in (*train, *dev)], default=1) or 1

    def place(point: tuple[int, float]) -> tuple[float, float]:
        x = LEFT + (WIDTH - LEFT - 20) * point[0] / last
        y = TOP + (HEIGHT - TOP - BOTTOM) * (high - point[1]) / (high - low)
        return round(x, 1), round(y, 1)

    def line(points: Sequence[tuple[int, float]], colour: str) -> str:
        path = " ".join(f"{x},{y}" for x, y in map(place, points))
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'

    dots = "".join(f'<circle cx="{x}" cy="{y}" r="3" fill="{_DEV}"/>' for x, y in map(place, dev))
    marks = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        _, y = place((0, low + share * (high - low)))
        x, _ = place((round(share * last), low))
        marks.append(f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y}" y2="{y}" stroke="#ddd"/>')
        marks.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{low + share * (high - low):.4g}</text>')
        marks.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{round(share * last)}</text>')
    legend = (
        f'<text x="{LEFT}" y="18" fill="{_TRAIN}">cost on train</text>'
        f'<text x="{LEFT + 110}" y="18" fill="{_DEV}">cost on dev</text>'
        f'<text x="{WIDTH - 20}" y="{HEIGHT - 6}" text-anchor="end">iterations</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="12" fill="#333" role="img" aria-label="cost over iterations">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
        f"{''.join(marks)}{legend}{line(train, _TRAIN)}{line(dev, _DEV)}{dots}</svg>"
    )
