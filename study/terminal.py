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
from study.results import Summary, TrialRow
from study.running import Progress as RunProgress
from study.running import RunResult

TOP = 10


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

    def _begun(self, dataset: Dataset, metric: str, direction: str, done: int, planned: int) -> None:
        self._metric, self._direction = metric, direction
        self._done, self._planned = done, planned
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
            self._task = self._bar.add_task("trials", total=planned, completed=done, best="")
            self._bar.start()

    def _finished(self, number: int, state: str, value: float | None) -> None:
        self._done += 1
        if state == "complete" and value is not None and _better(value, self._best, self._direction):
            self._best = value
        best = "" if self._best is None else f"best dev {METRICS[self._metric].title} {self._best:.4f}"
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, best=best)
        else:
            shown = "" if value is None else f" {self._metric} {value:.4f}"
            self.console.print(f"trial {number} {state}{shown} ({self._done}/{self._planned}) {best}".rstrip())

    def conclude(self, result: RunResult, home: str | None) -> None:
        """Print the ten best trials, and where to look next."""
        summary = result.summary
        if not result.new:
            self.console.print(
                f"study {summary.name!r} is complete with {len(summary.trials)} trials; nothing to do. "
                "--trials N raises the number."
            )
        self.console.print(leaderboard(summary), soft_wrap=False)
        for error in result.tracking_errors:
            self.console.print(f"MLflow could not be written: {error}; run the same command again once it answers")
        at = f" --home {home}" if home else ""
        ui = "make ui" if not home and Path("Makefile").exists() else f"study ui{at}"
        self.console.print(f"All trials:   study show {summary.name}{at}")
        self.console.print(f"In MLflow:    {ui}")


def leaderboard(summary: Summary) -> Table:
    """Return the ten best trials as a table."""
    counts = {state: sum(row.state == state for row in summary.trials) for state in ("complete", "pruned", "failed")}
    said = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    title = f"{summary.name}: {said or 'no trial finished'}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("trial", justify="right", no_wrap=True)
    table.add_column(
        f"dev\n{METRICS[summary.metric].title}" if summary.metric in METRICS else "value", justify="right", no_wrap=True
    )
    names = _columns(summary.ranking()[:TOP])
    for name in names:
        table.add_column(name.replace("_", "\n"), justify="right", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    for row in summary.ranking()[:TOP]:
        cells = [_cell(_param(row, name)) for name in names]
        table.add_row(str(row.number), _cell(row.value), *cells, f"{row.seconds:.2f}")
    return table


def print_summary(summary: Summary) -> None:
    """Print a study: how it stands, and its best trials."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    finished = sum(row.state != "running" for row in summary.trials)
    console.print(f"{summary.name}: {summary.state}, {finished} of {summary.planned} trials. {summary.description}")
    console.print(leaderboard(summary))


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


def print_json(value: Any) -> None:
    """Print JSON, one document."""
    json.dump(value, sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")


def _columns(rows: Sequence[TrialRow]) -> list[str]:
    """Return the hyperparameters that differ between rows; units of all layers in one."""
    names: list[str] = []
    for row in rows:
        for name in row.params:
            name = "units" if name.startswith("units_") else name
            if name not in names:
                names.append(name)
    return [name for name in names if name == "units" or len({str(_param(row, name)) for row in rows}) > 1]


def _param(row: TrialRow, name: str) -> Any:
    if name != "units":
        return row.params.get(name, "")
    units = [row.params[key] for key in sorted(row.params) if key.startswith("units_")]
    return " ".join(map(str, units))


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _better(value: float, best: float | None, direction: str) -> bool:
    return best is None or (value > best if direction == "maximize" else value < best)
