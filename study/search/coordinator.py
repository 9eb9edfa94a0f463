"""The search: rounds of ask, work, tell, through one writer.

At most `in_flight` trials are open, in two groups that take turns: a round ends the chunks of one group; then, in the
order of trial numbers, values are reported, trials are pruned, held or told, and free places are filled, while workers
have the chunks of the other group. Decisions are taken on the mirror of the ledger and written to the ledger as one
record before they are applied, so a process that dies at any moment goes on with the same decisions.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from optuna.trial import FrozenTrial

from engine import DataError, TrainingState
from engine.training_chunk import Outcome, evaluations, run_chunk
from study.errors import UserError
from study.ledger import PLACE, STATES, Ledger, TrialRecord
from study.search.asha import rungs_of, to_promote
from study.search.grid import enumerate_settings, grid_order
from study.search.in_memory_study import Mirror
from study.search.objective import Objective, OpenTrial, sampler_seed
from study.search.pruners import make_pruner
from study.search.samplers import make_sampler
from study.search.search_space import suggest
from study.search.stopping import Budget
from study.workers import Batch, Workers

GROUPS = 2  # of open trials, that take turns
CHECKPOINT_EVERY = 5.0  # seconds between two writings of training states; how much a crash costs, and nothing else


@dataclass(frozen=True)
class Listener:
    """Who is told what happens; every function may be left out.

    Attributes:
        finished: called with (number, state, value) once a trial is in the ledger for good.
        stop: asked after each round whether the run ends here, to go on some other time.
    """

    finished: Callable[[int, str, float | None], None] = field(default=lambda *_: None)
    stop: Callable[[], bool] = field(default=lambda: False)


class Search:
    """The search of one study, from where its ledger stands.

    Args:
        objective: what trials are.
        ledger: the record; this process holds its lease.
        budget: when it is enough.
        enqueued: settings to try first.
        listener: who is told.
    """

    def __init__(
        self, objective: Objective, ledger: Ledger, budget: Budget, enqueued: list[dict[str, Any]], listener: Listener
    ) -> None:
        self.objective, self.ledger, self.budget, self.enqueued = objective, ledger, budget, enqueued
        self.listener, self.search = listener, objective.spec.search
        self.round, done = ledger.settle()
        trials = ledger.trials()
        pruner = make_pruner(self.search, objective.grid, ledger.direction)
        self.mirror = Mirror(ledger.name, ledger.directions, pruner, trials)
        asha = self.search.pruner == "asha"
        self.rungs = rungs_of(objective.grid, self.search.reduction) if asha else ()
        # Distinct settings of a small discrete space: none is tried twice, and the search ends when all are.
        settings = (
            grid_order(self.search_space, self.search.seed)
            if self.search.sampler == "grid"
            else enumerate_settings(self.search_space)
        )
        self.settings = None if settings is None else [params for params in settings if objective.fits(params)]
        self.tried = {_key(trial.params) for trial in trials}
        self.held: dict[int, int] = {}
        self.open: dict[int, OpenTrial] = {}
        self.ended: str | None = None
        for trial in trials:
            if trial.state.is_finished():
                continue
            place = trial.user_attrs[PLACE]
            if place["held"]:
                self.held[trial.number] = place["rung"]
            else:
                self.open[trial.number] = self._reopen(trial, done.get(trial.number, place["rung"]))
        self.places = group_places(self.search.in_flight)
        self.groups = len(self.places)
        self._checkpointed = time.monotonic()

    @property
    def search_space(self) -> Any:
        """The [space] table."""
        return self.objective.spec.space

    def run(self, workers: Workers) -> None:
        """Work until the budget is spent, or the listener says to stop.

        Args:
            workers: within their `with` block: samplers, too, have one thread of BLAS there.
        """
        unfinished = self.budget.trials - len(self.mirror.trials) + len(self.open) + len(self.held)
        workers.need(min(self.search.in_flight, unfinished))
        under_way: dict[int, Batch] = {}
        for turn in range(1, self.groups + 1):  # the last group is the one whose round was committed last
            group = (self.round + turn) % self.groups
            if self.round == 0 or turn == self.groups:
                self._fill(group)
            under_way[group] = self._begin(workers, group)
        while self.open and not self.listener.stop():
            group = (self.round + 1) % self.groups
            self._commit(workers.collect(under_way[group]))
            self._fill(group)
            under_way[group] = self._begin(workers, group)
        if not self.open:
            self._let_go()

    def _group(self, group: int) -> list[OpenTrial]:
        return [trial for trial in self.open.values() if trial.group == group]

    def _begin(self, workers: Workers, group: int) -> Batch:
        return workers.submit(
            [self.objective.next_chunk(trial, self._next_rung(trial)) for trial in self._group(group)]
        )

    def _fill(self, group: int) -> None:
        """Promote held trials and ask for new ones until the group is full."""
        while len(self._group(group)) < self.places[group]:
            number = self._promotable()
            if number is not None:
                self.ledger.release(number, group)
                rung = self.held.pop(number)
                self.open[number] = self._reopen(self.ledger.trials()[number], rung)
            elif not self._ask(group):
                return

    def _ask(self, group: int) -> bool:
        """Ask for one new trial; return whether there is one."""
        trials = self.mirror.trials
        self.ended = self.budget.spent(self.ledger.trials())
        if self.ended is None and self.settings is not None and len(self.tried) >= len(self.settings):
            self.ended = f"all {len(self.settings)} settings of the space have been tried"
        if self.ended is not None:
            return False
        number = len(trials)
        drawn = self._draw(number)
        self.tried.add(_key(drawn.params))
        created = self.ledger.create(drawn, group)
        if created != number:
            raise RuntimeError(f"the ledger made trial {created} where {number} was next: somebody else writes to it")
        self.open[number] = self.objective.open(number, drawn.params, group)
        return True

    def _draw(self, number: int) -> FrozenTrial:
        def sampler(attempt: int) -> Any:
            # Made anew for each ask: its state is its seed, and nothing hides in a process.
            seed = sampler_seed(self.search.seed, number, attempt)
            return make_sampler(self.search, seed, number, attempt)

        def acceptable(trial: FrozenTrial) -> bool:
            new = self.settings is None or _key(trial.params) not in self.tried
            return new and self.objective.fits(trial.params)

        fixed = self.enqueued[number] if number < len(self.enqueued) else None
        if fixed is None and self.search.sampler == "grid":
            fixed = self._untried()
        drawn, fits = self.mirror.draw(sampler, lambda trial: suggest(trial, self.search_space), acceptable, fixed)
        if not fits and fixed is None and self.settings is not None:
            # The sampler keeps to what has been tried; take one that has not.
            self.mirror.forget_last()
            drawn, fits = self.mirror.draw(
                sampler, lambda trial: suggest(trial, self.search_space), acceptable, self._untried()
            )
        if not self.objective.fits(drawn.params):
            raise UserError(
                f"[space] max_parameters: no network of at most {self.search_space.max_parameters} parameters was "
                "found; raise it, or lower depth and units"
            )
        return drawn

    def _untried(self) -> dict[str, Any]:
        return next(setting for setting in self.settings or [] if _key(setting) not in self.tried)

    def _promotable(self) -> int | None:
        if not self.rungs:
            return None
        reached: dict[int, dict[int, float]] = {}
        for trial in self.mirror.trials:
            for rung in self.rungs:
                if rung in trial.intermediate_values:
                    reached.setdefault(rung, {})[trial.number] = trial.intermediate_values[rung]
        return to_promote(reached, self.held, self.search.reduction, maximize=self.budget.maximize)

    def _next_rung(self, trial: OpenTrial) -> int | None:
        return next((rung for rung in self.rungs if rung > trial.iterations), None)

    def _reopen(self, frozen: FrozenTrial, iterations: int) -> OpenTrial:
        """Return an open trial from its checkpoint, or from its start where there is none that is whole."""
        trial = self.objective.open(frozen.number, frozen.params, frozen.user_attrs[PLACE]["group"])
        trial.iterations = iterations
        with contextlib.suppress(FileNotFoundError, DataError):
            state = TrainingState.load(self.objective.folder.checkpoint(frozen.number))
            if state.settings == trial.state.settings and state.iteration <= iterations:
                trial.state = state
        return trial

    def _commit(self, outcomes: dict[int, Outcome]) -> None:
        records = {number: TrialRecord(trial.iterations) for number, trial in self.open.items()}
        records |= {number: self._decide(self.open[number], outcome) for number, outcome in outcomes.items()}
        self._checkpoint(records)
        self._write(records)

    def _write(self, records: dict[int, TrialRecord]) -> None:
        self.round += 1
        self.ledger.commit(self.round, records)
        for number, record in records.items():
            if record.rung is not None:
                self.held[number] = record.rung
                del self.open[number]
            elif record.outcome is not None:
                self.open.pop(number, None)
                self.held.pop(number, None)
                self.objective.folder.checkpoint(number).unlink(missing_ok=True)
                self.listener.finished(number, record.outcome, record.values[0] if record.values else None)

    def _decide(self, trial: OpenTrial, outcome: Outcome) -> TrialRecord:
        """Report what a chunk gave to the mirror, and decide what becomes of the trial."""
        known = trial.iterations
        trial.state = outcome.state
        trial.seconds += outcome.seconds
        trial.iterations = max(known, trial.state.iteration)
        if self.search.several:
            reports = {}
        else:
            reports = {
                seen["iteration"]: self.objective.value(seen)
                for seen in evaluations(trial.state)
                if known < seen["iteration"] in self.objective.grid
            }
            self.mirror.report(trial.number, reports)

        reason = outcome.error or self.objective.why_failed(trial.state)
        if reason is not None:
            return self._end(trial, outcome, reports, "failed", reason=reason)
        if trial.state.done:
            return self._end(trial, outcome, reports, "complete", self.objective.values(trial))
        if trial.iterations in self.rungs and trial.iterations > known:
            return TrialRecord(trial.iterations, reports, rung=trial.iterations)
        if reports and self.mirror.should_prune(trial.number):
            last = list(reports.values())[-1]
            return self._end(trial, outcome, reports, "pruned", [last], f"pruned ({self.search.pruner})")
        return TrialRecord(trial.iterations, reports)

    def _end(
        self,
        trial: OpenTrial,
        outcome: Outcome | None,
        reports: dict[int, float],
        state: str,
        values: list[float] | None = None,
        reason: str | None = None,
    ) -> TrialRecord:
        result = self.objective.result(trial, reason, outcome)
        told = next(s for s, name in STATES.items() if name == state)
        kept = self.mirror.tell(trial.number, told, values)
        return TrialRecord(trial.iterations, reports, state, values, result, sampler=kept)

    def _let_go(self) -> None:
        """End the trials that are still held when there is nothing more to promote."""
        if not self.held:
            return
        records = {}
        for number, rung in sorted(self.held.items()):
            frozen = self.ledger.trials()[number]
            value = frozen.intermediate_values[rung]
            trial = self._reopen(frozen, rung)
            if trial.state.iteration < rung:  # its checkpoint was lost
                trial.state = run_chunk(
                    self.objective.next_chunk(replace(trial, iterations=0, chunk_iterations=rung))
                ).state
            records[number] = self._end(trial, None, {}, "pruned", [value], f"held at iteration {rung}, not promoted")
        self._write(records)

    def _checkpoint(self, records: dict[int, TrialRecord]) -> None:
        """Write training states: of trials that are held always, of open ones from time to time."""
        due = time.monotonic() - self._checkpointed >= CHECKPOINT_EVERY
        for number, record in records.items():
            if record.rung is not None or (due and record.outcome is None):
                path = self.objective.folder.checkpoint(number)
                path.parent.mkdir(parents=True, exist_ok=True)
                self.open[number].state.save(path)
        if due:
            self._checkpointed = time.monotonic()


def group_places(in_flight: int) -> list[int]:
    """Return how many open trials each group has room for."""
    groups = min(GROUPS, in_flight)
    return [len(range(group, in_flight, groups)) for group in range(groups)]


def _key(params: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(params.items()))
