"""Every pruner stops a clearly bad trial, keeps the best, and decides from what trials reported, nothing else."""

from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.pruners import NopPruner
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from study.search.pruners import Halving, Stagnation, make_pruner, rungs_from
from study.spec.search import SearchSpec

GRID = tuple(range(10, 201, 10))
PRUNERS = ["median", "percentile", "successive_halving", "hyperband", "patient", "threshold"]


def searching(pruner: str, **fields: Any) -> SearchSpec:
    return SearchSpec.model_validate({"pruner": pruner, "threshold": 0.4, "patience": 3} | fields)


def curve(final: float, length: int = len(GRID)) -> dict[int, float]:
    """A curve that rises from 0 to `final` and flattens."""
    return {step: final * min(1.0, (k + 1) / 8) for k, step in enumerate(GRID[:length])}


def ended(final: float, state: TrialState = TrialState.COMPLETE, length: int = len(GRID)) -> FrozenTrial:
    value = None if state == TrialState.FAIL else final
    return create_trial(state=state, value=value, intermediate_values=curve(final, length))


def study_of(pruner: optuna.pruners.BasePruner, trials: list[FrozenTrial], sign: float = 1.0) -> optuna.Study:
    study = optuna.create_study(direction="maximize" if sign > 0 else "minimize", pruner=pruner)
    study.add_trials(trials)
    return study


def stopped_at(study: optuna.Study, values: dict[int, float], sign: float = 1.0, together: int = 1) -> int | None:
    """Report values, so many between two decisions; return the iteration at which the trial is stopped."""
    trial = study.ask()
    for k, (step, value) in enumerate(values.items()):
        trial.report(sign * value, step)
        if (k + 1) % together == 0 and trial.should_prune():
            return step
    return None


OTHERS = [0.5, 0.6, 0.7, 0.8, 0.75, 0.65, 0.55, 0.85]


def signed(sign: float) -> list[FrozenTrial]:
    return [
        create_trial(
            state=TrialState.COMPLETE,
            value=sign * final,
            intermediate_values={step: sign * value for step, value in curve(final).items()},
        )
        for final in OTHERS
    ]


@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("name", PRUNERS)
def test_a_bad_trial_is_stopped_and_the_best_is_not(name: str, sign: float, together: int) -> None:
    search = searching(name, threshold=sign * 0.4, warmup=0.4)
    pruner = make_pruner(search, GRID, "maximize" if sign > 0 else "minimize")
    others = signed(sign)
    if name == "hyperband":  # some of its trials are never stopped: take one of the bracket that stops most
        assert isinstance(pruner, Halving)
        while pruner.bracket(len(others)) != 0 or sum(pruner.bracket(n) == 0 for n in range(len(others))) < 3:
            others.append(others[len(others) % 8])
    stop = stopped_at(study_of(pruner, others, sign), curve(0.1), sign, together)
    assert stop is not None
    assert stop >= 80  # warmup
    assert stop < GRID[-1]
    assert stopped_at(study_of(pruner, others, sign), curve(0.95), sign, together) is None


@pytest.mark.parametrize("name", [name for name in PRUNERS if name != "threshold"])
def test_nothing_is_stopped_before_anything_is_known(name: str) -> None:
    pruner = make_pruner(searching(name), GRID, "maximize")
    assert stopped_at(study_of(pruner, []), curve(0.9)) is None


@pytest.mark.parametrize("name", ["none", "asha"])
def test_two_stop_nothing(name: str) -> None:
    assert isinstance(make_pruner(searching(name), GRID, "maximize"), NopPruner)


histories = st.lists(
    st.tuples(
        st.floats(0.0, 1.0),
        st.sampled_from([TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]),
        st.integers(1, len(GRID)),
    ),
    max_size=20,
)


@pytest.mark.slow
@given(histories, st.floats(0.0, 1.0), st.integers(1, len(GRID)), st.sampled_from(PRUNERS))
def test_decisions_are_the_same_after_a_rebuild(
    history: list[tuple[float, TrialState, int]], final: float, length: int, name: str
) -> None:
    search = searching(name)
    study = study_of(make_pruner(search, GRID, "maximize"), [ended(*trial) for trial in history])
    trial = study.ask()
    decisions = []
    for step, value in curve(final, length).items():
        trial.report(value, step)
        decisions.append(trial.should_prune())
    memory = InMemoryStorage()
    again = optuna.create_study(storage=memory, direction="maximize", pruner=make_pruner(search, GRID, "maximize"))
    again.add_trials(study.get_trials())
    last = memory.get_trial_id_from_study_id_trial_number(
        memory.get_study_id_from_name(again.study_name), len(again.trials) - 1
    )
    # The name of the study plays no part, nor what the first pruner saw on the way.
    assert [bool(d) for d in decisions[-1:]] == [optuna.trial.Trial(again, last).should_prune()]


def test_rungs_lie_on_the_grid_above_the_warm_up() -> None:
    assert rungs_from(GRID, 10, 3) == (30, 70)  # 200/3 = 66.7, 22.2; 7.4 is below the warm-up
    assert rungs_from(GRID, 30, 3) == (70,)
    assert rungs_from(GRID, 20, 2) == (30, 50, 100)
    assert rungs_from(GRID, 150, 2) == (150,)
    assert rungs_from((1,), 1, 2) == ()


@given(st.integers(1, 3000), st.integers(2, 9), st.floats(0, 0.99))
def test_rungs_are_points_of_any_grid(longest: int, reduction: int, warmup: float) -> None:
    grid = tuple(sorted({-(-longest * k // 20) for k in range(1, 21)}))
    start = max(grid[0], int(warmup * longest))
    rungs = rungs_from(grid, start, reduction)
    assert set(rungs) <= set(grid[:-1])
    assert all(rung >= start for rung in rungs)


def test_of_those_at_a_rung_one_in_so_many_goes_on() -> None:
    pruner = Halving([(50,)], 3)
    others = [create_trial(state=TrialState.PRUNED, value=v, intermediate_values={50: v}) for v in (1.0, 2, 3, 4, 5)]
    # Six at the rung with this one: the best two go on.
    assert stopped_at(study_of(pruner, others), {50: 4.5}) is None
    assert stopped_at(study_of(pruner, others), {50: 3.5}) == 50


def test_a_round_that_passes_several_rungs_is_judged_at_each() -> None:
    pruner = Halving([(10, 30)], 2)
    others = [create_trial(state=TrialState.PRUNED, value=v, intermediate_values={10: v}) for v in (1.0, 2, 3, 4)]
    assert stopped_at(study_of(pruner, others), {10: 0.5, 20: 6.0, 30: 9.0}, together=3) == 30


def test_brackets_have_their_shares() -> None:
    pruner = Halving([(10, 30, 70), (30, 70), (70,), ()], 3)
    counts = [0] * 4
    for number in range(4000):
        counts[pruner.bracket(number)] += 1
    shares = [27, 12, 6, 4]  # ⌈4 · 3^s / (s + 1)⌉ for s = 3, 2, 1, 0
    assert counts == pytest.approx([4000 * share / sum(shares) for share in shares], rel=0.2)


def test_standing_still_is_allowed_to_the_leader() -> None:
    pruner = Stagnation(patience=3, warmup=20)
    flat = dict.fromkeys(GRID, 0.7)
    assert stopped_at(study_of(pruner, [ended(0.8)]), flat) == 40
    assert stopped_at(study_of(pruner, [ended(0.7)]), flat) is None
    assert stopped_at(study_of(pruner, [ended(0.8)]), {step: step / 1000 for step in GRID}) is None


def test_a_value_that_is_not_a_number_is_stopped_at_a_rung() -> None:
    assert stopped_at(study_of(Halving([(50,)], 3), [ended(0.5)]), {50: float("nan")}) == 50
