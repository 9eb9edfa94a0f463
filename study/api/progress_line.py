"""How a run goes, in one line that is written over, which notebooks and terminals both show."""

import sys
from typing import TYPE_CHECKING

from study.text.formatting import counted, figures

if TYPE_CHECKING:
    from study.data import Dataset
    from study.run import Progress


def describe_sizes(datasets: "tuple[Dataset, ...]") -> str:
    """Return the examples of train and dev in words; with folds those of the first, which others equal or nearly so."""
    sizes = f"{datasets[0].train.m:,} train, {datasets[0].dev.m:,} dev"
    return sizes if len(datasets) == 1 else f"{len(datasets)} folds of {sizes}"


class ProgressLine:
    """The line; `end` it when the run is over.

    Args:
        quiet: whether nothing is printed.

    Attributes:
        done, planned: trials.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.quiet, self.open = quiet, False
        self.done = self.planned = 0
        self.best: float | None = None
        self.metric, self.maximize = "", True

    def progress(self) -> "Progress":
        """Return what a run is given to tell it."""
        from study.run import Progress

        return Progress(self.begun, self.finished, self.said, confirming=self.confirming)

    def begun(
        self,
        datasets: "tuple[Dataset, ...]",
        metric: str,
        direction: str,
        done: int,
        planned: int,
        best: float | None,
    ) -> None:
        """Say what the data are."""
        self.metric, self.maximize = metric, direction == "maximize"
        self.done, self.planned, self.best = done, planned, best
        self.said(f"{datasets[0].source}: {datasets[0].task}, {describe_sizes(datasets)}")

    def finished(self, _number: int, state: str, value: float | None) -> None:
        """Count a trial."""
        self.done += 1
        if state == "complete" and value is not None and (self.best is None or (value > self.best) == self.maximize):
            self.best = value
        best = "" if self.best is None else f", best dev {self.metric} {figures([self.best])[0]}"
        self._write(f"\r{self.done}/{counted(self.planned, 'trial')}{best}   ")
        self.open = True

    def confirming(self, share: float) -> None:
        """Say how far the best trials are trained again; share of the work, 0 to 1."""
        self._write(f"\rconfirming: {100 * share:.0f}%   ")
        self.open = True

    def said(self, text: str) -> None:
        """Say something in a line of its own."""
        self.end()
        self._write(f"{text}\n")

    def end(self) -> None:
        """End the line that is being written over."""
        if self.open:
            self._write("\n")
        self.open = False

    def _write(self, text: str) -> None:
        if not self.quiet:
            sys.stdout.write(text)
            sys.stdout.flush()
