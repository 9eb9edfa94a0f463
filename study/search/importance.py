"""The importance of hyperparameters: two of Optuna's estimates, computed from the complete trials.

fANOVA (Hutter, Hoos and Leyton-Brown, 2014) estimates the share of the variance of the value that each hyperparameter
explains; it covers only those that all trials have. PED-ANOVA (Watanabe, Bansal and Hutter, 2023) estimates which ones
distinguish the best tenth of the trials from the rest; it includes those that only some trials have, such as the units
of a second layer.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import optuna
from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from study.ledger.ledger import quiet_optuna

LEAST, FEW = 10, 40  # minimum numbers of complete trials for an estimate, and for one without a warning
MOST = 400  # maximum number of complete trials for fANOVA; 2,000 would take 16 seconds


@dataclass(frozen=True)
class Importance:
    """The importance of each hyperparameter, as shares from 0 to 1.

    Attributes:
        variance: shares by fANOVA, the largest first.
        best: shares by PED-ANOVA, the largest first.
        trials: number of complete trials that they are based on.
    """

    variance: dict[str, float]
    best: dict[str, float]
    trials: int

    @property
    def names(self) -> list[str]:
        """All hyperparameters, the most important first."""
        return [*self.variance, *(name for name in self.best if name not in self.variance)]

    @property
    def few(self) -> bool:
        """Whether there are too few trials for a reliable estimate."""
        return self.trials < FEW


def estimate(trials: list[FrozenTrial], direction: StudyDirection) -> Importance | None:
    """Estimate importances from the complete trials; None if there are too few, or all have the same value.

    With several objectives, only the first one counts.
    """
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if len(complete) < LEAST or len({trial.values[0] for trial in complete}) < 2:
        return None
    step = max(1, -(-len(complete) // MOST))
    with quiet_optuna():
        whole = optuna.create_study(direction=direction)
        whole.add_trials([_of_first(trial) for trial in complete])
        thinned = whole
        if step > 1:
            thinned = optuna.create_study(direction=direction)
            thinned.add_trials([_of_first(trial) for trial in complete[::step]])
        variance = _shares(thinned, lambda: FanovaImportanceEvaluator(seed=0))
        best = _shares(whole, PedAnovaImportanceEvaluator)
    return Importance(variance, best, len(complete)) if variance or best else None


def _of_first(trial: FrozenTrial) -> FrozenTrial:
    return optuna.trial.create_trial(params=trial.params, distributions=trial.distributions, value=trial.values[0])


def _shares(
    study: optuna.Study, make: Callable[[], FanovaImportanceEvaluator | PedAnovaImportanceEvaluator]
) -> dict[str, float]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # for a hyperparameter that few trials have
            shares = optuna.importance.get_param_importances(study, evaluator=make())
    except (RuntimeError, ValueError):  # no hyperparameter varies enough
        return {}
    return {name: float(share) for name, share in sorted(shares.items(), key=lambda item: (-item[1], item[0]))}
