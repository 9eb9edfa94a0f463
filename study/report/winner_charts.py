"""Charts of the best trials: confirmed values, predicted against true values, and the decision boundary."""

import numpy as np

from study.charts.chart import HEIGHT, WIDTH, Axis, Chart, Dots, Mark, path, runs
from study.charts.scales import Choices, Numbers
from study.charts.words import short, title_of
from study.ledger.confirmation import Confirmation
from study.report.winner import Plane, Winner
from study.text.colors import CLASSES
from study.text.formatting import counted


def candidates(confirmation: Confirmation) -> Chart | None:
    """Return a chart of the confirmed value of each candidate with its interval and the values of its seeds."""
    shown = confirmation.candidates
    if not shown:
        return None
    names = Choices(tuple(f"trial {one.trial}" for one in reversed(shown)))
    values = [number for one in shown for number in (one.search_value, one.value, one.low, one.high, *one.by_seed)]
    x = Numbers.covering([number for number in values if number is not None])
    seeds, search, value, winner, intervals = Dots("pruned"), Dots("search"), Dots("complete big"), Dots("best big"), []
    for one in shown:
        y = names.place(f"trial {one.trial}")
        for k, of_seed in enumerate(one.by_seed):
            seeds.add(x.place(of_seed), y + (k % 5 - 2) * 0.06 / len(shown))
        if one.search_value is not None:
            search.add(x.place(one.search_value), y, one.trial)
        if one.value is not None:
            chosen = winner if one.trial == confirmation.winner else value
            chosen.add(x.place(one.value), y, one.trial)
        if one.low is not None and one.high is not None:
            intervals.append(path([(x.place(one.low), y), (x.place(one.high), y)]))
    metric = title_of(confirmation.metric)
    return Chart(
        key="confirm-chart",
        label=f"Confirmed {metric} of {len(shown)} candidates with intervals; the table below lists the numbers.",
        x=Axis.of(metric, x),
        y=Axis.of("candidate", names),
        marks=(seeds.mark(), Mark("rule", "interval", "".join(intervals)), search.mark(), value.mark(), winner.mark()),
        legend=(
            ("dots best", f"confirmed: trial {confirmation.winner}"),
            ("dots complete", "other candidates on fresh seeds"),
            ("line interval", "95% interval"),
            ("dots search", "value in the search"),
            ("dots pruned", "single seed"),
        ),
        caption="The candidates were selected by their values in the search, which are therefore optimistic; confirmed "
        f"values {'are only slightly so' if confirmation.part == 'dev' else 'are not'}.",
        tall=2 + 2.4 * len(shown),
        lined=(True, False),
    )


def predictions(winner: Winner, target: str) -> Chart | None:
    """Return a chart of predicted against true values, for regression."""
    if not len(winner.truth):
        return None
    both = np.concatenate([winner.truth, winner.prediction])
    scale = Numbers.covering(both[np.isfinite(both)].tolist())
    dots = Dots("complete")
    for truth, guess in zip(winner.truth.tolist(), winner.prediction.tolist(), strict=True):
        dots.add(scale.place(truth), scale.place(guess))
    shown = f"{len(winner.truth):,} of " if len(winner.truth) < winner.examples else ""
    examples = f"{shown}{counted(winner.examples, 'dev example')}"
    return Chart(
        key="predictions-chart",
        label=f"Predicted against true {target} of {examples}.",
        x=Axis.of(f"true {target}", scale),
        y=Axis.of(f"predicted {target}", scale),
        marks=(Mark("rule", "frontier", f"M0 {HEIGHT}L{WIDTH} 0"), dots.mark()),
        legend=(("dots complete", "dev example"), ("line frontier", "predicted = true")),
        caption=f"{examples}; predictions on the line are exact.",
        lined=(True, True),
    )


def boundary(winner: Winner) -> Chart | None:
    """Return a chart of the network's predictions over the plane of two features, with dev examples."""
    plane = winner.plane
    if plane is None:
        return None
    x, y = Numbers(plane.low[0], plane.high[0]), Numbers(plane.low[1], plane.high[1])
    marks = [Mark("area", f"field class-{level % CLASSES}", d) for level, d in _areas(plane).items()]
    for level in np.unique(plane.group).tolist():
        right, missed = Dots(f"example class-{level % CLASSES}"), Dots(f"example wrong class-{level % CLASSES}")
        for k in np.flatnonzero(plane.group == level).tolist():
            (missed if plane.wrong[k] else right).add(x.place(plane.x[k]), y.place(plane.y[k]))
        for dots in (right, missed):
            if dots.parts:
                marks += [Mark("rule", f"{dots.style} halo", "".join(dots.parts)), dots.mark()]
    if winner.classes:
        legend = tuple((f"dots class-{k % CLASSES}", name) for k, name in enumerate(winner.classes))
        caption = "The background is the predicted class; dots are dev examples colored by their true class."
        wrong = int(plane.wrong.sum())
        caption += (
            f" {wrong} of {len(plane.wrong)} are misclassified (larger dots)."
            if wrong
            else " All examples are classified correctly."
        )
    else:
        ends = [f"below {short(plane.edges[0])}", *(f"from {short(edge)}" for edge in plane.edges)]
        legend = tuple((f"dots class-{k % CLASSES}", text) for k, text in enumerate(ends))
        caption = "The background is the predicted value; dots are dev examples colored by their true value."
    networks = " The trial has several networks; the first one is shown." if winner.networks > 1 else ""
    return Chart(
        key="boundary-chart",
        label=f"Predictions of the network over {plane.names[0]} and {plane.names[1]}, "
        f"with {counted(len(plane.x), 'dev example')}.",
        x=Axis.of(plane.names[0], x),
        y=Axis.of(plane.names[1], y),
        marks=tuple(marks),
        legend=legend,
        caption=caption + networks,
        tall=28,
        lined=(False, False),
    )


def _areas(plane: Plane) -> dict[int, str]:
    """Return the path that covers the cells of each level, with one rectangle per run of cells in a row."""
    rows, columns = plane.levels.shape
    width, height = WIDTH / columns, HEIGHT / rows
    parts: dict[int, list[str]] = {}
    for k in range(rows):
        top, bottom = round(HEIGHT - (k + 1) * height), round(HEIGHT - k * height)
        for level, first, past in runs(plane.levels[k].tolist()):
            left, right = round(first * width), round(past * width)
            parts.setdefault(level, []).append(f"M{left} {top}H{right}V{bottom}H{left}z")
    return {level: "".join(of_level) for level, of_level in sorted(parts.items())}
