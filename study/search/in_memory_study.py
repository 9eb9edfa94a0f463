"""The trials of a study in memory, which samplers and pruners read before anything is written.

Copies are cheap, since trials are replaced and never modified in place.
"""

# ruff: noqa: ARG002 - Optuna defines the arguments of a storage, and this one holds a single study

import copy
from collections.abc import Callable, Container, Mapping, Sequence
from typing import NoReturn

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler, RandomSampler
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from study.ledger.ledger import RESULT

ATTEMPTS = 50  # maximum number of draws for one trial; the last one is returned even if it is not acceptable


class InMemoryStudy:
    """An Optuna study in memory.

    Args:
        name: name of the study, which some pruners hash.
        directions: "maximize" or "minimize" for each objective.
        pruner: decides which trials are pruned.
        trials: the trials of the ledger, by number.
    """

    def __init__(
        self, name: str, directions: Sequence[str], pruner: BasePruner, trials: Sequence[FrozenTrial] = ()
    ) -> None:
        self._name, self._directions, self._pruner = name, tuple(directions), pruner
        parsed = [StudyDirection[direction.upper()] for direction in directions]
        self._table = _TrialTable(name, parsed, [_numbered(trial, trial.number) for trial in trials])
        # Each draw sets its own sampler.
        self._study = optuna.load_study(study_name=name, storage=self._table, sampler=RandomSampler(0), pruner=pruner)

    def copy(self) -> "InMemoryStudy":
        """Return an independent study with the same trials."""
        other = InMemoryStudy(self._name, self._directions, self._pruner)
        other._table.trials = list(self._table.trials)
        return other

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials by number. Do not modify them."""
        return self._table.trials

    def draw(
        self,
        sampler: Callable[[int], BaseSampler],
        suggest: Callable[[Trial], object],
        acceptable: Callable[[FrozenTrial], bool],
        fixed: Mapping[str, object] | None = None,
    ) -> tuple[FrozenTrial, bool]:
        """Draw the next trial without adding it; return the trial, and whether it is acceptable.

        Args:
            sampler: returns a new sampler for each attempt, so that a draw depends only on the attempt's number.
            suggest: draws all parameters.
            acceptable: returns whether a draw can be used; the draw of the last attempt is returned in any case.
            fixed: parameters with given values; the first draw is then returned.
        """
        attempt = 0
        while True:
            if fixed is not None:
                self._study.enqueue_trial(dict(fixed))
            self._study.sampler = sampler(attempt)
            suggest(self._study.ask())
            drawn = self._table.trials.pop()
            attempt += 1
            fits = acceptable(drawn)
            if fits or fixed is not None or attempt == ATTEMPTS:
                return drawn, fits

    def add(self, drawn: FrozenTrial) -> None:
        """Add the trial that `draw` returned."""
        self._table.trials.append(drawn)

    def report(self, number: int, reports: Mapping[int, float]) -> None:
        """Add reported values by iteration."""
        for iteration, value in reports.items():
            self._table.set_trial_intermediate_value(number, iteration, value)

    def should_prune(self, number: int) -> bool:
        """Return whether the pruner would stop a trial."""
        return self._pruner.prune(self._study, self.trials[number])

    def end(self, number: int, state: TrialState, values: Sequence[float] | None, result: Mapping[str, object]) -> None:
        """End a trial, with its values and the result that the ledger stores."""
        self._table.set_trial_user_attr(number, RESULT, result)
        self._table.set_trial_state_values(number, state, values)


def _numbered(trial: FrozenTrial, number: int) -> FrozenTrial:
    """Return a copy of a trial with this number, which is also its id in `_TrialTable`."""
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=trial.state,
        value=None,
        values=trial.values,
        datetime_start=trial.datetime_start,
        datetime_complete=trial.datetime_complete,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs=trial.user_attrs,
        system_attrs=trial.system_attrs,
        intermediate_values=trial.intermediate_values,
    )


class _TrialTable(BaseStorage):
    """An Optuna storage of one study as a list of trials, which can be copied, and whose last trial can be removed.

    The id of a trial is its number. Times are not recorded.
    """

    def __init__(self, name: str, directions: list[StudyDirection], trials: list[FrozenTrial]) -> None:
        self._name, self._directions, self.trials = name, directions, trials
        self._attributes: tuple[dict[str, object], dict[str, object]] = ({}, {})  # user attributes, system attributes

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> int:
        raise NotImplementedError

    def delete_study(self, study_id: int) -> None:
        raise NotImplementedError

    def set_study_user_attr(self, study_id: int, key: str, value: object) -> None:
        self._attributes[0][key] = value

    def set_study_system_attr(self, study_id: int, key: str, value: object) -> None:
        self._attributes[1][key] = value

    def get_study_id_from_name(self, study_name: str) -> int:
        return 0

    def get_study_name_from_id(self, study_id: int) -> str:
        return self._name

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        return self._directions

    def get_study_user_attrs(self, study_id: int) -> dict[str, object]:
        return self._attributes[0]

    def get_study_system_attrs(self, study_id: int) -> dict[str, object]:
        return self._attributes[1]

    def get_all_studies(self) -> NoReturn:
        raise NotImplementedError

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        number = len(self.trials)
        if template_trial is None:
            trial = FrozenTrial(number, TrialState.RUNNING, None, None, None, {}, {}, {}, {}, {}, trial_id=number)
        else:
            trial = _numbered(template_trial, number)
        self.trials.append(trial)
        return number

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        trial = self._replace(trial_id)
        trial.params = trial.params | {param_name: distribution.to_external_repr(param_value_internal)}
        trial.distributions = trial.distributions | {param_name: distribution}

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        trial = self._replace(trial_id)
        trial.state = state
        if values is not None:
            trial.values = values
        return True

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> None:
        trial = self._replace(trial_id)
        trial.intermediate_values = trial.intermediate_values | {step: intermediate_value}

    def set_trial_user_attr(self, trial_id: int, key: str, value: object) -> None:
        trial = self._replace(trial_id)
        trial.user_attrs = trial.user_attrs | {key: value}

    def set_trial_system_attr(self, trial_id: int, key: str, value: object) -> None:
        trial = self._replace(trial_id)
        trial.system_attrs = trial.system_attrs | {key: value}

    def get_trial(self, trial_id: int) -> FrozenTrial:
        return self.trials[trial_id]

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        found = [trial for trial in self.trials if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found

    def _replace(self, trial_id: int) -> FrozenTrial:
        """Replace a trial with a copy, and return the copy."""
        self.trials[trial_id] = trial = copy.copy(self.trials[trial_id])
        return trial
