"""Print tables and progress bars to a terminal, and plain lines elsewhere."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Self

import numpy as np
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
)
from rich.table import Table
from rich.text import Text

from engine.metrics import METRICS
from study.cli.views.baselines import print_baselines
from study.data.init import Written
from study.evaluation.choice_lines import bound_lines, choice_lines
from study.ledger.columns import cell_of, columns_of
from study.ledger.home import StudyFolder
from study.ledger.results import Summary, TrialRow
from study.ledger.trial_artifact import find_curve
from study.text.console import make_console
from study.text.formatting import counted, figures, signed
from study.text.records import to_json
from study.text.shell import next_command
from study.text.sparkline import sparkline

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

TOP = 10
_KEPT = ("learning_rate", "units")
_GAP, _CURVE, _SECONDS = "train − dev", "log J", "seconds"


class TimeColumn(ProgressColumn):
    """Show the time left, such as "0:00:04 left", and the total time once the task has finished."""

    def render(self, task: Task) -> Text:
        """Return the text of the column."""
        seconds = task.finished_time if task.finished else task.time_remaining
        text = "" if seconds is None else f"{timedelta(seconds=int(seconds))} {'in total' if task.finished else 'left'}"
        return Text(text, style="progress.remaining")


class SyncView:
    """Show a bar in a terminal while runs are written to MLflow. Use as a context manager."""

    def __init__(self, *, quiet: bool) -> None:
        console = make_console(stderr=True)
        columns = (TextColumn("runs"), BarColumn(), MofNCompleteColumn(), TimeColumn())
        self._bar = Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True)
        self._task = self._bar.add_task("runs", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def written(self, done: int, total: int) -> None:
        """Show how many of the runs have been written."""
        self._bar.update(self._task, completed=done, total=total)


class ConfirmBar:
    """Show a bar in a terminal while trials are retrained, from the first `update` until `stop`."""

    def __init__(self, console: Console | None = None, *, title: str = "confirming", quiet: bool = False) -> None:
        console = console or make_console()
        columns = (TextColumn(title), BarColumn(), TaskProgressColumn(), TimeColumn())
        self._bar = Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True)
        self._task: TaskID | None = None

    def update(self, share: float) -> None:
        """Show the share of the work that is done, from 0 to 1."""
        if self._task is None:
            self._task = self._bar.add_task("", total=1.0)
            self._bar.start()
        self._bar.update(self._task, completed=share)

    def stop(self) -> None:
        """Remove the bar."""
        self._bar.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def leaderboard(summary: Summary, width: int = 80, curves: Mapping[int, Sequence[float]] | None = None) -> Table:
    """Return the ten best trials, or the Pareto front of several objectives, as a table.

    Args:
        summary: summary of the study.
        width: maximum width of the table; columns that do not fit are left out and named in the caption.
        curves: learning curves by trial number, for a column of sparklines; None leaves that column out.
    """
    several = len(summary.objectives) > 1
    ranked = _ranked(summary)
    names = columns_of(ranked)
    extra = [_GAP] if any(row.gap is not None for row in ranked) else []
    extra += [_CURVE, _SECONDS] if curves else [_SECONDS]
    left_out: list[str] = []
    while True:
        table = _leaderboard(summary, ranked, names, extra, curves or {}, several=several)
        if left_out:
            table.caption = f"not shown: {', '.join(reversed(left_out))} (--json shows all)"
        measured = Console(width=1000).measure(table).maximum
        if measured <= width or len(names) + len(extra) <= 1:
            return table
        left_out.append(_dispensable(names, extra))
        (extra if left_out[-1] in extra else names).remove(left_out[-1])


def _dispensable(names: Sequence[str], extra: Sequence[str]) -> str:
    """Return the column to leave out next; units and learning rate are kept longest."""
    if _SECONDS in extra:
        return _SECONDS
    others = [name for name in names if name not in _KEPT]
    return (others or list(extra) or list(names))[-1]


def _ranked(summary: Summary) -> list[TrialRow]:
    several = len(summary.objectives) > 1
    return [row for row in summary.ranking() if not several or row.number in summary.front][:TOP]


def read_curves(folder: StudyFolder, summary: Summary) -> dict[int, Sequence[float]]:
    """Return log J by iteration for each trial on the leaderboard whose file exists."""
    read = {row.number: find_curve(folder.result(row.number)) for row in _ranked(summary)}
    with np.errstate(divide="ignore", invalid="ignore"):
        return {number: np.log(curve).tolist() for number, curve in read.items() if curve is not None}


def _leaderboard(
    summary: Summary,
    ranked: Sequence[TrialRow],
    names: Sequence[str],
    extra: Sequence[str],
    curves: Mapping[int, Sequence[float]],
    *,
    several: bool,
) -> Table:
    counts = {state: sum(row.state == state for row in summary.trials) for state in ("complete", "pruned", "failed")}
    states = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    title = f"{summary.name}: {states or 'no finished trials'}" + ("; the best trade-offs" if several else "")
    table = Table(
        title=title,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    objectives = summary.objectives if several else (summary.metric,)
    for name in ("trial", *map(_objective_title, objectives)):
        table.add_column(name, justify="right", no_wrap=True)
    gaps = dict(zip((row.number for row in ranked), signed([row.gap for row in ranked], 3), strict=True))
    shown = {
        _GAP: lambda row: gaps[row.number],
        _CURVE: lambda row: sparkline(curves.get(row.number, ())),
        _SECONDS: lambda row: f"{row.seconds:.3g}",
    }
    titles = {_GAP: "train\n− dev", _CURVE: _CURVE, _SECONDS: "seconds"}
    before, after = [name for name in extra if name == _GAP], [name for name in extra if name != _GAP]
    for name in (*before, *names, *after):
        table.add_column(titles.get(name, name.replace("_", "\n")), justify="right", no_wrap=True)
    for row, values in zip(ranked, _values(summary, ranked, len(objectives)), strict=True):
        cells = [*values]
        cells += [shown[name](row) for name in before]
        cells += [_cell(cell_of(row, name), 3).replace("gradient_descent", "gradient") for name in names]
        cells += [shown[name](row) for name in after]
        table.add_row(str(row.number), *cells)
    return table


def _values(summary: Summary, ranked: Sequence[TrialRow], objectives: int) -> list[tuple[str, ...]]:
    """Return the objective values of each trial as text, with the same number of decimals per objective."""
    several = objectives > 1
    rows = [summary.values.get(row.number, [None] * objectives) if several else [row.value] for row in ranked]
    return list(zip(*(figures([row[place] for row in rows]) for place in range(objectives)), strict=True))


def _objective_title(name: str) -> str:
    return f"dev\n{METRICS[name].title}" if name in METRICS else name


def console_for_sentences() -> Console:
    """Return a console that wraps lines between words in a terminal, but never in a pipe."""
    console = make_console()
    console.soft_wrap = not console.is_terminal
    return console


def print_summary(summary: Summary, folder: StudyFolder) -> None:
    """Print the state of a study and its best trials."""
    console = make_console(soft_wrap=True)
    finished = sum(row.state != "running" for row in summary.trials)
    trials = f"{finished} of {counted(summary.planned, 'trial')}"
    console.print(f"{summary.name}: {summary.state}, {trials}. {summary.description}".rstrip())
    console.print(leaderboard(summary, console.width, read_curves(folder, summary)), soft_wrap=False)
    print_baselines(summary, console)
    for line in (*choice_lines(summary, next_command), *bound_lines(summary, next_command)):
        console.print(line)
    print_warnings(summary.warnings)


def print_warnings(warnings: Sequence[str]) -> None:
    """Print the severe warnings that qualify the results."""
    console = console_for_sentences()
    for warning in warnings:
        console.print(f"! {warning}")


def print_list(summaries: Sequence[Summary], place: str) -> None:
    """Print one line per study."""
    console = make_console(soft_wrap=True)
    if not summaries:
        console.print(f"no studies in {place}; run one with `{next_command('run', 'SPEC.toml')}`")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("study", "state", "trials", "best on dev", "metric", "description"):
        table.add_column(title, justify="right" if title in ("trials", "best on dev") else "left")
    for summary in summaries:
        finished = sum(row.state != "running" for row in summary.trials)
        best = "" if summary.best is None or summary.best.value is None else figures([summary.best.value])[0]
        trials = f"{finished}/{summary.planned}"
        table.add_row(summary.name, summary.state, trials, best, summary.metric, summary.description)
    console.print(table)


def print_written(written: Written) -> None:
    """Print what `study init` wrote, what to check in it, and the next commands."""
    console = make_console(soft_wrap=True)
    console.print(f"wrote {written.path}")
    if written.schema is not None:
        console.print(f"wrote {written.schema}, which editors use to check the spec", style="dim")
    draft = written.draft
    if draft.read_as is not None:
        console.print(f"read as: {draft.read_as}")
    if draft.target is not None:
        which = "the last column" if draft.target == -1 else repr(draft.target)
        console.print(f"target: {which}" + (", guessed" if written.guessed else ""))
        if draft.task is not None:
            console.print(f"task: {draft.task}")
        if written.guessed:
            again = next_command("init", written.table, "--target", "COL", "--force")
            console.print(f"  to use another column: {again}")
    if draft.ignored:
        console.print(f"left out as identifiers: {', '.join(draft.ignored)}")
    for decision in draft.decisions:
        console.print(f"  {decision}", style="dim")
    for warning in draft.warnings:
        console.print(f"! {warning}")
    if draft.trouble is not None:
        console.print(f"! this column cannot be the target: {draft.trouble}")
    console.print(f"Plan:  {next_command('plan', written.path)}")
    console.print(f"Run:   {next_command('run', written.path)}")


def print_record(record: "DataclassInstance") -> None:
    """Print a record as JSON."""
    print_json(to_json(record))


def print_json(value: object) -> None:
    """Print a value as one JSON document."""
    json.dump(value, sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")


def _cell(value: object, digits: int = 4) -> str:
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)
