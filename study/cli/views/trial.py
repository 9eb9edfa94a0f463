"""Print one trial for `study show NAME TRIAL`: configuration, values, and the learning curve."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table

from engine.activations import Array
from engine.metrics import METRICS
from engine.training_chunk import Evaluation
from study.ledger.home import Home
from study.ledger.results import Summary, TrialRow, summarize
from study.ledger.trial_artifact import find_result
from study.text.console import make_console
from study.text.formatting import counted, figure, figures
from study.text.sparkline import draw_curve

HEIGHT, MOST = 12, 100  # lines of the plot, and its maximum number of columns
LOGARITHMIC = 20.0  # a curve that falls by more than this factor is drawn on a logarithmic scale


@dataclass(frozen=True, eq=False)
class TrialView:
    """One trial and the contents of its file.

    Attributes:
        summary: summary of the study.
        row: the trial.
        layer_sizes: (n[0], …, n[L]); () if the trial has no file yet.
        costs: J before each update, averaged over its networks; empty if the trial has no file yet.
        evaluations: evaluations on dev, oldest first.
    """

    summary: Summary
    row: TrialRow
    layer_sizes: tuple[int, ...]
    costs: Sequence[float]
    evaluations: list[Evaluation]


@dataclass(frozen=True, kw_only=True)
class TrialAnswer(TrialRow):
    """The output of `study show NAME TRIAL --json`: a trial as in `study show NAME --json`, and its file's contents.

    Attributes:
        layer_sizes, costs, evaluations: as in `TrialView`; values that are not finite are null.
    """

    layer_sizes: tuple[int, ...]
    costs: tuple[float | None, ...]
    evaluations: tuple[Evaluation, ...]


def describe_trial(view: TrialView) -> TrialAnswer:
    """Return a trial as the record that is printed as JSON."""
    return TrialAnswer(
        **vars(view.row), layer_sizes=view.layer_sizes, costs=tuple(view.costs), evaluations=tuple(view.evaluations)
    )


def view_trial(home: Home, name: str, trial: str) -> TrialView:
    """Read one trial, given as a number, "best", "confirmed" or "recommended".

    Raises:
        UserError: if the study or the trial does not exist.
    """
    summary = summarize(home, name)
    row = summary.find(trial)
    file = find_result(home.folder(name).result(row.number), row.fingerprint)
    if file is None:
        return TrialView(summary, row, (), (), [])
    costs: Array = file.costs
    return TrialView(summary, row, file.layer_sizes, costs.tolist(), file.evaluations)


def print_trial(view: TrialView) -> None:
    """Print a trial."""
    console = make_console(soft_wrap=True)
    row = view.row
    why = f": {row.reason.strip().splitlines()[-1]}" if row.reason else ""
    console.print(f"{view.summary.name}, {view.summary.choice.title(row.number)}: {row.state}{why}")
    for title, text in _lines(view):
        console.print(f"  {title:<13}  {text}")
    if row.metrics:
        console.print(_metrics(row), soft_wrap=False)
    if len(view.costs) > 1 and any(math.isfinite(cost) for cost in view.costs):
        for line in draw_costs(view.costs, min(console.width, MOST)):
            console.print(line)


def _lines(view: TrialView) -> list[tuple[str, str]]:
    row = view.row
    lines = [("configuration", ", ".join(f"{name} {_short(value)}" for name, value in row.params.items()))]
    if view.layer_sizes:
        sizes = "-".join(map(str, view.layer_sizes))
        lines.append(("network", f"{sizes}, {counted(row.parameters or 0, 'parameter')}"))
    if row.value is not None:
        lines.append(("value", f"{view.summary.metric} on dev: {figures([row.value])[0]}"))
    took = f"{row.seconds:.2g}" if row.seconds < 10 else f"{row.seconds:,.0f}"
    lines.append(("work", f"{counted(row.iterations, 'iteration')}, {took} seconds of CPU time"))
    return lines


def _metrics(row: TrialRow) -> Table:
    """Return the final metrics on dev and train as a table, one metric per line."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 2))
    table.add_column("")
    for part in ("dev", "train"):
        table.add_column(part, justify="right")
    # The stored cost is J of the last update on train, and the mean loss on dev.
    known = {"train_cost": row.metrics["cost"]} if "cost" in row.metrics else {}
    known |= row.metrics
    for name in ("cost", *METRICS):
        cells = figures([known.get(f"{part}_{name}") for part in ("dev", "train")])
        if any(cells):
            table.add_row(METRICS[name].title if name in METRICS else name, *cells)
    return table


def draw_costs(costs: Sequence[float], width: int) -> list[str]:
    """Return the lines of a plot of J by iteration with axes, or of log J if the curve falls far."""
    finite = [cost for cost in costs if math.isfinite(cost)]
    low, high = min(finite), max(finite)
    logarithmic = low > 0 and high / low > LOGARITHMIC
    drawn = [math.log(cost) if logarithmic and math.isfinite(cost) else cost for cost in costs]
    labels = [_short(high), *[""] * (HEIGHT - 2), _short(low)]
    margin = max(map(len, labels))
    curve = draw_curve(drawn, width - margin - 2, HEIGHT)
    title = "J" + (" (logarithmic)" if logarithmic else "")
    end = f"iteration {len(costs)}"
    below = f"{'':>{margin}} 0{end:>{max(width - margin - 3, len(end) + 1)}}"
    return [
        f"{title:>{margin}}",
        *(f"{label:>{margin}} ┤{line}" for label, line in zip(labels, curve, strict=True)),
        below,
    ]


def _short(value: object) -> str:
    return figure(value) if isinstance(value, float) else str(value)
