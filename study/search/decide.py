"""The decisions of a search, as pure functions: which trials end, pause or continue, and what is tried next.

`decide` takes the state of a search and the progress of its trials, and returns decisions. It has no side effects, and
does not depend on disk, clock or processes. The same progress gives the same decisions, in whichever order it arrived.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from optuna.trial import FrozenTrial, TrialState

from study.search.asha import to_promote
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
from study.search.proposals import ConfigurationKey, NoFittingNetworkError, Proposer, key_of
from study.search.stopping import Budget

_STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


@dataclass(frozen=True)
class SearchRules:
    """The settings on which decisions depend, apart from the trials.

    Attributes:
        budget: decides when to stop asking for trials.
        proposer: proposes the next configuration.
        slots: the number of slots for open trials of each group.
        pruner_name: used in the reason of a pruned trial; the pruner itself is in `SearchState.study`.
        rungs: iterations at which trials are paused.
        reduction: one in this many trials of a rung is resumed.
    """

    budget: Budget
    proposer: Proposer
    slots: tuple[int, ...]
    pruner_name: str = "none"
    rungs: tuple[int, ...] = ()
    reduction: int = 3


@dataclass(frozen=True)
class SearchState:
    """The state of a search.

    Attributes:
        study: all trials.
        open: the slots of the trials that are being trained, by trial number.
        paused: the rung at which each paused trial waits, by trial number.
        tried: the configurations of all trials.
        round: number of completed rounds.
        stopped: the reason why no trial was asked for when a slot was last free, or None.
    """

    study: InMemoryStudy
    open: Mapping[int, Slot]
    paused: Mapping[int, int]
    tried: frozenset[ConfigurationKey]
    round: int = 0
    stopped: str | None = None

    def after(self, decisions: Sequence[Decision]) -> "SearchState":
        """Return the state after the given decisions."""
        draft = _Draft(self)
        for decision in decisions:
            draft.record(decision)
        tried = frozenset(draft.tried)
        return SearchState(draft.study, draft.open, draft.paused, tried, draft.round, draft.stopped)


def decide(state: SearchState, progress: Mapping[int, TrialProgress], group: int, rules: SearchRules) -> list[Decision]:
    """End a round: decide the fate of its trials, then which trials fill the free slots of their group.

    Args:
        state: the state of the search.
        progress: progress of the trials that were trained, by trial number.
        group: the group whose turn it is.
        rules: the settings of the search.
    """
    draft = _Draft(state)
    decisions = [draft.record(RoundEnded())]
    for number in sorted(progress):
        decisions.append(draft.record(_judge(draft, number, progress[number], rules)))
    return decisions + _fill(draft, group, rules)


def fill(state: SearchState, group: int, rules: SearchRules) -> list[Decision]:
    """Decide which trials fill the free slots of a group between two rounds."""
    return _fill(_Draft(state), group, rules)


def end_paused(state: SearchState) -> list[Decision]:
    """Prune the trials that are still paused at the end of the search, in a separate round."""
    ends: list[Decision] = []
    for number, rung in sorted(state.paused.items()):
        value = state.study.trials[number].intermediate_values[rung]
        reason = f"paused at iteration {rung}, not promoted"
        ends.append(Ended(number, rung, {}, "pruned", (value,), reason, work=0.0))
    return [RoundEnded(), *ends] if ends else []


def next_rung(iterations: int, rungs: Sequence[int]) -> int | None:
    """Return the next rung after `iterations`, or None."""
    return next((rung for rung in rungs if rung > iterations), None)


class _Draft:
    """A mutable copy of a state, in which decisions are recorded one after another."""

    def __init__(self, state: SearchState) -> None:
        self.study = state.study.copy()
        self.open, self.paused, self.tried = dict(state.open), dict(state.paused), set(state.tried)
        self.round, self.stopped = state.round, state.stopped

    def record(self, decision: Decision) -> Decision:
        """Record a decision, and return it."""
        match decision:
            case RoundEnded():
                self.round += 1
            case Continued(number, iterations, reports):
                self.study.report(number, reports)
                self.open[number] = replace(self.open[number], iterations=iterations)
            case Paused(number, rung, reports):
                self.study.report(number, reports)
                del self.open[number]
                self.paused[number] = rung
            case Ended():
                self._end(decision)
            case Resumed(number, rung, group):
                del self.paused[number]
                self.open[number] = Slot(group, rung)
            case Asked(trial, group):
                self.study.add(trial)
                self.tried.add(key_of(trial.params))
                self.open[trial.number] = Slot(group)
                self.stopped = None
            case Stopped(reason):
                self.stopped = reason
        return decision

    def _end(self, ended: Ended) -> None:
        self.study.report(ended.number, ended.reports)
        self.study.end(ended.number, _STATES[ended.outcome], ended.values, {"work": ended.work})
        self.open.pop(ended.number, None)
        self.paused.pop(ended.number, None)

    def in_group(self, group: int) -> int:
        """Return the number of open trials in a group."""
        return sum(slot.group == group for slot in self.open.values())


def _judge(draft: _Draft, number: int, progress: TrialProgress, rules: SearchRules) -> Judged:
    """Decide whether a trial has failed, is complete, is paused at a rung, is pruned, or continues, in this order."""
    known, at, reports = draft.open[number].iterations, progress.iterations, progress.reports
    draft.study.report(number, reports)  # must come first, since the pruner uses these values
    if progress.failure is not None:
        return Ended(number, at, reports, "failed", None, progress.failure, progress.work)
    if progress.values is not None:
        return Ended(number, at, reports, "complete", progress.values, None, progress.work)
    if at in rules.rungs and at > known:
        return Paused(number, at, reports)
    if reports and draft.study.should_prune(number):
        last = reports[max(reports)]
        return Ended(number, at, reports, "pruned", (last,), f"pruned ({rules.pruner_name})", progress.work)
    return Continued(number, at, reports)


def _fill(draft: _Draft, group: int, rules: SearchRules) -> list[Decision]:
    """Resume paused trials and ask for new ones until the group is full."""
    decisions: list[Decision] = []
    reached = _values_at(rules.rungs, draft.study.trials)
    while draft.in_group(group) < rules.slots[group]:
        number = to_promote(reached, draft.paused, rules.reduction, maximize=rules.budget.maximize)
        if number is None:
            decisions.append(draft.record(_ask(draft, group, rules)))
        else:
            decisions.append(draft.record(Resumed(number, draft.paused[number], group)))
        if isinstance(decisions[-1], Stopped):
            break
    return decisions


def _ask(draft: _Draft, group: int, rules: SearchRules) -> Asked | Stopped:
    reason = rules.budget.spent(draft.study.trials) or rules.proposer.exhausted(draft.tried)
    if reason is not None:
        return Stopped(reason)
    try:
        return Asked(rules.proposer.propose(draft.study, draft.tried), group)
    except NoFittingNetworkError as error:
        return Stopped(str(error), error=True)


def _values_at(rungs: Sequence[int], trials: Sequence[FrozenTrial]) -> dict[int, dict[int, float]]:
    """Return, for each rung, the values of the trials that have reached it."""
    reached: dict[int, dict[int, float]] = {}
    for trial in trials:
        for rung in rungs:
            if rung in trial.intermediate_values:
                reached.setdefault(rung, {})[trial.number] = trial.intermediate_values[rung]
    return reached
