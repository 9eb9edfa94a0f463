"""How much each hyperparameter matters: the share of the dev value's variation that it explains."""

import optuna
from optuna.importance import FanovaImportanceEvaluator
from optuna.study import StudyDirection

from study.ledger import STATES, Ledger, quiet_optuna

LEAST = 4  # complete trials; fewer say nothing
FEW = 40  # complete trials under which the shares are rough
TREES = 64


def find_importance(ledger: Ledger, seed: int = 0) -> dict[str, float]:
    """Return the importance of the hyperparameters that all complete trials have, largest first.

    Functional analysis of variance over a random forest (Hutter, Hoos & Leyton-Brown, 2014), by Optuna. With several
    objectives it is that of the first. Empty where there are too few trials, or nothing differs.
    """
    complete = [t for t in ledger.trials() if STATES[t.state] == "complete"]
    if len(complete) < LEAST or len({t.values[0] for t in complete}) < 2:
        return {}
    with quiet_optuna():
        study = optuna.create_study(direction=StudyDirection[ledger.direction.upper()])
        study.add_trials(
            [
                optuna.trial.create_trial(params=t.params, distributions=t.distributions, value=t.values[0])
                for t in complete
            ]
        )
        found = optuna.importance.get_param_importances(
            study, evaluator=FanovaImportanceEvaluator(n_trees=TREES, seed=seed)
        )
    return {name: float(share) for name, share in found.items()}
