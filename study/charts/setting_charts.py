"""Charts of hyperparameters: the dev value by each hyperparameter, and parallel coordinates of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from optuna.distributions import CategoricalDistribution, IntDistribution

from study.charts.chart import HEIGHT, WIDTH, Axis, Chart, Dots, Mark, path
from study.charts.scales import Choices, Numbers, Scale, robust, write
from study.charts.trials import TrialFacts
from study.charts.words import shorten, title_of
from study.ledger.results import TrialRow
from study.text.formatting import agree, counted

LEAST = 3  # minimum number of complete trials with a hyperparameter for a chart of it
BANDS = 5  # ranks are divided into this number of bands, each with its own color
NONE = 0.04  # position of trials that do not have the hyperparameter
JITTER = 0.5  # share of the space of a name over which its dots are spread
ROOM_FOR_ENDS = 20  # characters
ROW = 3.6  # height of a row of parallel coordinates in rem, for a label of several lines
GOLDEN = 0.6180339887498949


def searched(facts: TrialFacts) -> list[str]:
    """Return the hyperparameters that differ between complete trials in sampling order, with layers grouped."""
    rows = facts.summary.ranking()
    names = list(facts.distributions)
    first = next((k for k, name in enumerate(names) if _is_layer(name)), 0)
    names = [*names[:first], *sorted(filter(_is_layer, names)), *(n for n in names[first:] if not _is_layer(n))]
    given = {name: [row.params[name] for row in rows if name in row.params] for name in names}
    return [name for name, values in given.items() if len(values) >= LEAST and len(set(map(str, values))) > 1]


def _is_layer(name: str) -> bool:
    return name.startswith("units_") and name.removeprefix("units_").isdigit()


def scale_of(facts: TrialFacts, name: str, *, margin: float = 0.06) -> Scale:
    """Return the scale of a hyperparameter, from its lowest to its highest value; logarithmic if its range is."""
    kind = facts.distributions[name]
    values = [row.params[name] for row in facts.summary.ranking() if name in row.params]
    if isinstance(kind, CategoricalDistribution):
        present = {str(value) for value in values}
        return Choices(tuple(str(choice) for choice in kind.choices if str(choice) in present))
    whole = isinstance(kind, IntDistribution)
    numbers = [value for value in values if isinstance(value, int | float)]
    return Numbers.covering(numbers, log=bool(getattr(kind, "log", False)), whole=whole, margin=margin)


def slices(facts: TrialFacts) -> tuple[list[Chart], bool]:
    """Return a chart of the dev value by each searched hyperparameter, and True if some values are at the edge."""
    summary = facts.summary
    complete = [row for row in summary.trials if row.state == "complete" and row.value is not None]
    if len(complete) < 2:
        return [], False
    y, cut = robust([value_of(row) for row in complete], maximize=summary.direction == "maximize")
    metric = title_of(summary.metric)
    return [_slice(facts, name, complete, y, metric) for name in searched(facts)], cut


def _slice(facts: TrialFacts, name: str, complete: Sequence[TrialRow], y: Numbers, metric: str) -> Chart:
    x = scale_of(facts, name)
    rows = [row for row in complete if name in row.params]
    dots, best = Dots("complete"), Dots("best big")
    places = place_trials(x, rows, name)
    strong = facts.summary.front or (facts.main,)
    for row in rows:
        chosen = best if row.number in strong else dots
        chosen.add(places[row.number], y.place(value_of(row)), row.number)
    missing = len(complete) - len(rows)
    return Chart(
        key=f"slice-{name}",
        label=f"Dev {metric} by {name}, {counted(len(rows), 'complete trial')}.",
        x=Axis.of(name, x),
        y=Axis.of(f"dev {metric}", y),
        marks=(dots.mark(), best.mark()),
        caption=f"{counted(missing, 'complete trial')} {agree(missing, 'does', 'do')} not have this hyperparameter."
        if missing
        else "",
        tall=12,
        lined=(isinstance(x, Numbers), True),
    )


def place_trials(x: Scale, rows: Sequence[TrialRow], name: str) -> dict[int, float]:
    """Return the positions of trials on an axis: exact for numbers, spread around a name so that dots do not overlap.

    The offsets are multiples of the golden ratio modulo 1, which separates consecutive trials.
    """
    values = {row.number: row.params[name] for row in rows if name in row.params}
    places = {
        number: x.place(value if isinstance(value, int | float) else str(value)) for number, value in values.items()
    }
    if not isinstance(x, Choices) or len(places) <= len(x.names):
        return places
    spread = JITTER / len(x.names)
    return {number: place + (number * GOLDEN % 1 - 0.5) * spread for number, place in places.items()}


def _main_title(facts: TrialFacts) -> str:
    return "" if facts.main is None else facts.summary.choice.title(facts.main)


@dataclass(frozen=True)
class ParallelLine:
    """A trial in parallel coordinates.

    Attributes:
        trial: number of the trial.
        band: band of its rank; 0 is the best fifth.
        places: position on each row, from 0 to 1; far left if the trial does not have the hyperparameter.
    """

    trial: int
    band: int
    places: tuple[float, ...]


@dataclass(frozen=True)
class ParallelRows:
    """Parallel coordinates: a row for each hyperparameter that differs, and the value as the last row.

    Attributes:
        titles, scales: title and scale of each row.
        lines: complete trials, best first.
    """

    titles: tuple[str, ...]
    scales: tuple[Scale, ...]
    lines: tuple[ParallelLine, ...]

    @property
    def labels(self) -> list[str]:
        """A label for each row: its title, and its ends on a second line."""
        return [f"{shorten(title)}\n{ends_of(scale)}" for title, scale in zip(self.titles, self.scales, strict=True)]


def parallel_rows(facts: TrialFacts) -> ParallelRows | None:
    """Return the complete trials in parallel coordinates; None with fewer than two trials or hyperparameters."""
    summary = facts.summary
    rows = summary.ranking()
    names = searched(facts)
    if len(rows) < 2 or len(names) < 2:
        return None
    value_scale, _ = robust([value_of(row) for row in rows], maximize=summary.direction == "maximize", margin=0)
    scales: tuple[Scale, ...] = (*(scale_of(facts, name, margin=0) for name in names), value_scale)
    places = [place_trials(scale, rows, name) for scale, name in zip(scales, names, strict=False)]
    places.append({row.number: value_scale.place(value_of(row)) for row in rows})

    def across(row: TrialRow) -> tuple[float, ...]:
        return tuple(_right_of_none(of_row[row.number]) if row.number in of_row else NONE for of_row in places)

    lines = tuple(ParallelLine(row.number, rank * BANDS // len(rows), across(row)) for rank, row in enumerate(rows))
    return ParallelRows((*names, f"dev {title_of(summary.metric)}"), scales, lines)


def parallel(facts: TrialFacts) -> Chart | None:
    """Return parallel coordinates of the complete trials: one row per hyperparameter, and the value in the last row."""
    found = parallel_rows(facts)
    if found is None:
        return None
    count = len(found.scales)
    heights = [1 - (k + 0.5) / count for k in range(count)]
    marks = [Mark("rule", "pole", "".join(f"M0 {round((1 - y) * HEIGHT)}H{WIDTH}" for y in heights))]
    # Draw the worst trials first, so that the best ones are on top.
    for line in reversed(found.lines):
        band = "best" if line.trial == facts.main else f"band-{line.band}"
        marks.append(Mark("line", band, path(zip(line.places, heights, strict=True)), (line.trial,)))
    return Chart(
        key="parallel-chart",
        label=f"Parallel coordinates of {counted(len(found.lines), 'complete trial')}: "
        f"{', '.join(found.titles[:-1])} and {found.titles[-1]}.",
        x=Axis("each row from low to high", []),
        y=Axis("", list(zip(heights, found.labels, strict=True)), names=True),
        marks=tuple(marks),
        legend=(("line best", _main_title(facts)), *((f"line band-{k}", name_of_band(k)) for k in range(BANDS))),
        caption="Each line is a complete trial colored by its rank. Each row runs from the lowest value on the "
        "left to the highest on the right; lines at the far left are trials without the hyperparameter.",
        tall=ROW * count,
        lined=(False, False),
    )


def ends_of(scale: Scale) -> str:
    """Return the lower and the upper end of an axis as text."""
    if isinstance(scale, Numbers):
        return " to ".join(write([scale.low, scale.high]))
    names = [text for _, text in scale.ticks()]
    ends = f"{names[0]} to {names[-1]}"
    return ends if len(ends) <= ROOM_FOR_ENDS else f"{len(names)} choices"


def _right_of_none(place: float) -> float:
    return 0.12 + 0.84 * place


def name_of_band(band: int) -> str:
    """Return the name of a band of ranks."""
    return ("best fifth", "second fifth", "third fifth", "fourth fifth", "last fifth")[band]


def value_of(row: TrialRow) -> float:
    """Return the dev value of a trial; NaN if it has none."""
    return float(row.value) if row.value is not None else float("nan")
