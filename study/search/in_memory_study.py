"""The ledger's study in memory, where samplers and pruners look and decisions are taken before they are written.

Rebuilt from the ledger on opening; from then on every ask, report and tell goes here first and to the ledger after.
"""

from collections.abc import Callable, Sequence
from typing import Any

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, Trial, TrialState

from study._compat import RewindableStorage, is_usable, trial_id

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
        self._name, self._directions, self._pruner = name, list(directions), pruner
        self._build(trials)

    def _build(self, trials: Sequence[FrozenTrial]) -> None:
        self._storage = RewindableStorage()
        self.study = optuna.create_study(
            storage=self._storage, study_name=self._name, directions=self._directions, pruner=self._pruner
        )
        self._id = self._storage.get_study_id_from_name(self._name)
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
            self.forget_last()
        raise AssertionError("unreachable")

    def forget_last(self) -> None:
        """Take the last drawn trial back."""
        if is_usable("trials in memory"):
            self._storage.forget_last()
        else:
            self._build(self.trials[:-1])

    def report(self, number: int, reports: dict[int, float]) -> None:
        """Report values by iteration."""
        view = self._view(number)
        for step, value in reports.items():
            view.report(value, step)

    def should_prune(self, number: int) -> bool:
        """Ask the pruner."""
        return self._view(number).should_prune()

    def _view(self, number: int) -> Trial:
        return Trial(self.study, trial_id(self.trials[number], self._storage, self._id))

    def tell(self, number: int, state: TrialState, values: Sequence[float] | None) -> dict[str, Any]:
        """End a trial; return the system attributes that the sampler wrote to it."""
        self.study.tell(number, list(values) if values is not None and state == TrialState.COMPLETE else None, state)
        return dict(self.trials[number].system_attrs)
