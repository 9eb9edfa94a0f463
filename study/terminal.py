"""What a person sees in the terminal: a live bar while a study runs, tables, plain lines where there is no terminal."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from engine.metrics import METRICS
from study.data import Dataset
from study.init import Written
from study.results import Summary, TrialRow
from study.running import Progress as RunProgress
from study.running import RunResult

TOP = 10
_KEPT = ("learning_rate", "units")


class RunView:
    """The view of one run: a bar in a terminal, a line a trial elsewhere; use as a context manager."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, markup=False, soft_wrap=True)
        self.progress = RunProgress(self._begun, self._finished, self.console.print)
        self._bar: Progress | None = None
        self._task: Any = None
        self._done = self._planned = 0
        self._best: float | None = None
        self._metric, self._direction = "value", "maximize"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if kind is KeyboardInterrupt and self._planned:
            self.console.print(f"{self._done} of {self._planned} trials are kept; the same command goes on from here.")

    def _begun(
        self, dataset: Dataset, metric: str, direction: str, done: int, planned: int, best: float | None
    ) -> None:
        self._metric, self._direction = metric, direction
        self._done, self._planned, self._best = done, planned, best
        sizes = f"{dataset.train.m} train, {dataset.dev.m} dev"
        self.console.print(f"{dataset.source}: {dataset.task}, {dataset.n_x} features, {sizes}; test stays sealed")
        for note in dataset.notes:
            self.console.print(f"  {note}", style="dim")
        if done >= planned:
            return
        if done:
            self.console.print(f"going on after {done} of {planned} trials")
        if self.console.is_terminal:
            self._bar = Progress(
                TextColumn("trials"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[best]}"),
                TimeRemainingColumn(compact=True, elapsed_when_finished=True),
                console=self.console,
            )
            self._task = self._bar.add_task("trials", total=planned, completed=done, best=self._said_best())
            self._bar.start()

    def _finished(self, number: int, state: str, value: float | None) -> None:
        self._done += 1
        if state == "complete" and value is not None and _better(value, self._best, self._direction):
            self._best = value
        best = self._said_best()
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, best=best)
        else:
            shown = "" if value is None else f" {self._metric} {value:.4f}"
            self.console.print(f"trial {number} {state}{shown} ({self._done}/{self._planned}) {best}".rstrip())

    def _said_best(self) -> str:
        return "" if self._best is None else f"best dev {METRICS[self._metric].title} {self._best:.4f}"

    def conclude(self, result: RunResult, home: str | None) -> None:
        """Print the ten best trials, and where to look next."""
        summary = result.summary
        if not result.new:
            self.console.print(
                f"study {summary.name!r} is complete with {len(summary.trials)} trials; nothing to do. "
                "--trials N raises the number."
            )
        self.console.print(leaderboard(summary, self.console.width), soft_wrap=False)
        for error in result.tracking_errors:
            self.console.print(f"MLflow could not be written: {error}; run the same command again once it answers")
        at = f" --home {home}" if home else ""
        ui = "make ui" if not home and Path("Makefile").exists() else f"study ui{at}"
        self.console.print(f"All trials:   study show {summary.name}{at}")
        self.console.print(f"In MLflow:    {ui}")


def leaderboard(summary: Summary, width: int = 80) -> Table:
    """Return the ten best trials, or the front of several objectives, as a table.

    Args:
        summary: of the study.
        width: that the table may take; hyperparameters that do not fit are left out, and the caption names them.
    """
    several = len(summary.objectives) > 1
    ranked = [row for row in summary.ranking() if not several or row.number in summary.front][:TOP]
    names = _columns(ranked)
    left_out: list[str] = []
    while True:
        table = _leaderboard(summary, ranked, names, several=several)
        if left_out:
            table.caption = f"not shown: {', '.join(reversed(left_out))} (--json has all)"
        measured = Console(width=1000).measure(table).maximum
        if measured <= width or len(names) <= 1:
            return table
        # The last one goes first, but who looks at a network wants its units and its learning rate.
        left_out.append(next(name for name in reversed(names) if name not in _KEPT or len(names) <= len(_KEPT)))
        names.remove(left_out[-1])


def _leaderboard(summary: Summary, ranked: Sequence[TrialRow], names: Sequence[str], *, several: bool) -> Table:
    counts = {state: sum(row.state == state for row in summary.trials) for state in ("complete", "pruned", "failed")}
    said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    title = f"{summary.name}: {said or 'no trial finished'}" + ("; the best trade-offs" if several else "")
    table = Table(
        title=title,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    objectives = summary.objectives if several else (summary.metric,)
    for name in ("trial", *map(_objective_title, objectives), *(name.replace("_", "\n") for name in names), "s"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in ranked:
        values = summary.values.get(row.number, []) if several else [row.value]
        cells = [_cell(value, 4) for value in values]
        cells += [_cell(_param(row, name), 3).replace("gradient_descent", "gradient") for name in names]
        table.add_row(str(row.number), *cells, f"{row.seconds:.3g}")
    return table


def _objective_title(name: str) -> str:
    return f"dev\n{METRICS[name].title}" if name in METRICS else name


def print_summary(summary: Summary) -> None:
    """Print a study: how it stands, and its best trials."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    finished = sum(row.state != "running" for row in summary.trials)
    console.print(f"{summary.name}: {summary.state}, {finished} of {summary.planned} trials. {summary.description}")
    console.print(leaderboard(summary, console.width), soft_wrap=False)


def print_list(summaries: Sequence[Summary], place: Path) -> None:
    """Print one line a study."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    if not summaries:
        console.print(f"no study in {place}; run one with `study run SPEC.toml`")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for title in ("study", "state", "trials", "best on dev", "metric", "description"):
        table.add_column(title)
    for summary in summaries:
        finished = sum(row.state != "running" for row in summary.trials)
        best = _cell(summary.best.value) if summary.best else ""
        trials = f"{finished}/{summary.planned}"
        table.add_row(summary.name, summary.state, trials, best, summary.metric, summary.description)
    console.print(table)


def print_written(written: Written) -> None:
    """Print what `study init` wrote, what to look at in it, and what comes next."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(f"wrote {written.path}")
    if written.target is not None:
        which = "the last column" if written.target == -1 else repr(written.target)
        console.print(f"target: {which}" + (", a guess" if written.guessed else ""))
        if written.guessed:
            console.print(f"  another of its columns: study init {written.table} --target COL --force")
    if written.ignored:
        console.print(f"left out as identifiers: {', '.join(written.ignored)}")
    for caution in written.cautions:
        console.print(f"! {caution}")
    if written.trouble is not None:
        console.print(f"! it cannot be the target as it stands: {written.trouble}")
    console.print(f"Look:  study plan {written.path}")
    console.print(f"Run:   study run {written.path}")


def print_json(value: Any) -> None:
    """Print JSON, one document."""
    json.dump(value, sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")


def _columns(rows: Sequence[TrialRow]) -> list[str]:
    """Return the hyperparameters that differ between rows; units of all layers in one."""
    names: list[str] = []
    for row in rows:
        for name in row.params:
            name = "units" if name.startswith("units_") and name != "units_pattern" else name
            if name not in names:
                names.append(name)
    # Units say how deep a network is; what all rows share says nothing here.
    names = [name for name in names if not (name == "depth" and "units" in names)]
    return [name for name in names if name == "units" or len({str(_param(row, name)) for row in rows}) > 1]


def _param(row: TrialRow, name: str) -> Any:
    if name != "units":
        return row.params.get(name, "")
    layers = [key for key in row.params if key.startswith("units_") and key != "units_pattern"]
    units = [row.params[key] for key in sorted(layers, key=lambda key: int(key.removeprefix("units_")))]
    if not units and row.params.get("depth", 0) and "units" in row.params:
        units = [f"{row.params['units']} × {row.params['depth']}"]
    return " ".join(map(str, units)) or "none"


def _cell(value: Any, digits: int = 4) -> str:
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def _better(value: float, best: float | None, direction: str) -> bool:
    return best is None or (value > best if direction == "maximize" else value < best)
