"""The progress of a run in Python: a display that updates in place in a notebook, or a line in a terminal."""

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
    """Return the sizes of train and dev in words; with folds, those of the first fold, since all are about equal."""
    sizes = f"{datasets[0].train.m:,} train, {datasets[0].dev.m:,} dev"
    return sizes if len(datasets) == 1 else f"{len(datasets)} folds of {sizes}"


@dataclass(frozen=True)
class Status:
    """The progress of a run: the completed share of the work, 0 to 1, and a text."""

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
        """Show a status before the run, unless the lines that follow would separate it from later ones."""

    def show(self, status: Status) -> None:
        """Replace the previous status."""

    def say(self, text: str) -> None:
        """Show a permanent line of text."""

    def warn(self, text: str) -> None:
        """Show a warning."""

    def end(self) -> None:
        """Make the last status final."""


class Terminal:
    """A line on standard output that is overwritten."""

    def __init__(self) -> None:
        self._open = False
        self._wide = 0

    def begin(self, status: Status) -> None:
        """Do nothing, since lines of text follow and would appear below the status."""

    def show(self, status: Status) -> None:
        """Overwrite the line."""
        self._wide, before = len(status.text), self._wide
        self._write(f"\r{status.text}{' ' * max(0, before - self._wide)}")
        self._open = True

    def say(self, text: str) -> None:
        """Write a line below the status."""
        self.end()
        self._write(f"{printable(text)}\n")

    def warn(self, text: str) -> None:
        """Write a line below the status."""
        self.say(text)

    def end(self) -> None:
        """End the line that is being overwritten."""
        if self._open:
            self._write("\n")
        self._open, self._wide = False, 0

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


class Notebook:
    """A display in a notebook cell that is updated in place, at most ten times per second."""

    def __init__(self) -> None:
        self._handle: DisplayHandle | None = None
        self._waiting: Status | None = None
        self._shown_at = 0.0

    def begin(self, status: Status) -> None:
        """Create the display."""
        self.show(status)

    def show(self, status: Status) -> None:
        """Update the display, or keep the status for later if the display was updated recently."""
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
    """Records of the logger "study", for scripts and services without a terminal."""

    def begin(self, status: Status) -> None:
        """Do nothing."""

    def show(self, status: Status) -> None:
        """Record a status at level DEBUG."""
        log.debug("%s", status.text)

    def say(self, text: str) -> None:
        """Record a line."""
        log.info("%s", text)

    def warn(self, text: str) -> None:
        """Record a warning, which Python prints to standard error unless logging is configured otherwise."""
        log.warning("%s", text)

    def end(self) -> None:
        """Do nothing."""


class Silent:
    """An output that shows nothing."""

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
    """Return where this process shows progress: in a notebook, a terminal or the log."""
    if in_notebook():
        return Notebook()
    return Terminal() if sys.stdout.isatty() else Logged()


def in_notebook() -> bool:
    """Return whether this process is a notebook kernel (Jupyter, VS Code, Colab), unlike IPython in a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


class ProgressLine:
    """Counts the trials of a run and shows its progress. Call `end` when the run is over.

    Args:
        quiet: whether to show nothing.

    Attributes:
        done, planned: numbers of trials.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.output: Output = Silent() if quiet else find_output()
        self.done = self.planned = 0
        self.best: float | None = None
        self.metric, self.maximize = "", True

    def progress(self) -> "Progress":
        """Return the object to which a run reports its progress."""
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
        """Describe the data."""
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
        """Show the completed share, 0 to 1, of retraining the best trials."""
        self.output.show(Status(share, f"confirming: {100 * share:.0f}%"))

    def said(self, text: str) -> None:
        """Show a line of text."""
        self.output.say(text)

    def warned(self, text: str) -> None:
        """Show a warning, such as one about runs that are missing in MLflow."""
        self.output.warn(text)

    def interrupted(self, error: KeyboardInterrupt) -> None:
        """Show in one line how many trials are saved and how to resume.

        A notebook prints this line instead of the error's traceback.
        """
        are = agree(self.done, "has finished and is", "have finished and are")
        kept = f"{self.done} of {counted(self.planned, 'trial')} {are} saved"
        if not in_notebook():
            self.said(f"{kept}; call run() again to resume.")
            return
        line = f"Interrupted: {kept}; run the cell again to resume the study."
        # IPython's protocol for errors that print themselves.
        error._render_traceback_ = lambda: [line]  # type: ignore[attr-defined]

    def end(self) -> None:
        """Leave the last status as it is."""
        self.output.end()
