"""Decisions are a function of the state and of what was measured, whatever the order; checked in simulated searches."""

import copy
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.trial import FrozenTrial, TrialState

from study.search.asha import rungs_of
from study.search.coordinator import slots_of_groups
from study.search.decide import SearchRules, SearchState, decide, end_paused, fill, next_rung
from study.search.decisions import (
    Asked,
    Continued,
    Decision,
    Ended,
    Paused,
    Resumed,
    RoundEnded,
    Slot,
    Stopped,
    TrialProgress,
)
from study.search.in_memory_study import InMemoryStudy
from study.search.proposals import Proposer
from study.search.pruners import make_pruner
from study.search.stopping import Budget
from study.spec import SpaceSpec
from study.spec.search import SearchSpec

GRID = tuple(range(1, 10))  # iterations; all trials take nine
SPACE = SpaceSpec.model_validate(
    {"learning_rate": {"low": 0.01, "high": 1.0, "log": True}, "iterations": GRID[-1], "depth": 0}
)


@dataclass(frozen=True)
class Simulated:
    """A search whose trials have given values, fail where they are to, and advance by chunks of given lengths."""

    pruner: str
    in_flight: int
    trials: int
    values: tuple[tuple[float, ...], ...]
    chunks: tuple[int, ...]
    failing: frozenset[int]

    @property
    def rules(self) -> SearchRules:
        search = SearchSpec.model_validate({"pruner": self.pruner, "sampler": "random", "in_flight": self.in_flight})
        return SearchRules(
            Budget(self.trials, None, None, maximize=True),
            Proposer.of(search, SPACE, [], lambda _: True),
            tuple(slots_of_groups(self.in_flight)),
            self.pruner,
            rungs_of(GRID, search.reduction) if self.pruner == "asha" else (),
            search.reduction,
        )

    def state(self) -> SearchState:
        search = SearchSpec.model_validate({"pruner": self.pruner})
        pruner = make_pruner(search, GRID, "maximize")
        return SearchState(InMemoryStudy("simulated", ["maximize"], pruner), {}, {}, frozenset())

    def train(self, number: int, slot: Slot, rules: SearchRules) -> TrialProgress:
        chunk, values = self.chunks[number % len(self.chunks)], self.values[number % len(self.values)]
        until = min(slot.iterations + chunk, next_rung(slot.iterations, rules.rungs) or GRID[-1], GRID[-1])
        reports = {point: values[point - 1] for point in GRID if slot.iterations < point <= until}
        if number in self.failing:
            return TrialProgress(until, reports, failure="diverged")
        done = (values[-1],) if until == GRID[-1] else None
        return TrialProgress(until, reports, values=done)

    def steps(self, order: random.Random) -> Iterator[tuple[SearchState, Sequence[Decision], SearchState]]:
        """Yield each step of the search: the state before, the decisions, and the state after."""
        state, rules = self.state(), self.rules
        groups = len(rules.slots)
        for turn in range(groups):
            decisions = fill(state, (turn + 1) % groups, rules)
            yield state, decisions, (state := state.after(decisions))
        while state.open:
            group = (state.round + 1) % groups
            turns = [(number, slot) for number, slot in state.open.items() if slot.group == group]
            order.shuffle(turns)
            progress = {number: self.train(number, slot, rules) for number, slot in turns}
            decisions = decide(state, progress, group, rules)
            yield state, decisions, (state := state.after(decisions))
        ends = end_paused(state)
        yield state, ends, state.after(ends)


def simulations(*pruners: str) -> st.SearchStrategy[Simulated]:
    numbers = st.integers(0, 12)
    value = st.integers(0, 9).map(lambda tenth: tenth / 10)  # few, so that some are equal
    curve = st.tuples(*[value] * len(GRID))
    return st.builds(
        Simulated,
        pruner=st.sampled_from(pruners),
        in_flight=st.integers(1, 5),
        trials=numbers.filter(bool),
        values=st.lists(curve, min_size=1, max_size=6).map(tuple),
        chunks=st.lists(st.integers(1, len(GRID)), min_size=1, max_size=4).map(tuple),
        failing=st.frozensets(numbers, max_size=2),
    )


SEVERAL = simulations("none", "median", "successive_halving", "patient", "asha")


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(SEVERAL, st.randoms(use_true_random=False))
def test_decisions_do_not_depend_on_the_order_of_arrival(simulated: Simulated, order: random.Random) -> None:
    shuffled = [decisions for _, decisions, _ in simulated.steps(order)]
    assert shuffled == [decisions for _, decisions, _ in simulated.steps(random.Random(0))]


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(SEVERAL)
def test_deciding_changes_nothing_and_repeats(simulated: Simulated) -> None:
    rules = simulated.rules
    for state, _, _ in simulated.steps(random.Random(0)):
        before = copy.deepcopy((state.study.trials, state.open, state.paused, state.tried, state.round))
        progress = {number: simulated.train(number, slot, rules) for number, slot in state.open.items()}
        first = decide(state, progress, 0, rules)
        assert first == decide(state, progress, 0, rules)
        assert (state.study.trials, state.open, state.paused, state.tried, state.round) == before


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(SEVERAL)
def test_each_trial_is_asked_once_and_ends_once(simulated: Simulated) -> None:
    asked, ended = list[int](), dict[int, str]()
    for _, decisions, after in simulated.steps(random.Random(0)):
        for decision in decisions:
            assert isinstance(decision, RoundEnded | Stopped) or decision.number not in ended
            if isinstance(decision, Asked):
                asked.append(decision.number)
            if isinstance(decision, Ended):
                ended[decision.number] = decision.outcome
        for group, room in enumerate(simulated.rules.slots):
            assert sum(slot.group == group for slot in after.open.values()) <= room
    assert asked == list(range(simulated.trials)) == sorted(ended)
    assert {number for number, outcome in ended.items() if outcome == "failed"} == {
        number for number in asked if number in simulated.failing
    }


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(simulations("asha"))
def test_trials_are_paused_and_resumed_as_a_naive_reference_says(simulated: Simulated) -> None:
    rules = simulated.rules
    for before, decisions, after in simulated.steps(random.Random(0)):
        for decision in decisions:
            if isinstance(decision, Paused):
                assert decision.iterations in rules.rungs
                assert decision.iterations > before.open[decision.number].iterations
            if isinstance(decision, Continued):
                assert decision.iterations not in rules.rungs
        judged = [each for each in decisions if isinstance(each, RoundEnded | Continued | Paused | Ended)]
        now = before.after(judged)
        for decision in decisions[len(judged) :]:
            best = best_to_resume(now.study.trials, now.paused, rules)
            assert best == (decision.number if isinstance(decision, Resumed) else None)
            now = now.after([decision])
        assert (now.open, now.paused) == (after.open, after.paused)


def best_to_resume(trials: Sequence[FrozenTrial], paused: Mapping[int, int], rules: SearchRules) -> int | None:
    """Return what asynchronous successive halving resumes, by counting: at the highest rung the best of its top."""
    found = []
    for number, rung in paused.items():
        here = {trial.number: trial.intermediate_values.get(rung) for trial in trials}
        mine = here[number]
        others = [(value, other) for other, value in here.items() if value is not None]
        better = sum(value > mine or (value == mine and other < number) for value, other in others)
        if better < len(others) // rules.reduction:
            found.append((-rung, better, number))
    return min(found)[2] if found else None


def test_what_is_still_paused_at_the_end_is_pruned_with_its_value() -> None:
    simulated = Simulated("asha", 2, 2, ((0.1,) * 9,), (9,), frozenset())
    *_, (state, ends, after) = simulated.steps(random.Random(0))
    assert state.paused == {0: 1, 1: 1}
    assert [(end.number, end.outcome, end.values) for end in ends if isinstance(end, Ended)] == [
        (0, "pruned", (0.1,)),
        (1, "pruned", (0.1,)),
    ]
    assert [trial.state for trial in after.study.trials] == [TrialState.PRUNED] * 2
    assert not after.paused


def test_the_search_stops_where_no_network_fits() -> None:
    simulated = Simulated("none", 2, 4, ((0.5,) * 9,), (9,), frozenset())
    proposer = replace(simulated.rules.proposer, fits=lambda _: False)
    (stopped,) = fill(simulated.state(), 0, replace(simulated.rules, proposer=proposer))
    assert isinstance(stopped, Stopped)
    assert stopped.error
    assert "max_parameters" in stopped.reason


@pytest.mark.parametrize(("trials", "reason"), [(0, "0 trials are done"), (1, "1 trial is done")])
def test_a_search_that_has_had_its_trials_asks_for_none(trials: int, reason: str) -> None:
    simulated = Simulated("none", 4, trials, ((0.5,) * 9,), (9,), frozenset())
    decisions = fill(simulated.state(), 0, simulated.rules)
    assert [type(decision) for decision in decisions] == [Asked] * trials + [Stopped]
    assert decisions[-1] == Stopped(reason)
