"""`study run`: run a study from start to finish, with its data, ledger, search and tracking."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from optuna.study import StudyDirection

from study.data import Dataset
from study.evaluation.baseline_comparison import compare_with_baselines
from study.evaluation.baselines import BaselineRunner
from study.evaluation.confirm import confirm_once
from study.execution import Workers
from study.ledger.attributes import ActiveMlflow
from study.ledger.confirmation import Confirmation
from study.ledger.home import Home
from study.ledger.ledger import RESULT, Ledger
from study.ledger.provenance import describe_origin
from study.ledger.results import Summary, read_exports
from study.search import Listener, Search
from study.search.memory import check_memory
from study.search.objective import Objective, direction_of
from study.search.recording import first_configurations, record_study, record_warnings
from study.search.samplers import check_available
from study.search.session import StudySession
from study.search.stopping import Budget
from study.spec import DeclaredSpec, Spec
from study.spec.parameters import Configuration
from study.text.formatting import agree, counted
from study.text.shell import next_command
from study.tracking.exporter import Exporter


@dataclass(frozen=True)
class Progress:
    """Callbacks for the progress of a run.

    Attributes:
        begun: called before the search with (datasets, one or one for each fold; metric; direction; number of finished
            trials; number of planned trials; best value so far or None).
        finished: called with (trial, state, value) after each trial.
        said: called with each message.
        ended: called with the result when the search has ended, before waiting for MLflow.
        confirming: called with the share of the work of confirming that is done, from 0 to 1.
    """

    begun: Callable[[tuple[Dataset, ...], str, str, int, int, float | None], None]
    finished: Callable[[int, str, float | None], None]
    said: Callable[[str], None]
    ended: Callable[["RunResult"], None] = field(default=lambda _: None)
    confirming: Callable[[float], None] = field(default=lambda _: None)


@dataclass(frozen=True)
class RunResult:
    """The result of a run.

    Attributes:
        summary: results of the study.
        new: number of trials that ended in this run.
        untracked: number of finished trials that should have a run in MLflow, but do not.
        tracking_error: the error that prevented their export; None if there was none.
        confirmed: result of confirming the best trials, if the spec asks for it and the search is complete.
    """

    summary: Summary
    new: int
    untracked: int = 0
    tracking_error: str | None = None
    confirmed: Confirmation | None = None

    def missing_runs(self) -> str:
        """Return a line on what is missing in MLflow, with the command that exports it; "" if nothing is missing."""
        if not self.untracked and self.tracking_error is None:
            return ""
        why = f" ({self.tracking_error})" if self.tracking_error else ""
        remedy = f"run `{next_command('sync', self.summary.name)}` to export"
        if not self.untracked:
            return f"the study's summary is not in MLflow yet{why}; {remedy} it"
        missing = f"{counted(self.untracked, 'trial')} {agree(self.untracked, 'is', 'are')} not in MLflow yet"
        return f"{missing}{why}; {remedy} {agree(self.untracked, 'it', 'them')}"


def run(
    study: str | Path | DeclaredSpec,
    home: Home,
    *,
    workers: Workers,
    trials: int | None = None,
    timeout: float | None = None,
    warm_start: str | None = None,
    exporter: Exporter | None,
    progress: Progress,
    active: ActiveMlflow | None = None,
) -> RunResult:
    """Run a study to its end, or resume it.

    Args:
        study: a spec or its path; or the name of a study in the home, whose own spec is then used.
        home: the home of the study.
        workers: workers on this machine or in a cluster.
        trials: total number of trials; None uses the spec's number, or a larger one from an earlier run.
        timeout: seconds after which the run stops at the end of a round; None uses the spec's.
        warm_start: name of another study, whose best configurations are tried first.
        exporter: exports runs to MLflow; None leaves that to `study sync`.
        progress: callbacks for the progress of the run.
        active: the MLflow experiment and run in which to show a new study; None creates an experiment.

    Raises:
        UserError: the spec or the data cannot be used, or the home has another study with this name.
    """
    started = time.monotonic()
    if exporter is not None:
        exporter.said = progress.said
    with StudySession.open(home, study) as session:
        search = session.spec.search
        check_available(search)
        objective = session.objective  # errors in the data are raised before anything is written
        home.make()
        check_memory(objective, 0 if workers.backend is not None else workers.jobs)
        deadline = timeout or search.timeout
        with session.writing():
            begun = _begin(session, home, trials, warm_start, progress)
            if active is not None and not session.ledger.trials():
                session.ledger.set(mlflow=active)
            _announce(session, begun, workers.jobs, progress)
            baselines = BaselineRunner(session, workers, progress.said)
            listener = Listener(
                _reporter(session.ledger, exporter, progress),
                lambda: deadline is not None and time.monotonic() - started > deadline,
                _after_round(exporter, baselines),
            )
            searching = Search(objective, session.ledger, begun.budget, begun.enqueued, listener)
            confirmed = None
            with workers:
                searching.run(workers)
                if not searching.open:
                    session.ledger.set(ended=searching.ended)
                    baselines.finish()
                    confirmed = confirm_once(session, workers, progress.said, progress.confirming)
                    compare_with_baselines(session, workers)
            if searching.open and deadline is not None:
                seconds = f"{deadline:g} {agree(deadline, 'second', 'seconds')}"
                progress.said(f"stopped after {seconds}; rerun the command to resume")
            return _conclude(session, begun, confirmed, exporter, progress, done=not searching.open)


@dataclass(frozen=True, eq=False)
class _Begun:
    """The initial state of a run; `finished` is the number of trials that had already ended."""

    budget: Budget
    enqueued: Sequence[Configuration]
    finished: int


def _begin(session: StudySession, home: Home, trials: int | None, warm_start: str | None, progress: Progress) -> _Begun:
    """Record the study in its ledger, and write its data for the workers."""
    if session.torn_bytes:
        progress.said(
            f"the last line of the ledger was incomplete ({counted(session.torn_bytes, 'byte')}) and was removed; "
            "finished work is kept"
        )
    ledger, spec = session.ledger, session.spec
    planned = int(ledger.attributes.get("trials", 0))
    budget = record_study(session, trials)
    enqueued = first_configurations(session, home, warm_start)
    session.objective.write_data()
    before = sum(trial.state.is_finished() for trial in ledger.trials())
    if before < budget.trials:
        ledger.set(made_with=describe_origin(session.base))
    if before and before == planned < budget.trials and _depends_on_results(spec):
        progress.said(
            f"raised from {planned} to {counted(budget.trials, 'trial')}: the new trials are proposed after all others "
            f"have ended, so they differ from those of a run that starts with {budget.trials}"
        )
    return _Begun(budget, enqueued, before)


def _announce(session: StudySession, begun: _Begun, jobs: int, progress: Progress) -> None:
    """Report the start of the search, warnings about the data, and idle workers."""
    objective, ledger, in_flight = session.objective, session.ledger, session.spec.search.in_flight
    best = session.summary.best
    so_far = best.value if best is not None else None
    progress.begun(
        tuple(objective.datasets), objective.metric, ledger.direction, begun.finished, begun.budget.trials, so_far
    )
    for warning in record_warnings(session):
        progress.said(f"! {warning}")
    if jobs > in_flight:
        progress.said(
            f"{counted(jobs, 'worker')} share {counted(in_flight, 'trial')} in flight; [search] in_flight = "
            f"{jobs} would keep all of them busy, but defines a different study, which needs another name"
        )


def _reporter(
    ledger: Ledger, exporter: Exporter | None, progress: Progress
) -> Callable[[int, str, float | None], None]:
    """Return a callback for (number, state, value) of a trial that has ended."""

    def finished(number: int, state: str, value: float | None) -> None:
        if exporter is not None:
            exporter.look()
        progress.finished(number, state, value)
        if state == "failed":
            reason = ledger.trials()[number].user_attrs[RESULT]["reason"].rstrip()
            progress.said(f"  trial {number}: {reason.splitlines()[-1]}")  # the last line of a traceback

    return finished


def _after_round(exporter: Exporter | None, baselines: BaselineRunner) -> Callable[[], None]:
    """Return a callback for the end of a round: the exporter starts after the first one, and baselines go on."""

    def round_ended() -> None:
        if exporter is not None:
            exporter.start()
        baselines.advance()

    return round_ended


def _conclude(
    session: StudySession,
    begun: _Begun,
    confirmed: Confirmation | None,
    exporter: Exporter | None,
    progress: Progress,
    *,
    done: bool,
) -> RunResult:
    """Report the result, then wait for its export to MLflow."""
    summary = session.summary
    ended = [str(row.number) for row in summary.trials if row.state != "running"]
    result = RunResult(summary, len(ended) - begun.finished, confirmed=confirmed)
    progress.ended(result)
    if done:
        _keep_importance(session.ledger, session.objective)  # after the result is shown, since nobody waits for it
    if exporter is None:
        return result
    exporter.finish()
    missing = set(ended) - set(read_exports(session.folder))
    return replace(result, untracked=len(missing), tracking_error=exporter.error)


def _depends_on_results(spec: Spec) -> bool:
    """Return whether the configuration or the end of a trial depends on the results of earlier trials."""
    return spec.search.pruner != "none" or spec.search.sampler not in ("random", "qmc", "grid")


def _keep_importance(ledger: Ledger, objective: Objective) -> None:
    """Store the importance of each hyperparameter in the ledger, for MLflow; scikit-learn is already imported here."""
    from study.search.importance import estimate

    finished = sum(trial.state.is_finished() for trial in ledger.trials())
    if ledger.attributes.get("importance", {}).get("told") == finished:
        return
    found = estimate(ledger.trials(), StudyDirection[direction_of(objective.metric).upper()])
    kept = {} if found is None else {**asdict(found), "few": found.few}
    ledger.set(importance={"told": finished, **kept})
