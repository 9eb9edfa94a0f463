"""The search of one study: rounds of training, deciding and writing, with a single writer.

At most `in_flight` trials are open, in two groups that take turns. A round starts when all trials of one group have
been trained by one chunk. `study.search.decide` then decides the fate of each trial and which trials come next, and
`Search.apply` writes the decisions to the ledger; meanwhile, workers train the other group. The decisions of a round
are one record in the ledger, so a search that is killed at any moment resumes with the same decisions.
"""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from optuna.trial import FrozenTrial

from engine import DataError, TrainingState
from engine.training_chunk import Outcome, TrainingChunk, evaluations, run_chunk
from study.errors import UserError
from study.ledger.ledger import GROUP, PAUSED, PLACE, RUNG, Ledger, TrialRecord
from study.search.asha import rungs_of
from study.search.decide import SearchRules, SearchState, decide, end_paused, fill, next_rung
from study.search.decisions import (
    Asked,
    Continued,
    Decision,
    Ended,
    Judged,
    Paused,
    Resumed,
    RoundEnded,
    Slot,
    Stopped,
    TrialProgress,
)
from study.search.in_memory_study import InMemoryStudy
from study.search.objective import Objective, OpenTrial
from study.search.proposals import Proposer, keys_of
from study.search.pruners import make_pruner
from study.search.stopping import Budget
from study.spec.parameters import Configuration

GROUPS = 2  # groups of open trials, which take turns
CHECKPOINT_EVERY = 5.0  # seconds between writes of training states; affects only how much work a crash loses

Submitted = TypeVar("Submitted")


class Trainer(Protocol[Submitted]):
    """Trains batches of chunks for a search."""

    def need(self, most: int) -> None:
        """Prepare for at most this many chunks at the same time."""

    def submit(self, chunks: Sequence[TrainingChunk]) -> Submitted:
        """Submit a batch of chunks."""

    def collect(self, batch: Submitted) -> dict[int, Outcome]:
        """Wait for a batch; return its outcomes by trial."""


@dataclass(frozen=True)
class Listener:
    """Callbacks for search events.

    Attributes:
        finished: called with (number, state, value) once the result of a trial is in the ledger.
        round_ended: called after each round.
        stop: called after each round; returns whether to stop the run, which can be resumed later.
    """

    finished: Callable[[int, str, float | None], None] = field(default=lambda *_: None)
    stop: Callable[[], bool] = field(default=lambda: False)
    round_ended: Callable[[], None] = field(default=lambda: None)


class Search:
    """The search of one study, which resumes from the state of its ledger. Nothing is read or written before `run`.

    Args:
        objective: defines the trials.
        ledger: records the trials; this process must hold its lock.
        budget: decides when to stop asking for trials.
        enqueued: parameters to try first.
        listener: callbacks.
    """

    def __init__(
        self,
        objective: Objective,
        ledger: Ledger,
        budget: Budget,
        enqueued: Sequence[Configuration],
        listener: Listener,
    ) -> None:
        self.objective, self.ledger, self.listener = objective, ledger, listener
        search, space = objective.spec.search, objective.spec.space
        self.rules = SearchRules(
            budget=budget,
            proposer=Proposer.of(search, space, enqueued, objective.fits),
            slots=tuple(slots_of_groups(search.in_flight)),
            pruner_name=search.pruner,
            rungs=rungs_of(objective.grid, search.reduction) if search.pruner == "asha" else (),
            reduction=search.reduction,
        )
        self.state = SearchState(self._study([]), {}, {}, frozenset())
        self.open: dict[int, OpenTrial] = {}
        self._checkpointed = 0.0

    @property
    def ended(self) -> str | None:
        """The reason why the search has ended, or None."""
        return self.state.stopped

    def run(self, trainer: Trainer[Submitted]) -> None:
        """Search until the budget is spent or the listener asks to stop.

        Args:
            trainer: trains the chunks, inside its `with` block, which also limits samplers to one BLAS thread.
        """
        self._restore()
        unfinished = self.rules.budget.trials - len(self.state.study.trials) + len(self.open) + len(self.state.paused)
        trainer.need(min(self.objective.spec.search.in_flight, unfinished))
        groups, begun = len(self.rules.slots), self.state.round
        under_way: dict[int, Submitted] = {}
        for turn in range(1, groups + 1):  # the last group is the one whose round was last committed
            group = (begun + turn) % groups
            if begun == 0 or turn == groups:
                self.apply(fill(self.state, group, self.rules), {})
            under_way[group] = self._submit(trainer, group)
        while self.open and not self.listener.stop():
            group = (self.state.round + 1) % groups
            outcomes = trainer.collect(under_way[group])
            progress = {number: self._advance(outcome) for number, outcome in outcomes.items()}
            self.apply(decide(self.state, progress, group, self.rules), outcomes)
            under_way[group] = self._submit(trainer, group)
            self.listener.round_ended()
        if not self.open:
            self.apply(end_paused(self.state), {})

    def apply(self, decisions: Sequence[Decision], outcomes: Mapping[int, Outcome]) -> None:
        """Write decisions to the ledger and update the state. Trial files and checkpoints are written first.

        Args:
            decisions: the decisions of a round.
            outcomes: the outcomes of the chunks that they are based on.

        Raises:
            UserError: no further trial can be proposed until the user changes the spec.
        """
        judged = [decision for decision in decisions if isinstance(decision, Judged)]
        if RoundEnded() in decisions:
            records = {number: TrialRecord(trial.iterations) for number, trial in self.open.items()}
            records |= {decision.number: self._record(decision, outcomes) for decision in judged}
            self._checkpoint(records)
            self.ledger.commit(self.state.round + 1, records)
        for each in judged:
            self._close(each)
        for decision in decisions:
            if isinstance(decision, Resumed | Asked):
                self._begin(decision)
        self.state = self.state.after(decisions)
        for decision in decisions:
            if isinstance(decision, Stopped) and decision.error:
                raise UserError(decision.reason)

    def _study(self, trials: Sequence[FrozenTrial]) -> InMemoryStudy:
        pruner = make_pruner(self.objective.spec.search, self.objective.grid, self.ledger.direction)
        return InMemoryStudy(self.ledger.name, self.ledger.directions, pruner, trials)

    def _restore(self) -> None:
        """Restore the state from the ledger, after finishing a round that was only partly written."""
        last_round, iterations = self.ledger.settle()
        trials = self.ledger.trials()
        slots, paused = dict[int, Slot](), dict[int, int]()
        for trial in trials:
            if trial.state.is_finished():
                continue
            place = trial.user_attrs[PLACE]
            if place[PAUSED]:
                paused[trial.number] = place[RUNG]
            else:
                slots[trial.number] = Slot(place[GROUP], iterations.get(trial.number, place[RUNG]))
        self.state = SearchState(self._study(trials), slots, paused, keys_of(trials), last_round)
        self.open = {number: self._reopen(trials[number], slot.iterations) for number, slot in slots.items()}
        self._checkpointed = time.monotonic()

    def _reopen(self, frozen: FrozenTrial, iterations: int) -> OpenTrial:
        """Return an open trial from its checkpoint, or from its start if there is no intact checkpoint."""
        trial = replace(self.objective.open(frozen.number, frozen.params), iterations=iterations)
        with contextlib.suppress(FileNotFoundError, DataError):
            state = TrainingState.load(self.objective.folder.checkpoint(frozen.number))
            if state.settings == trial.state.settings and state.iteration <= iterations:
                return replace(trial, state=state)
        return trial

    def _submit(self, trainer: Trainer[Submitted], group: int) -> Submitted:
        rungs = self.rules.rungs
        trials = [self.open[number] for number, slot in self.state.open.items() if slot.group == group]
        return trainer.submit(
            [self.objective.next_chunk(trial, next_rung(trial.iterations, rungs)) for trial in trials]
        )

    def _advance(self, outcome: Outcome) -> TrialProgress:
        """Update the training state of a trial; return the progress that decisions depend on."""
        before = self.open[outcome.trial]
        iterations = max(before.iterations, outcome.state.iteration)
        trial = replace(before, state=outcome.state, seconds=before.seconds + outcome.seconds, iterations=iterations)
        self.open[trial.number] = trial
        failure = outcome.error or self.objective.why_failed(trial.state)
        return TrialProgress(
            iterations,
            self._new_reports(trial, before.iterations),
            self.objective.work(trial),
            tuple(self.objective.values(trial)) if trial.state.done and failure is None else None,
            failure,
        )

    def _new_reports(self, trial: OpenTrial, known: int) -> dict[int, float]:
        """Return the new values to report to the pruner; none with several objectives."""
        if self.objective.spec.search.several:
            return {}
        return {
            seen["iteration"]: self.objective.value(seen)
            for seen in evaluations(trial.state)
            if known < seen["iteration"] in self.objective.grid
        }

    def _record(self, decision: Judged, outcomes: Mapping[int, Outcome]) -> TrialRecord:
        """Return the record of a decision, and write the file of a trial that ends."""
        number, reports = decision.number, dict(decision.reports)
        match decision:
            case Continued():
                return TrialRecord(decision.iterations, reports)
            case Paused():
                return TrialRecord(decision.iterations, reports, rung=decision.iterations)
            case Ended():
                trial = self.open[number] if number in self.open else self._reopen_paused(decision)
                result = self.objective.result(trial, decision.reason, outcomes.get(number))
                values = None if decision.values is None else list(decision.values)
                sampler = dict(self.state.study.trials[number].system_attrs)
                return TrialRecord(decision.iterations, reports, decision.outcome, values, result, sampler=sampler)

    def _checkpoint(self, records: Mapping[int, TrialRecord]) -> None:
        """Write the training states of newly paused trials, and from time to time those of open trials."""
        due = time.monotonic() - self._checkpointed >= CHECKPOINT_EVERY
        for number, record in records.items():
            if record.rung is not None or (due and record.outcome is None):
                path = self.objective.folder.checkpoint(number)
                path.parent.mkdir(parents=True, exist_ok=True)
                self.open[number].state.save(path)
        if due:
            self._checkpointed = time.monotonic()

    def _reopen_paused(self, decision: Ended) -> OpenTrial:
        """Return a paused trial in its state at the rung; retrain it if its checkpoint was lost."""
        trial = self._reopen(self.state.study.trials[decision.number], decision.iterations)
        if trial.state.iteration < decision.iterations:
            whole = replace(trial, iterations=0, chunk_iterations=decision.iterations)
            trial = replace(trial, state=run_chunk(self.objective.next_chunk(whole)).state)
        return trial

    def _begin(self, decision: Resumed | Asked) -> None:
        """Open a resumed or new trial, and record it in the ledger."""
        if isinstance(decision, Resumed):
            self.ledger.resume(decision.number, decision.group)
            frozen = self.state.study.trials[decision.number]
            self.open[decision.number] = self._reopen(frozen, decision.rung)
            return
        number = self.ledger.create(decision.trial, decision.group)
        if number != decision.number:
            raise RuntimeError(
                f"the ledger created trial {number} instead of {decision.number}: "
                "another process is writing to the ledger"
            )
        self.open[number] = self.objective.open(number, decision.trial.params)

    def _close(self, decision: Judged) -> None:
        """Remove a trial that is no longer open, and report it to the listener if it has ended."""
        if isinstance(decision, Continued):
            return
        self.open.pop(decision.number, None)
        if isinstance(decision, Ended):
            self.objective.folder.checkpoint(decision.number).unlink(missing_ok=True)
            value = decision.values[0] if decision.values else None
            self.listener.finished(decision.number, decision.outcome, value)


def slots_of_groups(in_flight: int) -> list[int]:
    """Return the number of slots of each group."""
    groups = min(GROUPS, in_flight)
    return [len(range(group, in_flight, groups)) for group in range(groups)]
