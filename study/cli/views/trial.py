"""One trial, as `study show NAME TRIAL` prints it: setting, values, and the curve drawn in the terminal."""

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

HEIGHT, MOST = 12, 100  # lines of the drawing, and its columns at most
LOGARITHMIC = 20.0  # times that a curve falls, from which its logarithm is drawn


@dataclass(frozen=True, eq=False)
class TrialView:
    """One trial and what its file holds.

    Attributes:
        summary: of the study.
        row: the trial.
        layer_sizes: (n[0], …, n[L]); () of a trial that has no file yet.
        costs: J before each update, the mean of its networks; empty without a file.
        evaluations: on dev, oldest first.
    """

    summary: Summary
    row: TrialRow
    layer_sizes: tuple[int, ...]
    costs: Sequence[float]
    evaluations: list[Evaluation]


@dataclass(frozen=True, kw_only=True)
class TrialAnswer(TrialRow):
    """A trial as `study show NAME TRIAL --json` prints it: as in `study show NAME --json`, and what its file holds.

    Attributes:
        layer_sizes, costs, evaluations: as in `TrialView`; null for what is not finite.
    """

    layer_sizes: tuple[int, ...]
    costs: tuple[float | None, ...]
    evaluations: tuple[Evaluation, ...]


def describe_trial(view: TrialView) -> TrialAnswer:
    """Return a trial as JSON has it."""
    return TrialAnswer(
        **vars(view.row), layer_sizes=view.layer_sizes, costs=tuple(view.costs), evaluations=tuple(view.evaluations)
    )


def view_trial(home: Home, name: str, trial: str) -> TrialView:
    """Read one trial: a number, "best", "confirmed" or "recommended".

    Raises:
        UserError: there is no such study, or no such trial in it.
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
    for title, said in _lines(view):
        console.print(f"  {title:<8}  {said}")
    if row.metrics:
        console.print(_metrics(row), soft_wrap=False)
    if len(view.costs) > 1 and any(math.isfinite(cost) for cost in view.costs):
        for line in draw_costs(view.costs, min(console.width, MOST)):
            console.print(line)


def _lines(view: TrialView) -> list[tuple[str, str]]:
    row = view.row
    lines = [("setting", ", ".join(f"{name} {_short(value)}" for name, value in row.params.items()))]
    if view.layer_sizes:
        sizes = "-".join(map(str, view.layer_sizes))
        lines.append(("network", f"{sizes}, {counted(row.parameters or 0, 'parameter')}"))
    if row.value is not None:
        lines.append(("value", f"{view.summary.metric} on dev: {figures([row.value])[0]}"))
    took = f"{row.seconds:.2g}" if row.seconds < 10 else f"{row.seconds:,.0f}"
    lines.append(("work", f"{counted(row.iterations, 'iteration')}, {took} seconds of processor time"))
    return lines


def _metrics(row: TrialRow) -> Table:
    """Return the metrics at the end as a table: one a line, on dev and on train."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 2))
    table.add_column("")
    for part in ("dev", "train"):
        table.add_column(part, justify="right")
    # The cost is kept as J of the last update on train, and as the mean loss on dev.
    known = {"train_cost": row.metrics["cost"]} if "cost" in row.metrics else {}
    known |= row.metrics
    for name in ("cost", *METRICS):
        cells = figures([known.get(f"{part}_{name}") for part in ("dev", "train")])
        if any(cells):
            table.add_row(METRICS[name].title if name in METRICS else name, *cells)
    return table


def draw_costs(costs: Sequence[float], width: int) -> list[str]:
    """Return the lines of a drawing of J by iteration, with its axes; of log J where it falls far."""
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
