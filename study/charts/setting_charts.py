"""Charts of settings: the dev value against each hyperparameter, and all of them at once as parallel coordinates."""

from collections.abc import Sequence
from itertools import pairwise

from optuna.distributions import CategoricalDistribution, IntDistribution

from study.charts.chart import HEIGHT, WIDTH, Axis, Chart, Dots, Mark, path
from study.charts.scales import Choices, Numbers, Scale, robust, write
from study.charts.trials import TrialFacts
from study.charts.words import counted, title_of
from study.results import TrialRow

LEAST = 3  # complete trials that have a hyperparameter, for a chart of it
BANDS = 5  # of the value, each a colour of its own
NONE = 0.04  # place on an axis of a trial that does not have the hyperparameter
FEW_VALUES = 12  # of a hyperparameter, up to which its dots are spread
JITTER = 0.5  # of the distance between two values, over which the dots of one are spread
ROOM_FOR_ENDS = 20  # characters
ROOM, NARROW = 0.1, 0.06  # at most, of an axis of numbers; of any axis in parallel coordinates
GOLDEN = 0.6180339887498949


def searched(facts: TrialFacts) -> list[str]:
    """Return the hyperparameters that differ between complete trials, in the order they are drawn; layers together."""
    rows = facts.summary.ranking()
    names = list(facts.distributions)
    first = next((k for k, name in enumerate(names) if _is_layer(name)), 0)
    names = [*names[:first], *sorted(filter(_is_layer, names)), *(n for n in names[first:] if not _is_layer(n))]
    given = {name: [row.params[name] for row in rows if name in row.params] for name in names}
    return [name for name, values in given.items() if len(values) >= LEAST and len(set(map(str, values))) > 1]


def _is_layer(name: str) -> bool:
    return name.startswith("units_") and name.removeprefix("units_").isdigit()


def scale_of(facts: TrialFacts, name: str, *, margin: float = 0.06) -> Scale:
    """Return the axis of a hyperparameter: as it was drawn, from the lowest to the highest that is there."""
    kind = facts.distributions[name]
    values = [row.params[name] for row in facts.summary.ranking() if name in row.params]
    if isinstance(kind, CategoricalDistribution):
        present = {str(value) for value in values}
        return Choices(tuple(str(choice) for choice in kind.choices if str(choice) in present))
    whole = isinstance(kind, IntDistribution)
    return Numbers.covering(values, log=bool(getattr(kind, "log", False)), whole=whole, margin=margin)


def slices(facts: TrialFacts) -> tuple[list[Chart], bool]:
    """Return a chart for each hyperparameter that varies, dev value against it, and whether values are at the edge."""
    summary = facts.summary
    complete = [row for row in summary.trials if row.state == "complete" and row.value is not None]
    if len(complete) < 2:
        return [], False
    y, cut = robust([_value(row) for row in complete], maximize=summary.direction == "maximize")
    metric = title_of(summary.metric)
    return [_slice(facts, name, complete, y, metric) for name in searched(facts)], cut


def _slice(facts: TrialFacts, name: str, complete: Sequence[TrialRow], y: Numbers, metric: str) -> Chart:
    x = scale_of(facts, name)
    rows = [row for row in complete if name in row.params]
    dots, best = Dots("complete"), Dots("best big")
    places = _places(x, rows, name, ROOM if isinstance(x, Numbers) else 1.0)
    strong = facts.summary.front or (facts.main,)
    for row in rows:
        chosen = best if row.number in strong else dots
        chosen.add(places[row.number], y.place(_value(row)), row.number)
    missing = len(complete) - len(rows)
    return Chart(
        key=f"slice-{name}",
        label=f"Dev {metric} against {name}, {counted(len(rows), 'complete trial')}.",
        x=Axis.of(name, x),
        y=Axis.of(f"dev {metric}", y),
        marks=(dots.mark(), best.mark()),
        caption=f"{counted(missing, 'complete trial')} without it." if missing else "",
        tall=12,
        lined=(isinstance(x, Numbers), True),
    )


def _places(x: Scale, rows: Sequence[TrialRow], name: str, room: float) -> dict[int, float]:
    """Return where trials lie on an axis; where many share a value, moved aside a little so that none hides another.

    By multiples of the golden ratio, so that neighbours lie apart; over `room` of the axis at most.
    """
    places = {row.number: x.place(row.params[name]) for row in rows if name in row.params}
    distinct = sorted(set(places.values()))
    if len(distinct) > FEW_VALUES or len(distinct) < 2 or len(places) <= len(distinct):
        return places
    spread = min(room, JITTER * min(b - a for a, b in pairwise(distinct)))
    return {number: place + (number * GOLDEN % 1 - 0.5) * spread for number, place in places.items()}


def _main_title(facts: TrialFacts) -> str:
    return "" if facts.main is None else facts.summary.choice.title(facts.main)


def parallel(facts: TrialFacts) -> Chart | None:
    """Return parallel coordinates of the complete trials: an axis a hyperparameter, the value last."""
    summary = facts.summary
    rows = summary.ranking()
    names = searched(facts)
    if len(rows) < 2 or len(names) < 2:
        return None
    value_scale, _ = robust([_value(row) for row in rows], maximize=summary.direction == "maximize", margin=0)
    scales: list[Scale] = [*(scale_of(facts, name, margin=0) for name in names), value_scale]
    columns = [_places(scale, rows, name, NARROW) for scale, name in zip(scales, names, strict=False)]
    columns.append({row.number: value_scale.place(_value(row)) for row in rows})
    titles = [*names, f"dev {title_of(summary.metric)}"]
    at = [(k + 0.5) / len(scales) for k in range(len(scales))]
    marks = []
    # The worst first, so that the best lie on top.
    for rank in reversed(range(len(rows))):
        row = rows[rank]
        places = [_above_none(column[row.number]) if row.number in column else NONE for column in columns]
        band = "best" if row.number == facts.main else f"band-{rank * BANDS // len(rows)}"
        marks.append(Mark("line", band, path(zip(at, places, strict=True)), (row.number,)))
    rules = "".join(f"M{round(x * WIDTH)} 0V{HEIGHT}" for x in at)
    marks.append(Mark("rule", "pole", rules))
    return Chart(
        key="parallel-chart",
        label=f"Parallel coordinates of {counted(len(rows), 'complete trial')}: "
        f"{', '.join(names)} and dev {title_of(summary.metric)}.",
        x=Axis("", [(x, f"{name}\n{_ends(scale)}") for x, name, scale in zip(at, titles, scales, strict=True)]),
        y=Axis("", []),
        marks=tuple(marks),
        legend=(("line best", _main_title(facts)), *((f"line band-{k}", _fifth(k)) for k in range(BANDS))),
        caption="A line is a complete trial, its colour is its rank. Each axis runs upwards between the two "
        "values under it; a line at the very bottom is a trial without the hyperparameter.",
        tall=24,
        wide=7 * len(scales),
        lined=(False, False),
    )


def _ends(scale: Scale) -> str:
    """Return the low and the high end of an axis as text."""
    if isinstance(scale, Numbers):
        low, high = (f"{end:.3g}" if abs(end) < 1000 else write(end) for end in (scale.low, scale.high))
        return f"{low} to {high}"
    names = [text for _, text in scale.ticks()]
    ends = f"{names[0]} to {names[-1]}"
    return ends if len(ends) <= ROOM_FOR_ENDS else f"{len(names)} choices"


def _above_none(place: float) -> float:
    return 0.12 + 0.84 * place


def _fifth(band: int) -> str:
    return ("best fifth", "second fifth", "third fifth", "fourth fifth", "last fifth")[band]


def _value(row: TrialRow) -> float:
    return float(row.value) if row.value is not None else float("nan")
