"""What is fitted to a final model after training: a temperature for its probabilities, and a rule for its classes.

Both are fitted to predictions for examples that the networks were not trained on: those of `study confirm`, averaged
over its networks, or else those of the trial in the search.
"""

from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import Array
from engine.worker_data import restore_pairs
from study.data import Dataset
from study.errors import UserError
from study.evaluation.calibration import adjust, calibrate, class_probabilities
from study.evaluation.decision import choose_costs, decided
from study.evaluation.out_of_sample import OutOfSample, out_of_sample
from study.ledger.test_evaluation import Calibration
from study.search.objective import folds_of
from study.search.search_space import class_weight_of, complete
from study.search.session import StudySession


@dataclass(frozen=True, eq=False)
class Adjustment:
    """What the averaged outputs of the networks go through.

    Attributes:
        calibration: calibration of the probabilities; None for regression, or without predictions to fit it to.
        priors: (K,), the share of each class in train, if the networks were trained with balanced class weights, whose
            effect on the probabilities is undone; else None.
        temperature: temperature of the probabilities; 1 leaves them as they are.
        costs: (K, K), costs of errors; None predicts the most probable class.
    """

    calibration: Calibration | None = None
    priors: Array | None = None
    temperature: float = 1.0
    costs: Array | None = None

    def outputs(self, A: Array) -> Array:
        """Return adjusted outputs of the networks, (n_y, m)."""
        if self.temperature == 1 and self.priors is None:
            return A
        P = adjust(class_probabilities(A), self.priors, self.temperature)
        return P[1:] if len(A) == 1 else P

    def decisions(self, A: Array) -> Array | None:
        """Return the predicted classes of adjusted outputs as outputs, (n_y, m); None for the most probable ones."""
        return None if self.costs is None else decided(A, class_probabilities(A), self.costs)


def fit_adjustment(session: StudySession, dataset: Dataset, trial: int) -> Adjustment:
    """Return the adjustment of a final model; test rows are not needed, and not read.

    Args:
        session: the study.
        dataset: its `train` is what the networks are trained on.
        trial: number of the trial whose configuration the networks have.

    Raises:
        UserError: [final] costs does not have a row for each class.
    """
    final = session.spec.final
    if dataset.task == "regression":
        if final.costs is not None:
            raise UserError("[final] costs is for classification, but the target is numeric; remove it")
        return Adjustment()
    costs = None if final.costs is None else np.array(final.costs)
    if costs is not None and len(costs) != len(dataset.classes):
        classes = ", ".join(map(repr, dataset.classes))
        raise UserError(f"[final] costs must have a row for each of the classes {classes}, got {len(costs)} rows")
    priors = class_probabilities(dataset.train.Y).mean(axis=1)
    balanced = class_weight_of(complete(session.spec.space, session.summary.row(trial).params)) == "balanced"
    adjustment = Adjustment(priors=priors if balanced else None, costs=costs)
    found = out_of_sample(session, trial)
    if found is None:
        return adjustment
    Y, A = _truth_and_average(session, found)
    calibration = calibrate(Y, adjustment.outputs(A))
    temperature = calibration.temperature if final.calibrate else 1.0
    adjustment = replace(adjustment, calibration=calibration, temperature=temperature)
    if costs is None:
        adjustment = replace(adjustment, costs=choose_costs(session.summary.metric, Y, adjustment.outputs(A), priors))
    return adjustment


def _truth_and_average(session: StudySession, found: OutOfSample) -> tuple[Array, Array]:
    """Return truth and averaged predictions, (n_y, m)."""
    folds = folds_of(session.objective.datasets, found.part)
    pairs = restore_pairs(folds, found.predictions.astype(np.float64).mean(axis=0))
    Y, A = (np.concatenate(arrays, axis=1) for arrays in zip(*pairs, strict=True))
    return Y, A
