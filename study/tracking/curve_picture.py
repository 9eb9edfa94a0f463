"""The picture of one trial's curve as SVG: drawn for every trial, so in a millisecond and a few kilobytes."""

import math
from collections.abc import Sequence

from engine.activations import Array
from study.charts.chart import Axis, Chart, Dots, Mark, path
from study.charts.scales import Numbers
from study.charts.svg import draw_chart

MOST = 300  # points of a line; more look the same at this size


def draw_curve(costs: Array, dev: Sequence[tuple[int, float]]) -> str:
    """Return an SVG of the cost over iterations, on train (line) and on dev (dots and line).

    Args:
        costs: J before each update.
        dev: (iteration, cost on dev).
    """
    stride = max(1, math.ceil(len(costs) / MOST))
    train = [(i, float(costs[i])) for i in range(0, len(costs), stride) if math.isfinite(costs[i])]
    dev = [(i, cost) for i, cost in dev if math.isfinite(cost)]
    x = Numbers(0, max([i for i, _ in (*train, *dev)], default=1) or 1, whole=True)
    y = Numbers.covering(cost for _, cost in (*train, *dev))
    dots = Dots("best")
    for i, cost in dev:
        dots.add(x.place(i), y.place(cost))
    train_line, dev_line = (path((x.place(i), y.place(cost)) for i, cost in points) for points in (train, dev))
    return draw_chart(
        Chart(
            key="curve",
            label="Cost over iterations.",
            x=Axis.of("iteration", x),
            y=Axis.of("cost J", y),
            marks=(Mark("line", "complete", train_line), Mark("line", "frontier", dev_line), dots.mark()),
            legend=(("complete", "cost on train"), ("frontier", "cost on dev")),
        )
    )
