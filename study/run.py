"""`study run`, from a spec to a finished study: data, ledger, search, tracking, in this order."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from optuna.study import StudyDirection

from study.data import Dataset
from study.evaluation.confirm import confirm_once
from study.execution import Workers
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
from study.spec import Spec
from study.spec.parameters import Configuration
from study.text.formatting import agree, counted
from study.text.shell import next_command
from study.tracking.exporter import Exporter


@dataclass(frozen=True)
class Progress:
    """Who is told how a run goes.

    Attributes:
        begun: called with (the dataset, or one for each fold; metric, direction, trials finished, trials planned, best
            value so far or None) before the search.
        finished: called with (trial, state, value) after each trial.
        said: called with a line that is worth reading.
        ended: called with the result when the search has ended, before MLflow is waited for.
        confirming: called with the share of the work of confirming the best that is done, 0 to 1.
    """

    begun: Callable[[tuple[Dataset, ...], str, str, int, int, float | None], None]
    finished: Callable[[int, str, float | None], None]
    said: Callable[[str], None]
    ended: Callable[["RunResult"], None] = field(default=lambda _: None)
    confirming: Callable[[float], None] = field(default=lambda _: None)


@dataclass(frozen=True)
class RunResult:
    """How a run ended.

    Attributes:
        summary: of the study as it stands.
        new: trials that this run added.
        untracked: finished trials that have no run in MLflow, and should have.
        tracking_error: what kept them out, None where nothing did.
        confirmed: outcome of confirming the best, where the spec wants it and the search is complete.
    """

    summary: Summary
    new: int
    untracked: int = 0
    tracking_error: str | None = None
    confirmed: Confirmation | None = None

    def missing_runs(self) -> str:
        """Return a line on what is not in MLflow, and the command that writes it; "" where all is."""
        if not self.untracked and self.tracking_error is None:
            return ""
        why = f" ({self.tracking_error})" if self.tracking_error else ""
        remedy = f"run `{next_command('sync', self.summary.name)}` to export"
        if not self.untracked:
            return f"the study's summary is not in MLflow yet{why}; {remedy} it"
        missing = f"{counted(self.untracked, 'trial')} {agree(self.untracked, 'is', 'are')} not in MLflow yet"
        return f"{missing}{why}; {remedy} {agree(self.untracked, 'it', 'them')}"


def run(
    path: Path,
    home: Home,
    *,
    workers: Workers,
    trials: int | None = None,
    timeout: float | None = None,
    warm_start: str | None = None,
    exporter: Exporter | None,
    progress: Progress,
) -> RunResult:
    """Run a study to its end, or go on with one.

    Args:
        path: of the spec.
        home: where state lives.
        workers: who does the work, here or in a cluster.
        trials: how many in the end; None takes the spec's, or more if more were asked for before.
        timeout: seconds after which the run stops at the end of a round; None takes the spec's.
        warm_start: name of another study, whose best settings are tried first.
        exporter: has runs written to MLflow; None leaves that to `study sync`.
        progress: who is told.

    Raises:
        UserError: the spec or the data cannot be used, or the study in the home is another one.
    """
    started = time.monotonic()
    if exporter is not None:
        exporter.said = progress.said
    with StudySession.open(home, path) as session:
        search = session.spec.search
        check_available(search)
        objective = session.objective  # what is wrong with the data is said before anything is written
        home.make()
        check_memory(objective, 0 if workers.backend is not None else workers.jobs)
        deadline = timeout or search.timeout
        with session.writing():
            begun = _begin(session, path, home, trials, warm_start, progress)
            _announce(session, begun, workers.jobs, progress)
            listener = Listener(
                _reporter(session.ledger, exporter, progress),
                lambda: deadline is not None and time.monotonic() - started > deadline,
                exporter.start if exporter is not None else lambda: None,
            )
            searching = Search(objective, session.ledger, begun.budget, begun.enqueued, listener)
            confirmed = None
            with workers:
                searching.run(workers)
                if not searching.open:
                    session.ledger.set(ended=searching.ended)
                    confirmed = confirm_once(session, workers, progress.said, progress.confirming)
            if searching.open and deadline is not None:
                seconds = f"{deadline:g} {agree(deadline, 'second', 'seconds')}"
                progress.said(f"stopped after {seconds}; rerun the command to resume")
            return _conclude(session, begun, confirmed, exporter, progress, done=not searching.open)


@dataclass(frozen=True, eq=False)
class _Begun:
    """What a run begins with. finished: trials that had ended before."""

    budget: Budget
    enqueued: Sequence[Configuration]
    finished: int


def _begin(
    session: StudySession, path: Path, home: Home, trials: int | None, warm_start: str | None, progress: Progress
) -> _Begun:
    """Write into the ledger what the study is, and its data where workers read them."""
    if session.torn_bytes:
        progress.said(
            f"the last line of the ledger was incomplete ({counted(session.torn_bytes, 'byte')}) and was removed; "
            "nothing that had finished is lost"
        )
    ledger, spec = session.ledger, session.spec
    planned = int(ledger.attributes.get("trials", 0))
    budget = record_study(session, path, trials)
    enqueued = first_configurations(session, home, warm_start)
    session.objective.write_data()
    before = sum(trial.state.is_finished() for trial in ledger.trials())
    if before < budget.trials:
        ledger.set(made_with=describe_origin(path.parent))
    if before and before == planned < budget.trials and _hangs_on_results(spec):
        progress.said(
            f"raised from {planned} to {counted(budget.trials, 'trial')}: the new trials are proposed after all others "
            f"have ended, so they differ from those of a run that starts with {budget.trials}"
        )
    return _Begun(budget, enqueued, before)


def _announce(session: StudySession, begun: _Begun, jobs: int, progress: Progress) -> None:
    """Say what is about to be searched, and what is worth knowing of it."""
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
            f"{jobs} would keep all of them busy, but defines another study (give it another name)"
        )


def _reporter(
    ledger: Ledger, exporter: Exporter | None, progress: Progress
) -> Callable[[int, str, float | None], None]:
    """Return what is called with (number, state, value) of a trial that has ended."""

    def finished(number: int, state: str, value: float | None) -> None:
        if exporter is not None:
            exporter.look()
        progress.finished(number, state, value)
        if state == "failed":
            reason = ledger.trials()[number].user_attrs[RESULT]["reason"].rstrip()
            progress.said(f"  trial {number}: {reason.splitlines()[-1]}")  # of a traceback what was raised

    return finished


def _conclude(
    session: StudySession,
    begun: _Begun,
    confirmed: Confirmation | None,
    exporter: Exporter | None,
    progress: Progress,
    *,
    done: bool,
) -> RunResult:
    """Report the result, then wait until MLflow has it."""
    summary = session.summary
    ended = [str(row.number) for row in summary.trials if row.state != "running"]
    result = RunResult(summary, len(ended) - begun.finished, confirmed=confirmed)
    progress.ended(result)
    if done:
        _keep_importance(session.ledger, session.objective)  # nobody waits for it, so after the table
    if exporter is None:
        return result
    exporter.finish()
    missing = set(ended) - set(read_exports(session.folder))
    return replace(result, untracked=len(missing), tracking_error=exporter.error)


def _hangs_on_results(spec: Spec) -> bool:
    """Return whether what a trial is, or when it ends, hangs on what others gave by then."""
    return spec.search.pruner != "none" or spec.search.sampler not in ("random", "qmc", "grid")


def _keep_importance(ledger: Ledger, objective: Objective) -> None:
    """Keep in the ledger how much each hyperparameter matters; MLflow shows it, here scikit-learn is there already."""
    from study.search.importance import estimate

    told = sum(trial.state.is_finished() for trial in ledger.trials())
    if ledger.attributes.get("importance", {}).get("told") == told:
        return
    found = estimate(ledger.trials(), StudyDirection[direction_of(objective.metric).upper()])
    kept = {} if found is None else {**asdict(found), "few": found.few}
    ledger.set(importance={"told": told, **kept})
