"""Which hyperparameters mattered: two estimates of Optuna's, from the complete trials.

fANOVA (Hutter, Hoos and Leyton-Brown, 2014) says which share of the variance of the value each hyperparameter explains;
it takes those that all trials have. PED-ANOVA (Watanabe, Bansal and Hutter, 2023) says which ones set the best tenth
apart from the rest, those that only some trials have (units of a second layer) included.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import optuna
from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from study.ledger.ledger import quiet_optuna

LEAST, FEW = 10, 40  # complete trials below which nothing is said, and below which it is said with a caution
MOST = 400  # complete trials that the trees of fANOVA are grown from; with 2,000 they take 16 seconds


@dataclass(frozen=True)
class Importance:
    """Shares by hyperparameter, each 0 to 1.

    Attributes:
        variance: fANOVA's, the largest first.
        best: PED-ANOVA's.
        trials: complete trials that they stand on.
    """

    variance: dict[str, float]
    best: dict[str, float]
    trials: int

    @property
    def names(self) -> list[str]:
        """All hyperparameters, those that explain most first."""
        return [*self.variance, *(name for name in self.best if name not in self.variance)]

    @property
    def few(self) -> bool:
        """Whether the trials are too few to rely on it."""
        return self.trials < FEW


def estimate(trials: list[FrozenTrial], direction: StudyDirection) -> Importance | None:
    """Estimate importances from the complete trials; None where they are too few, or all alike.

    Of several objectives the first counts.
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
            warnings.simplefilter("ignore", UserWarning)  # a hyperparameter that few trials have, as units of layer 3
            shares = optuna.importance.get_param_importances(study, evaluator=make())
    except (RuntimeError, ValueError):  # no hyperparameter varies, or too little does
        return {}
    return {name: float(share) for name, share in sorted(shares.items(), key=lambda item: (-item[1], item[0]))}
