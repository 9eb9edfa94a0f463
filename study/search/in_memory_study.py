"""The ledger's study in memory, where samplers and pruners look and decisions are taken before they are written.

Rebuilt from the ledger on opening; from then on every ask, report and tell goes here first and to the ledger after.
"""

from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, Trial, TrialState

ATTEMPTS = 50  # draws for one trial before what is not acceptable is taken all the same


class Mirror:
    """An Optuna study in memory.

    Args:
        name: of the study; some pruners hash it.
        directions: "maximize" or "minimize" for each objective.
        pruner: asked after each round.
        trials: of the ledger, by number.
    """

    def __init__(self, name: str, directions: Sequence[Any], pruner: BasePruner, trials: Sequence[FrozenTrial]) -> None:
        self._storage = _Storage()
        self.study = optuna.create_study(
            storage=self._storage, study_name=name, directions=list(directions), pruner=pruner
        )
        self.study.add_trials(trials)

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials by number; they are not to be changed."""
        return self.study.get_trials(deepcopy=False)

    def draw(
        self,
        sampler: Callable[[int], BaseSampler],
        suggest: Callable[[Trial], Any],
        acceptable: Callable[[FrozenTrial], bool],
        fixed: dict[str, Any] | None = None,
    ) -> tuple[FrozenTrial, bool]:
        """Draw the next trial; return it, and whether it is acceptable.

        Args:
            sampler: gives a fresh sampler for each attempt, so that a draw hangs on the attempt's number alone.
            suggest: draws all parameters.
            acceptable: whether a draw may stay; after ATTEMPTS the last one stays anyhow.
            fixed: parameters that are given; the draw is then taken as it comes.
        """
        for attempt in range(ATTEMPTS):
            if fixed is not None:
                self.study.enqueue_trial(fixed)
            self.study.sampler = sampler(attempt)
            trial = self.study.ask()
            suggest(trial)
            drawn = self.trials[trial.number]
            fits = acceptable(drawn)
            if fits or fixed is not None or attempt == ATTEMPTS - 1:
                return drawn, fits
            self._storage.forget_last()
        raise AssertionError("unreachable")

    def forget_last(self) -> None:
        """Take the last drawn trial back."""
        self._storage.forget_last()

    def report(self, number: int, reports: dict[int, float]) -> None:
        """Report values by iteration."""
        view = Trial(self.study, self.trials[number]._trial_id)
        for step, value in reports.items():
            view.report(value, step)

    def should_prune(self, number: int) -> bool:
        """Ask the pruner."""
        return Trial(self.study, self.trials[number]._trial_id).should_prune()

    def tell(self, number: int, state: TrialState, values: Sequence[float] | None) -> dict[str, Any]:
        """End a trial; return the system attributes that the sampler wrote to it."""
        self.study.tell(number, list(values) if values is not None and state == TrialState.COMPLETE else None, state)
        return dict(self.trials[number].system_attrs)


class _Storage(InMemoryStorage):
    """Optuna's storage in memory, which can take back its last trial: a draw that nobody is to see."""

    def forget_last(self) -> None:
        with self._lock:
            study_id, _ = self._trial_id_to_study_id_and_number.pop(self._max_trial_id)
            self._studies[study_id].trials.pop()
            self._max_trial_id -= 1
