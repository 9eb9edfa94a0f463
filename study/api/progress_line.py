"""The progress of a run in Python: a display that updates in place in a notebook, one line in a terminal."""

import html
import logging
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from study.text.cards import wrap
from study.text.formatting import agree, counted, figures
from study.text.printable import printable

if TYPE_CHECKING:
    from IPython.display import DisplayHandle

    from study.data import Dataset
    from study.run import Progress

EVERY = 0.1  # seconds between two updates of a notebook's display
log = logging.getLogger("study")


def describe_sizes(datasets: "tuple[Dataset, ...]") -> str:
    """Return the examples of train and dev in words; with folds those of the first, which others equal or nearly so."""
    sizes = f"{datasets[0].train.m:,} train, {datasets[0].dev.m:,} dev"
    return sizes if len(datasets) == 1 else f"{len(datasets)} folds of {sizes}"


@dataclass(frozen=True)
class Status:
    """How far a run is: a share of the work, 0 to 1, and the same in words."""

    share: float
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        bar = f'<progress max="1" value="{self.share:.4f}"></progress>'
        return wrap(f"{bar}<span>{html.escape(printable(self.text))}</span>")


class Output(Protocol):
    """Where progress is shown."""

    def begin(self, status: Status) -> None:
        """Show a status before anything has been done, where lines that follow do not get in its way."""

    def show(self, status: Status) -> None:
        """Show a status in place of the one before."""

    def say(self, text: str) -> None:
        """Show a line of text that stays."""

    def warn(self, text: str) -> None:
        """Show a line that should worry the user."""

    def end(self) -> None:
        """Make the last status the final one."""


class Terminal:
    """A line that is written over, on standard output."""

    def __init__(self) -> None:
        self._open = False
        self._wide = 0

    def begin(self, status: Status) -> None:
        """Do nothing: lines of text follow, and would stand below."""

    def show(self, status: Status) -> None:
        """Write over the line."""
        self._wide, before = len(status.text), self._wide
        self._write(f"\r{status.text}{' ' * max(0, before - self._wide)}")
        self._open = True

    def say(self, text: str) -> None:
        """Write a line below."""
        self.end()
        self._write(f"{printable(text)}\n")

    def warn(self, text: str) -> None:
        """Write a line below."""
        self.say(text)

    def end(self) -> None:
        """End the line that is being written over."""
        if self._open:
            self._write("\n")
        self._open, self._wide = False, 0

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


class Notebook:
    """A display of a notebook's cell that is updated in place, at most ten times a second."""

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None
        self._waiting: Status | None = None
        self._shown_at = 0.0

    def begin(self, status: Status) -> None:
        """Make the display."""
        self.show(status)

    def show(self, status: Status) -> None:
        """Update the display, or keep the status for later where it was updated just now."""
        self._waiting = status
        if self._handle is None or time.monotonic() - self._shown_at >= EVERY:
            self._update()

    def say(self, text: str) -> None:
        """Print a line in the output of the cell."""
        print(printable(text), flush=True)

    def warn(self, text: str) -> None:
        """Print a line in the output of the cell."""
        self.say(text)

    def end(self) -> None:
        """Show the last status."""
        self._update()

    def _update(self) -> None:
        if self._waiting is None:
            return
        if self._handle is None:
            from IPython.display import display

            self._handle = display(self._waiting, display_id=True)
        else:
            self._handle.update(self._waiting)
        self._waiting, self._shown_at = None, time.monotonic()


class Logged:
    """Records of the logger "study", for scripts and services that have no terminal."""

    def begin(self, status: Status) -> None:
        """Do nothing."""

    def show(self, status: Status) -> None:
        """Record a status, for those who ask for details."""
        log.debug("%s", status.text)

    def say(self, text: str) -> None:
        """Record a line."""
        log.info("%s", text)

    def warn(self, text: str) -> None:
        """Record a warning, which Python prints on standard error unless logging is set up otherwise."""
        log.warning("%s", text)

    def end(self) -> None:
        """Do nothing."""


class Silent:
    """Shows nothing."""

    def begin(self, status: Status) -> None:
        """Do nothing."""

    def show(self, status: Status) -> None:
        """Do nothing."""

    def say(self, text: str) -> None:
        """Do nothing."""

    def warn(self, text: str) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


def find_output() -> Output:
    """Return where this process shows progress: in a notebook, in a terminal, or in the log."""
    if in_notebook():
        return Notebook()
    return Terminal() if sys.stdout.isatty() else Logged()


def in_notebook() -> bool:
    """Return whether this is the kernel of a notebook: Jupyter, VS Code, Colab; IPython in a terminal is none."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class ProgressLine:
    """Counts the trials of a run and shows how far it is; `end` it when the run is over.

    Args:
        quiet: whether nothing is shown.

    Attributes:
        done, planned: trials.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.output: Output = Silent() if quiet else find_output()
        self.done = self.planned = 0
        self.best: float | None = None
        self.metric, self.maximize = "", True

    def progress(self) -> "Progress":
        """Return what a run reports its progress to."""
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
        """Show what the data are."""
        self.metric, self.maximize = metric, direction == "maximize"
        self.done, self.planned, self.best = done, planned, best
        self.said(f"{datasets[0].source}: {datasets[0].task}, {describe_sizes(datasets)}")
        if done < planned:
            self.output.begin(self._status())

    def finished(self, _number: int, state: str, value: float | None) -> None:
        """Count a trial."""
        self.done += 1
        if state == "complete" and value is not None and (self.best is None or (value > self.best) == self.maximize):
            self.best = value
        self.output.show(self._status())

    def _status(self) -> Status:
        best = "" if self.best is None else f", best dev {self.metric} {figures([self.best])[0]}"
        share = self.done / self.planned if self.planned else 1.0
        return Status(share, f"{self.done}/{counted(self.planned, 'trial')}{best}")

    def confirming(self, share: float) -> None:
        """Show how much of the retraining of the best trials is done; share of the work, 0 to 1."""
        self.output.show(Status(share, f"confirming: {100 * share:.0f}%"))

    def said(self, text: str) -> None:
        """Show a line of text."""
        self.output.say(text)

    def warned(self, text: str) -> None:
        """Show a line that should worry the user, such as runs that are missing in MLflow."""
        self.output.warn(text)

    def interrupted(self, error: KeyboardInterrupt) -> None:
        """Show, in one line, what is kept and how to resume.

        A notebook prints that line in place of the error's traceback.
        """
        kept = f"{self.done} of {counted(self.planned, 'trial')} {agree(self.done, 'is', 'are')} kept"
        if not in_notebook():
            self.said(f"{kept}; call run() again to resume.")
            return
        line = f"Interrupted: {kept}; run the cell again to resume the study."
        # IPython's protocol for errors that print themselves.
        error._render_traceback_ = lambda: [line]  # type: ignore[attr-defined]

    def end(self) -> None:
        """Leave the last status as it is."""
        self.output.end()
