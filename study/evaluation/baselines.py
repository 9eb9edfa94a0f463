"""The baselines of a study: fitted in the workers while the search runs, each once, and stored in the ledger.

Forest and boosting get fewer trees where the default number would take too large a share of the study's work. The work
is counted from shapes, so the same spec and data give the same models on any machine.
"""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.arrays import Array
from engine.baselines import DEFAULT_ROUNDS, BaselineFit, BaselineOutcome, linear_work, round_memory, round_work
from engine.state import TORN, write_whole
from study.execution import Batch, Workers
from study.ledger.baselines import NAMES, Baseline, title_of_baseline
from study.ledger.home import StudyFolder
from study.ledger.ledger import Ledger, without_nan
from study.search.objective import CHUNKS_PER_TRIAL, Objective
from study.search.session import StudySession
from study.spec.encoding import STANDARD
from study.text.records import to_json

SHARE = 0.025  # of the work of the search that forest and boosting may each take
LEAST_WORK = 2.0  # units of work that they may take in any case
LEAST_ROUNDS = 10  # with fewer trees, a baseline says little and is left out
MEMORY = 1 << 29  # bytes that a forest may use


@dataclass(frozen=True)
class PlannedBaseline:
    """A baseline that a run fits.

    Attributes:
        name: name of the baseline.
        rounds: number of trees or boosting iterations.
        units: units of work.
        note: how it differs from scikit-learn's defaults, if it does.
        left_out: why it is left out, if it is.
    """

    name: str
    rounds: int = DEFAULT_ROUNDS
    units: float = 0.0
    note: str | None = None
    left_out: str | None = None


def plan_baselines(objective: Objective) -> tuple[PlannedBaseline, ...]:
    """Return the baselines of a study, the cheapest first; () if the spec turns them off."""
    if not objective.spec.baselines.enabled:
        return ()
    return tuple(_planned(objective, name) for name in NAMES)


def _planned(objective: Objective, name: str) -> PlannedBaseline:
    m, n_x, folds = objective.m, objective.n_x[STANDARD], len(objective.datasets)
    classes = 0 if objective.dataset.task == "regression" else max(2, objective.dataset.n_y)
    if name == "constant":
        return PlannedBaseline(name)
    if name == "linear":
        return PlannedBaseline(name, units=folds * linear_work(m, n_x, classes))
    each = folds * round_work(name, m, n_x, classes)
    most = max(LEAST_WORK, SHARE * objective.chunk_work * CHUNKS_PER_TRIAL * objective.spec.search.trials)
    affordable = min(most / each, MEMORY / max(1, round_memory(name, m)))
    if affordable >= DEFAULT_ROUNDS:
        return PlannedBaseline(name, units=DEFAULT_ROUNDS * each)
    rounds, trees = int(affordable), "trees" if name == "forest" else "boosting iterations"
    if rounds < LEAST_ROUNDS:
        reason = f"left out, since even {LEAST_ROUNDS} {trees} would cost too much beside the search"
        return PlannedBaseline(name, rounds, 0.0, left_out=reason)
    note = f"{rounds} {trees} instead of {DEFAULT_ROUNDS}, to limit the cost"
    return PlannedBaseline(name, rounds, rounds * each, note)


class BaselineRunner:
    """Fits the baselines that a study does not have yet, without holding up its trials.

    Args:
        session: the study, open for writing, with its data written.
        workers: workers inside their `with` block.
        said: called with each message.
    """

    def __init__(self, session: StudySession, workers: Workers, said: Callable[[str], None]) -> None:
        self._objective, self._ledger, self._workers, self._said = session.objective, session.ledger, workers, said
        known = session.attributes.get("baselines", {})
        self._missing = [planned for planned in plan_baselines(self._objective) if planned.name not in known]
        self._batch: Batch | None = None

    def advance(self) -> None:
        """Record what the workers have finished, and give them the next baselines. Call it after each round."""
        if self._batch is not None and self._workers.ready(self._batch):
            self._collect(self._batch)
        if self._batch is None:
            self._submit()

    def finish(self) -> None:
        """Fit and record all baselines that are still missing."""
        while self._missing:
            if self._batch is None:
                self._submit()
            if self._batch is not None:
                self._collect(self._batch)

    def _submit(self) -> None:
        for planned in [each for each in self._missing if each.left_out is not None]:
            self._record(planned, BaselineOutcome(planned.name))
        if self._missing:
            # One worker fits them all, since importing scikit-learn takes longer than most of them; in this process, it
            # is imported already.
            count = 1 if self._workers.jobs == 1 else len(self._missing)
            fits = [_fit(self._objective, each, self._objective.folder.data) for each in self._missing[:count]]
            self._batch = self._workers.submit_together(fits)

    def _collect(self, batch: Batch) -> None:
        outcomes = _outcomes(self._workers, batch)
        self._batch = None
        planned = {each.name: each for each in self._missing}
        for outcome in outcomes:
            self._record(planned[outcome.name], outcome)

    def _record(self, planned: PlannedBaseline, outcome: BaselineOutcome) -> None:
        baseline = describe_baseline(self._objective, planned, outcome)
        if outcome.predictions is not None:
            write_predictions(self._objective.folder, planned.name, outcome.predictions)
        if baseline.reason is not None and planned.left_out is None:
            self._said(f"  baseline {baseline.title}: {baseline.reason}")
        store_baseline(self._ledger, baseline)
        self._missing.remove(planned)


def fit_baseline(objective: Objective, workers: Workers, name: str, data: Path) -> BaselineOutcome:
    """Fit a baseline in a worker, to predict other examples than dev.

    Args:
        objective: objective of the study.
        workers: workers inside their `with` block.
        name: name of the baseline.
        data: folder that `Objective.write_data` wrote, with the examples to predict as dev.
    """
    batch = workers.submit_together([_fit(objective, _planned(objective, name), data)])
    (outcome,) = _outcomes(workers, batch)
    return outcome


def _outcomes(workers: Workers, batch: Batch) -> list[BaselineOutcome]:
    """Return the outcomes of a batch; what workers without scikit-learn could not fit is fitted in this process."""
    fits = [chunk for task in batch.tasks for chunk in task.chunks]
    outcomes: list[BaselineOutcome] = workers.results(batch)
    return [fit.run() if outcome.unavailable else outcome for fit, outcome in zip(fits, outcomes, strict=True)]


def _fit(objective: Objective, planned: PlannedBaseline, data: Path) -> BaselineFit:
    return BaselineFit(
        planned.name,
        regression=objective.dataset.task == "regression",
        metrics=objective.metrics,
        data=str(objective.data_folder({}, data)),  # in the standard encoding
        seed=objective.spec.search.seed,
        rounds=planned.rounds,
        units=planned.units,
        extensions=objective.extensions,
    )


def describe_baseline(objective: Objective, planned: PlannedBaseline, outcome: BaselineOutcome) -> Baseline:
    """Return the record of a baseline that was fitted, failed, or was left out."""
    metrics = {name: without_nan(value) for name, value in outcome.metrics.items()}
    reason, value = planned.left_out, metrics.get(objective.metric)
    if outcome.error is not None:
        reason = outcome.error.rstrip().rpartition("\n")[2]
    elif outcome.predictions is not None and value is None:
        reason = f"{objective.metric} on dev is undefined"
    return Baseline(
        name=planned.name,
        title=title_of_baseline(planned.name, objective.dataset.task),
        value=value,
        metrics=metrics,
        seconds=round(outcome.seconds, 6),
        version=outcome.version,
        note=planned.note,
        reason=reason,
        fingerprint=None if outcome.predictions is None else _fingerprint(outcome.predictions),
    )


def store_baseline(ledger: Ledger, baseline: Baseline) -> None:
    """Write a baseline to the ledger, beside those that are there."""
    known = ledger.attributes.get("baselines", {})
    ledger.set(baselines={**known, baseline.name: to_json(baseline)})


def write_predictions(folder: StudyFolder, name: str, predictions: Array) -> None:
    """Write the predictions of a baseline for dev, (n_y, M)."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, predictions=predictions)
    path = _path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, buffer.getvalue())


def find_predictions(folder: StudyFolder, baseline: Baseline) -> Array | None:
    """Return the predictions of a baseline for dev, (n_y, M); None if the file is missing or damaged."""
    try:
        with _path(folder, baseline.name).open("rb") as content, np.load(content, allow_pickle=False) as file:
            predictions: Array = file["predictions"]
    except (FileNotFoundError, *TORN):
        return None
    return predictions if _fingerprint(predictions) == baseline.fingerprint else None


def _path(folder: StudyFolder, name: str) -> Path:
    return folder.baselines / f"{name}.npz"


def _fingerprint(predictions: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(predictions).data).hexdigest()
