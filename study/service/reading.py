"""Read studies from their ledgers, and cache the result until a ledger changes.

Ledgers stay open, so that only the new entries of a running study are read. The list of studies is cached as encoded
JSON for half a second, so that frequent requests cost the running study almost nothing.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from engine import DataError, TrainingState
from study.charts.chart import Chart
from study.charts.trial_charts import cost_curves
from study.charts.trials import Curve, TrialFacts, thin
from study.errors import UserError
from study.evaluation.confirm_progress import read_progress
from study.ledger import lock, postgres
from study.ledger.home import Home, StudyFolder
from study.ledger.ledger import EmptyLedgerError, Ledger, quiet_optuna
from study.ledger.results import Summary, read_experiment, summarize_ledger
from study.ledger.trial_artifact import find_curve
from study.service.problems import log
from study.service.queue import Queue, Submission
from study.service.schemas import Studies, StudyLine, StudyState, SubmissionAnswer, when
from study.tracking.views import page_address

FRESH = 0.5  # seconds for which the list is cached
OPEN = 16  # maximum number of open ledgers
CONNECTED = 4  # the same for ledgers in a database, each of which needs a connection
SHOWN = 40  # maximum number of curves of the best trials, and of running trials

Stamp = tuple[int, int, int, bool]
"""(identity of the ledger, its length, time of the last change, True if a process runs the study)."""


@dataclass
class _Known:
    """The cached content of a study. `curves` contains the curves of ended trials, which never change."""

    stamp: Stamp
    ledger: Ledger
    summary: Summary
    curves: dict[int, Curve] = field(default_factory=dict)


@dataclass(frozen=True)
class _Short:
    """The cached line of a study in the list, without its trials."""

    stamp: Stamp
    state: str
    description: str
    finished: int
    planned: int
    best: float | None
    metric: str
    direction: Literal["maximize", "minimize"]


class StudyReader:
    """Read the studies of a home. Thread-safe.

    Args:
        home: home of the studies.
        queue: queue of submissions.
        mlflow: returns the URL of the MLflow UI, or None if it is not available.
    """

    def __init__(self, home: Home, queue: Queue, mlflow: Callable[[], str | None] = lambda: None) -> None:
        self.home, self.queue, self.mlflow = home, queue, mlflow
        self._open: OrderedDict[str, _Known] = OrderedDict()
        self._short: dict[str, _Short] = {}
        self._lock = threading.RLock()
        self._list, self._listed = b"", float("-inf")
        self._stamps, self._stamped = dict[str, Stamp](), float("-inf")
        self._noticed: dict[str, tuple[int, str]] = {}

    def summary(self, name: str) -> Summary | None:
        """Return the summary of a study from its ledger; None if it has not started."""
        with self._lock:
            known = self._read(name)
            return None if known is None else known.summary

    def listed(self) -> bytes | None:
        """Return the cached list of studies without blocking; None if it is older than half a second."""
        return self._list if time.monotonic() - self._listed < FRESH else None

    def studies(self) -> bytes:
        """Return the list of studies as JSON, at most half a second old."""
        with self._lock:
            if time.monotonic() - self._listed >= FRESH:
                submissions = {each.name: each for each in self.queue.latest()}
                self._notice(*submissions.values())
                names = [*submissions, *(name for name in self._names() if name not in submissions)]
                lines = [self.line(name, submissions.get(name)) for name in names]
                self._list = Studies(studies=[line for line in lines if line is not None]).model_dump_json().encode()
                self._listed = time.monotonic()
            return self._list

    def expire(self) -> None:
        """Discard the cached list, because a study was submitted or cancelled."""
        self._listed = float("-inf")

    def line(self, name: str, submission: Submission | None) -> StudyLine | None:
        """Return the line of a study in the list; None if there is no such study."""
        with self._lock:
            if submission is not None:
                self._notice(submission)
            short = self._shorten(name)
        if short is None and submission is None:
            return None
        server, experiment = self.mlflow(), read_experiment(self.home.folder(name))
        return StudyLine(
            name=name,
            state=_state(short, submission),
            description=short.description if short else "",
            finished=short.finished if short else 0,
            planned=short.planned if short else None,
            confirming=self._confirming(name, short),
            best=short.best if short else None,
            metric=short.metric if short else None,
            direction=short.direction if short else None,
            version=short.stamp[1] if short else 0,
            mlflow=page_address(server, experiment, name) if server and experiment else None,
            submission=None if submission is None else describe(submission),
        )

    def _confirming(self, name: str, short: _Short | None) -> float | None:
        is_held = short is not None and short.stamp[3] and short.state == "complete"
        return read_progress(self.home.folder(name)) if is_held else None

    def curves(self, name: str) -> tuple[int, Summary, Mapping[int, Curve], Chart | None] | None:
        """Return the version, summary, curves by trial and a chart of them; None if the study has not started."""
        with self._lock:
            known = self._read(name)
        if known is None:
            return None
        summary, folder = known.summary, self.home.folder(name)
        best = [row.number for row in summary.ranking()]
        ended = best + [row.number for row in summary.trials if row.state == "pruned"]
        open_trials = [row.number for row in summary.trials if row.state == "running"]
        for number in ended[:SHOWN]:
            if number not in known.curves:
                costs = find_curve(folder.result(number))
                known.curves[number] = thin(costs) if costs is not None and len(costs) else []
        found = {number: known.curves[number] for number in sorted(ended[:SHOWN]) if known.curves[number]}
        for number in open_trials[-SHOWN:]:
            curve = read_open_curve(folder, number)
            if curve:
                found[number] = curve
        chart = cost_curves(TrialFacts(summary=summary, curves=found))
        return known.stamp[1], summary, found, chart

    def _notice(self, *submissions: Submission) -> None:
        """Discard the cached stamps of a database's ledgers if a submission has changed state.

        Otherwise, a complete study could be shown with trials that are half a second out of date."""
        states = {each.name: (each.id, each.state) for each in submissions}
        if not states.items() <= self._noticed.items():
            self._noticed |= states
            self._stamped = float("-inf")

    def _shorten(self, name: str) -> _Short | None:
        stamp = self._stamp(name)
        short = self._short.get(name)
        if stamp is not None and short is not None and short.stamp == stamp:
            return short
        known = self._read(name)
        if known is None:
            self._short.pop(name, None)
            return None
        summary = known.summary
        self._short[name] = _Short(
            stamp=known.stamp,
            state=summary.state,
            description=summary.description,
            finished=sum(row.state != "running" for row in summary.trials),
            planned=summary.planned,
            best=summary.best.value if summary.best else None,
            metric=summary.metric,
            direction="maximize" if summary.direction == "maximize" else "minimize",
        )
        return self._short[name]

    def _read(self, name: str) -> _Known | None:
        stamp = self._stamp(name)
        if stamp is None:
            self._open.pop(name, None)
            return None
        known = self._open.get(name)
        if known is not None and known.stamp == stamp:
            self._open.move_to_end(name)
            return known
        if known is not None and (known.stamp[0] != stamp[0] or known.stamp[1] > stamp[1]):
            known = None  # a different ledger, or a repaired one
        folder = self.home.folder(name)
        try:
            with quiet_optuna():
                ledger = Ledger(folder, name) if known is None else known.ledger
                summary = summarize_ledger(ledger, folder)
        except EmptyLedgerError:  # the ledger is being created
            return None
        except (UserError, OSError) as error:
            log.warning("could not read the ledger of study %s: %s", name, error)
            return None
        known = _Known(stamp, ledger, summary, known.curves if known is not None else {})
        self._open[name] = known
        self._open.move_to_end(name)
        while len(self._open) > (OPEN if self.home.storage is None else CONNECTED):
            self._open.popitem(last=False)
        return known

    def _names(self) -> list[str]:
        return self.home.names() if self.home.storage is None else list(self._read_stamps(self.home.storage))

    def _read_stamps(self, storage: str) -> dict[str, Stamp]:
        """Return the stamps of all ledgers in a database, at most half a second old."""
        if time.monotonic() - self._stamped >= FRESH:
            found = postgres.versions(storage)
            self._stamps = {name: (number, last, 0, held) for name, (number, last, held) in found.items()}
            self._stamped = time.monotonic()
        return self._stamps

    def _stamp(self, name: str) -> Stamp | None:
        if self.home.storage is not None:
            return self._read_stamps(self.home.storage).get(name)
        folder = self.home.folder(name)
        try:
            found = folder.ledger.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns, lock.is_held(folder.lease)


def read_open_curve(folder: StudyFolder, number: int) -> Curve:
    """Return the curve of a running trial up to its last checkpoint; [] if there is no checkpoint yet."""
    try:
        state = TrainingState.load(folder.checkpoint(number))
    except (FileNotFoundError, DataError):
        return []
    curves = [state.curve(replica) for replica in range(state.replicas)]
    reached = min(map(len, curves))
    return thin(np.mean([curve[:reached] for curve in curves], axis=0)) if reached else []


def describe(submission: Submission) -> SubmissionAnswer:
    """Return a submission in the form in which the service sends it."""
    return SubmissionAnswer.model_validate(
        {
            "id": submission.id,
            "name": submission.name,
            "state": submission.state,
            "submitted": when(submission.submitted),
            "started": when(submission.started),
            "ended": when(submission.ended),
            "message": submission.message,
        }
    )


def _state(short: _Short | None, submission: Submission | None) -> StudyState:
    """Return the state of a study: that of its latest submission, unless it has since been resumed elsewhere."""
    ledger: StudyState | None = None
    if short is not None:
        ledger = "complete" if short.state == "complete" else "running" if short.state == "running" else "interrupted"
    if submission is None:
        return ledger or "interrupted"
    if submission.state == "cancelled" and ledger in ("complete", "running"):
        return ledger
    if submission.state == "complete" and ledger is not None:
        return ledger
    return submission.state  # type: ignore[return-value]  # one of queue.STATES
