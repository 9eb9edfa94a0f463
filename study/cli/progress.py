"""Show the progress of a run: a live bar in a terminal, plain lines elsewhere."""

from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from engine.metrics import METRICS
from study.api.progress_line import describe_sizes
from study.cli.terminal import ConfirmBar, TimeColumn, leaderboard, print_warnings, read_curves
from study.cli.views.baselines import print_baselines
from study.cli.views.confirm import print_confirmed
from study.data import Dataset
from study.evaluation.choice_lines import bound_lines, choice_lines
from study.ledger.home import Home
from study.run import Progress as RunProgress
from study.run import RunResult
from study.text.console import make_console
from study.text.formatting import agree, counted, figures
from study.text.shell import is_place_given, next_command
from study.text.verbosity import PRINTER, is_told, log


class RunView:
    """Show one run: a live bar in a terminal, one line per trial elsewhere. Use as a context manager.

    Args:
        home: home that contains the study.
    """

    def __init__(self, home: Home) -> None:
        self.home = home
        self.console = make_console(soft_wrap=True)
        self.progress = RunProgress(self._begun, self._finished, self._tell, self._ended, self._confirming)
        self._confirm_bar = ConfirmBar(self.console, quiet=not is_told())
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._done = self._planned = 0
        self._best: float | None = None
        self._metric, self._direction = "value", "maximize"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop_bar()
        if kind is KeyboardInterrupt and self._planned:
            are = agree(self._done, "has finished and is", "have finished and are")
            kept = f"{self._done} of {counted(self._planned, 'trial')} {are} saved"
            self._tell(f"{kept}; run the same command again to resume.")

    def _tell(self, text: str, style: str | None = None) -> None:
        """Log a message. The console that shows the bar prints it, so that the bar stays below the message."""
        log.info("%s", text, extra={PRINTER: partial(self.console.print, style=style)})

    def _begun(
        self, datasets: tuple[Dataset, ...], metric: str, direction: str, done: int, planned: int, best: float | None
    ) -> None:
        self._metric, self._direction = metric, direction
        self._done, self._planned, self._best = done, planned, best
        dataset, sizes = datasets[0], describe_sizes(datasets)
        features = counted(dataset.n_x, "feature")
        test = "the test set stays sealed" if dataset.has_test_set else "there is no test set"
        self._tell(f"{dataset.source}: {dataset.task}, {features}, {sizes}; {test}")
        for note in dataset.notes:
            self._tell(f"  {note}", style="dim")
        title = METRICS[metric].title if metric in METRICS else metric
        because = dataset.metric_reason if metric == dataset.default_metric else ""
        self._tell(f"  trials are compared by {title} on dev" + (f", since {because}" if because else ""))
        if done >= planned:
            return
        if done:
            self._tell(f"resuming after {done} of {counted(planned, 'trial')}")
        if self.console.is_terminal and is_told():
            self._bar = Progress(
                TextColumn("trials"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[best]}"),
                TimeColumn(),
                console=self.console,
            )
            self._task = self._bar.add_task("trials", total=planned, completed=done, best=self._describe_best())
            self._bar.start()

    def _finished(self, number: int, state: str, value: float | None) -> None:
        self._done += 1
        if state == "complete" and value is not None and _better(value, self._best, self._direction):
            self._best = value
        best = self._describe_best()
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, best=best)
        else:
            shown = "" if value is None else f" {self._metric} {figures([value])[0]}"
            self._tell(f"trial {number} {state}{shown} ({self._done}/{self._planned}) {best}".rstrip())

    def _describe_best(self) -> str:
        return "" if self._best is None else f"best dev {METRICS[self._metric].title} {figures([self._best])[0]}"

    def _confirming(self, share: float) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._confirm_bar.update(share)

    def _stop_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._confirm_bar.stop()

    def _ended(self, result: RunResult) -> None:
        """Print the ten best trials. The export to MLflow may still be in progress."""
        self._stop_bar()
        summary = result.summary
        if not result.new:
            self.console.print(
                f"study {summary.name!r} is complete with {counted(len(summary.trials), 'trial')}; nothing to do. "
                "Use --trials N to raise the total."
            )
        curves = read_curves(self.home.folder(summary.name), summary)
        self.console.print(leaderboard(summary, self.console.width, curves), soft_wrap=False)
        print_baselines(summary, self.console)
        if result.confirmed is not None:
            print_confirmed(result.confirmed, summary, table=False)
        else:
            for line in choice_lines(summary, next_command):
                self.console.print(line)
        for line in bound_lines(summary, next_command):
            self.console.print(line)
        print_warnings(summary.warnings)

    def conclude(self, result: RunResult) -> None:
        """Print the commands that show the results."""
        missing = result.missing_runs()
        if missing:
            self.console.print(missing)
        name = result.summary.name
        ui = "make ui" if not is_place_given() and Path("Makefile").exists() else next_command("ui")
        self._tell(f"All trials:   {next_command('show', name)}")
        self._tell(f"As a page:    {next_command('report', name)}")
        self._tell(f"In MLflow:    {ui}")


def _better(value: float, best: float | None, direction: str) -> bool:
    return best is None or (value > best if direction == "maximize" else value < best)
