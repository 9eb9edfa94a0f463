"""The search: rounds of ask, work, tell, through one writer.

At most `in_flight` trials are open. Each round gives every open trial a quantum of work; then, in the order of trial
numbers, values are reported, trials are pruned or told, and the ones that ended are replaced. Decisions are taken on a
mirror of the ledger in memory (the same Optuna study) and written to the ledger as one record before they are applied,
so a process that dies at any moment goes on with the same decisions.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from engine import DataError, TrainingState
from engine.quantum import Outcome, evaluations
from study.ledger import STATES, Ledger, TrialRecord
from study.objective import Objective, OpenTrial, direction_of, sampler_seed
from study.space import suggest
from study.workers import Workers

CHECKPOINT_EVERY = 5.0  # seconds between two writings of a trial's state; only how much is lost in a crash hangs on it


@dataclass(frozen=True)
class Listener:
    """Who is told what happens; every function may be left out.

    Attributes:
        finished: called with (number, state, value) once a trial is in the ledger for good.
    """

    finished: Callable[[int, str, float | None], None] = field(default=lambda *_: None)


class Search:
    """The search of one study, from where its ledger stands.

    Args:
        objective: what trials are.
        ledger: the record; this process holds its lease.
        trials: how many to have in the end.
        listener: who is told.
    """

    def __init__(self, objective: Objective, ledger: Ledger, trials: int, listener: Listener) -> None:
        self.objective, self.ledger, self.trials, self.listener = objective, ledger, trials, listener
        self.spec = objective.spec
        self.round, done = ledger.settle()
        self.mirror = self._mirror()
        self.open: dict[int, OpenTrial] = {}
        for trial in ledger.trials():
            if not trial.state.is_finished():
                self.open[trial.number] = self._reopen(trial.number, trial.params, done.get(trial.number))
        self._checkpointed = time.monotonic()

    def run(self, jobs: int) -> None:
        """Work until all trials are done."""
        self._fill()
        if not self.open:
            return
        with Workers(jobs) as workers:
            while self.open:
                quanta = [self.objective.quantum(trial) for trial in self.open.values()]
                self._commit(workers.run(quanta))
                self._fill()

    def _mirror(self) -> optuna.Study:
        """Return the ledger's study in memory, where samplers and pruners look."""
        mirror = optuna.create_study(
            direction=direction_of(self.objective.metric),
            study_name=self.ledger.name,
            pruner=_pruner(self.spec.search.pruner, self.objective.grid),
        )
        mirror.add_trials(self.ledger.trials())
        return mirror

    def _mirrored(self) -> list[FrozenTrial]:
        return self.mirror.get_trials(deepcopy=False)

    def _fill(self) -> None:
        """Ask for new trials until enough are open."""
        while len(self.open) < self.spec.search.in_flight and len(self._mirrored()) < self.trials:
            number = len(self._mirrored())
            # A sampler made anew for each ask: its state is its seed, and nothing hides in a process.
            self.mirror.sampler = _sampler(self.spec.search.sampler, sampler_seed(self.spec.search.seed, number))
            trial = self.mirror.ask()
            suggest(trial, self.spec.space)
            created = self.ledger.create(self._mirrored()[number])
            if created != number:
                raise RuntimeError(
                    f"the ledger made trial {created} where {number} was next: somebody else writes to it"
                )
            self.open[number] = self.objective.open(number, trial.params)

    def _reopen(self, number: int, params: dict[str, Any], iterations: int | None) -> OpenTrial:
        """Return an open trial from its checkpoint, or from its start where there is none that is whole."""
        trial = self.objective.open(number, params)
        trial.iterations = iterations or 0
        with contextlib.suppress(FileNotFoundError, DataError):
            state = TrainingState.load(self.objective.folder.checkpoint(number))
            if state.settings == trial.state.settings and state.iteration <= trial.iterations:
                trial.state = state
        return trial

    def _commit(self, outcomes: dict[int, Outcome]) -> None:
        records = {}
        for number, outcome in outcomes.items():
            records[number] = self._decide(self.open[number], outcome)
        self._checkpoint(records)
        self.round += 1
        self.ledger.commit(self.round, records)
        for number, record in records.items():
            if record.outcome is not None:
                del self.open[number]
                self.objective.folder.checkpoint(number).unlink(missing_ok=True)
                self.listener.finished(number, record.outcome, record.value)

    def _decide(self, trial: OpenTrial, outcome: Outcome) -> TrialRecord:
        """Report what a quantum gave to the mirror, and decide what becomes of the trial."""
        view = optuna.trial.Trial(self.mirror, self._mirrored()[trial.number]._trial_id)
        trial.state = outcome.state
        trial.seconds += outcome.seconds
        known = trial.iterations
        reports = {}
        for evaluation in evaluations(trial.state):
            if known < evaluation["iteration"] in self.objective.grid:
                reports[evaluation["iteration"]] = self.objective.value(evaluation)
        for step, value in reports.items():
            view.report(value, step)
        trial.iterations = trial.state.iteration

        if outcome.error is not None:
            return self._end(trial, outcome, reports, "failed", reason=outcome.error)
        if "diverged" in trial.state.status:
            where = trial.state.ended[0]
            reason = f"diverged at iteration {where}; a lower learning_rate would help"
            return self._end(trial, outcome, reports, "failed", reason=reason)
        if trial.state.done:
            value = self.objective.value(evaluations(trial.state)[-1])
            return self._end(trial, outcome, reports, "complete", value)
        if reports and view.should_prune():
            return self._end(trial, outcome, reports, "pruned", list(reports.values())[-1], "pruned: below the median")
        return TrialRecord(trial.iterations, reports)

    def _end(
        self,
        trial: OpenTrial,
        outcome: Outcome,
        reports: dict[int, float],
        state: str,
        value: float | None = None,
        reason: str | None = None,
    ) -> TrialRecord:
        result = self.objective.result(trial, reason, outcome)
        told = {name: s for s, name in STATES.items()}[state]
        self.mirror.tell(trial.number, value if told == TrialState.COMPLETE else None, told)
        return TrialRecord(trial.iterations, reports, state, value, result)

    def _checkpoint(self, records: dict[int, TrialRecord]) -> None:
        if time.monotonic() - self._checkpointed < CHECKPOINT_EVERY:
            return
        for number, record in records.items():
            if record.outcome is None:
                path = self.objective.folder.checkpoint(number)
                path.parent.mkdir(parents=True, exist_ok=True)
                self.open[number].state.save(path)
        self._checkpointed = time.monotonic()


def _sampler(name: str, seed: int) -> BaseSampler:
    if name == "random":
        return RandomSampler(seed=seed)
    # group=True keeps the units of a layer tied to the depths that have it (optuna#5299).
    return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


def _pruner(name: str, grid: tuple[int, ...]) -> BasePruner:
    if name == "none":
        return NopPruner()
    return MedianPruner(n_startup_trials=8, n_warmup_steps=grid[min(1, len(grid) - 1)])
