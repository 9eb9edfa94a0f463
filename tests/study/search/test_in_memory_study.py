"""The study in memory gives samplers and pruners what Optuna's own storage does, and is copied like a value."""

import optuna
import pytest
from optuna.pruners import MedianPruner
from optuna.trial import FrozenTrial, Trial, TrialState

from study.search.in_memory_study import InMemoryStudy
from study.search.samplers import make_sampler
from study.spec.search import SearchSpec


def suggest(trial: Trial) -> None:
    depth = trial.suggest_int("depth", 0, 2)
    trial.suggest_float("learning_rate", 0.01, 1.0, log=True)
    if depth:
        trial.suggest_categorical("activation", ["relu", "tanh"])


def always(_: FrozenTrial) -> bool:
    return True


def draw_one(study: InMemoryStudy, sampler: str = "random") -> FrozenTrial:
    search, number = SearchSpec.model_validate({"sampler": sampler}), len(study.trials)
    drawn, _ = study.draw(lambda attempt: make_sampler(search, 7 * number + attempt, number), suggest, always)
    return drawn


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "nsga2"])
def test_proposals_are_those_on_a_storage_of_optuna(sampler: str) -> None:
    ours, search = InMemoryStudy("s", ["maximize"], MedianPruner()), SearchSpec.model_validate({"sampler": sampler})
    theirs = optuna.create_study(direction="maximize", study_name="s")
    for number in range(14):
        drawn = draw_one(ours, sampler)
        ours.add(drawn)
        theirs.sampler = make_sampler(search, 7 * number, number)
        trial = theirs.ask()
        suggest(trial)
        assert drawn.params == trial.params
        value = drawn.params["learning_rate"] * (1 + drawn.params["depth"])
        ours.report(number, {1: value / 2, 2: value})
        for step, reported in ((1, value / 2), (2, value)):
            trial.report(reported, step)
        assert ours.should_prune(number) == trial.should_prune()
        if number % 3 == 2:
            continue  # stays open
        pruned = ours.should_prune(number)
        ours.end(number, TrialState.PRUNED if pruned else TrialState.COMPLETE, [value], {"work": 1.0})
        theirs.tell(trial, None if pruned else value, TrialState.PRUNED if pruned else None)
    assert [trial.state for trial in ours.trials] == [trial.state for trial in theirs.trials]
    assert [trial.values for trial in ours.trials] == [trial.values for trial in theirs.trials]


def test_a_copy_goes_its_own_way() -> None:
    study = InMemoryStudy("s", ["minimize"], MedianPruner())
    study.add(draw_one(study))
    other = study.copy()
    other.report(0, {1: 0.5})
    other.end(0, TrialState.COMPLETE, [0.5], {"work": 2.0})
    other.add(draw_one(other))
    assert [len(study.trials), len(other.trials)] == [1, 2]
    assert study.trials[0].state == TrialState.RUNNING
    assert study.trials[0].intermediate_values == study.trials[0].user_attrs == {}


def test_a_draw_is_not_added_and_may_be_fixed() -> None:
    study = InMemoryStudy("s", ["minimize"], MedianPruner())
    sampler = make_sampler(SearchSpec.model_validate({"sampler": "random"}), 0, 0)
    fixed = {"depth": 1, "learning_rate": 0.3, "activation": "tanh"}
    drawn, fits = study.draw(lambda _: sampler, suggest, lambda _: False, fixed)
    assert (drawn.params, fits, study.trials) == (fixed, False, [])


def test_trials_of_a_ledger_are_taken_over_by_their_numbers() -> None:
    theirs = optuna.create_study(storage=optuna.storages.InMemoryStorage())
    optuna.create_study(storage=theirs._storage).ask()  # ids and numbers differ from here on
    trial = theirs.ask()
    suggest(trial)
    ours = InMemoryStudy("s", ["minimize"], MedianPruner(), theirs.get_trials())
    ours.report(0, {1: 0.25})
    assert ours.trials[0].params == trial.params
    assert ours.trials[0].intermediate_values == {1: 0.25}
