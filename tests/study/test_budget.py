"""When a search has had enough, as a function of the ledger's trials."""

from optuna.trial import FrozenTrial, TrialState, create_trial

from study.ledger.ledger import RESULT
from study.search.stopping import Budget


def trial(number: int, value: float | None, state: TrialState = TrialState.COMPLETE, work: float = 1.0) -> FrozenTrial:
    made = create_trial(state=state, value=value, user_attrs={RESULT: {"work": work}} if state.is_finished() else {})
    made.number = number
    return made


def test_trials_are_counted_open_ones_too() -> None:
    trials = [trial(0, 0.5), trial(1, None, TrialState.RUNNING)]
    assert Budget(2, None, None, maximize=True).spent(trials) == "2 trials are done"
    assert Budget(3, None, None, maximize=True).spent(trials) is None


def test_work_is_that_of_trials_that_ended() -> None:
    trials = [trial(0, 0.5, work=2.0), trial(1, None, TrialState.FAIL, work=1.0), trial(2, None, TrialState.RUNNING)]
    assert Budget(9, 3.5, None, maximize=True).spent(trials) is None
    assert Budget(9, 3.0, None, maximize=True).spent(trials) == "3 units of work are done (budget: 3)"


def test_it_stops_after_trials_without_a_better_one() -> None:
    trials = [trial(0, 0.5), trial(1, 0.9), trial(2, 0.9), trial(3, None, TrialState.FAIL)]
    assert Budget(9, None, 3, maximize=True).spent(trials) is None
    assert Budget(9, None, 2, maximize=True).spent(trials) == "no better trial among the last 2"
    assert Budget(9, None, 3, maximize=False).spent(trials) == "no better trial among the last 3"
    assert Budget(9, None, 1, maximize=True).spent([trial(0, None, TrialState.FAIL)]) is None
