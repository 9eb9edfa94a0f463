"""Charts of the learning curves of one trial, and of several trials for comparison."""

import math
from collections.abc import Sequence

import numpy as np

from engine.activations import Array
from engine.metrics import METRICS
from engine.training_chunk import mean_value
from study.charts.chart import WIDTH, Axis, Chart, Dots, Mark, path
from study.charts.scales import Numbers
from study.charts.words import shorten
from study.ledger.trial_artifact import TrialFile
from study.text.colors import CLASSES

MOST = 300  # maximum number of points per curve, which every run has; it takes a millisecond and a few kilobytes

Points = list[tuple[int, float]]
"""(iteration, value)."""


def trial_curve(costs: Array, dev: Sequence[tuple[int, float]]) -> Chart:
    """Return a chart of the cost by iteration, on train (line) and on dev (line with dots).

    Args:
        costs: J before each update.
        dev: (iteration, cost on dev) of each evaluation.
    """
    train = _thin(costs, MOST)
    seen = [(i, cost) for i, cost in dev if math.isfinite(cost)]
    x = Numbers(0, max([i for i, _ in (*train, *seen)], default=1) or 1, whole=True)
    y = Numbers.covering(cost for _, cost in (*train, *seen))
    return Chart(
        key="curve",
        label="Cost by iteration.",
        x=Axis.of("iteration", x),
        y=Axis.of("cost J", y),
        marks=(
            Mark("line", "complete", _line(train, x, y)),
            Mark("line", "frontier", _line(seen, x, y)),
            _dots("best", seen, x, y),
        ),
        legend=(("complete", "cost on train"), ("frontier", "cost on dev")),
    )


def compared_curves(metric: str, trials: Sequence[tuple[str, TrialFile]]) -> list[Chart]:
    """Return two charts of several trials: the cost on train, and the metric on dev.

    Args:
        metric: name of the metric in the engine.
        trials: (title, file) of each trial.
    """
    costs = [(title, _thin(file.costs, WIDTH)) for title, file in trials]
    values = [(title, _dev_values(file, f"dev_{metric}")) for title, file in trials]
    return [
        _compared("costs", "cost J on train", costs, dotted=False),
        _compared("values", f"{METRICS[metric].title} on dev", values, dotted=True),
    ]


def _compared(key: str, title: str, curves: Sequence[tuple[str, Points]], *, dotted: bool) -> Chart:
    shown = [point for _, points in curves for point in points]
    values = [value for _, value in shown]
    x = Numbers(0, max([i for i, _ in shown], default=1) or 1, whole=True)
    y = Numbers.covering(values, log=not dotted and min(values, default=0) > 0)
    marks: list[Mark] = []
    for k, (_, points) in enumerate(curves):
        color = f"class-{k % CLASSES}"
        marks.append(Mark("line", color, _line(points, x, y)))
        if dotted:
            marks.append(_dots(color, points, x, y))
    return Chart(
        key=key,
        label=f"{title} by iteration.",
        x=Axis.of("iteration", x),
        y=Axis.of(title, y),
        marks=tuple(marks),
        legend=tuple((f"class-{k % CLASSES}", shorten(name, 60)) for k, (name, _) in enumerate(curves)),
    )


def _thin(costs: Array, most: int) -> Points:
    stride = max(1, math.ceil(len(costs) / most))
    return [(i, float(costs[i])) for i in range(0, len(costs), stride) if math.isfinite(costs[i])]


def _dev_values(file: TrialFile, metric: str) -> Points:
    seen = [each for each in file.evaluations if metric in each]
    return [(each["iteration"], value) for each in seen if np.isfinite(value := mean_value(each, metric))]


def _line(points: Points, x: Numbers, y: Numbers) -> str:
    return path((x.place(i), y.place(value)) for i, value in points)


def _dots(style: str, points: Points, x: Numbers, y: Numbers) -> Mark:
    dots = Dots(style)
    for i, value in points:
        dots.add(x.place(i), y.place(value))
    return dots.mark()
