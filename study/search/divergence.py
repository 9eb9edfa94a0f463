"""Detection of networks that have diverged although their values are finite, by the size of their error.

Their error is compared with that of the constant prediction, which ignores X: the mean of the target on train, or the
class frequencies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.activations import Array
from engine.metrics import METRICS, metrics_for
from engine.worker_data import Fold, restore_pairs
from study.data.dataset import Task

FAR = 100.0  # times the error of the constant prediction


@dataclass(frozen=True)
class ConstantPrediction:
    """The metrics of the constant prediction on a split.

    Attributes:
        metrics: values by name.
        size: the error that counts as normal: for a regression, the larger RMSE of train and the split; otherwise the
            log loss of equal probabilities.
    """

    metrics: Mapping[str, float]
    size: float

    @classmethod
    def on(cls, folds: Sequence[Fold], task: Task, named: Sequence[str] = ()) -> "ConstantPrediction":
        """Return the metrics on the predicted examples of all folds together; see `metrics_for` for `named`."""
        dev = _constant([(fold, fold.dev_Y) for fold in folds])
        metrics = {metric.name: metric.compute(*dev) for metric in metrics_for(task, named)}
        if task != "regression":
            return cls(metrics, float(np.log(max(2, len(dev[0])))))
        train = _constant([(fold, fold.train_Y) for fold in folds])
        return cls(metrics, max(metrics["rmse"], METRICS["rmse"].compute(*train)))

    def why_diverged(self, metric: str, values: Mapping[str, float], part: str = "dev") -> str | None:
        """Return why a network counts as diverged, with a remedy; None if it does not.

        Args:
            metric: the metric that is compared. A network that beats the constant prediction has not diverged.
            values: metrics of the network on the split, and "cost" for a classification.
            part: name of the split, for the reason.
        """
        size = "rmse" if "rmse" in values else "cost"
        sign = 1 if METRICS[metric].direction == "maximize" else -1
        if sign * (values[metric] - self.metrics[metric]) > 0 or not values.get(size, 0.0) > FAR * self.size:
            return None
        what = "RMSE" if size == "rmse" else "cost"
        than = "the mean" if size == "rmse" else "equal probabilities"
        return (
            f"diverged: {what} on {part} is {values[size]:.3g}, and predicting {than} gives {self.size:.3g}; "
            "a lower learning_rate would help"
        )

    def why_predictions_diverged(self, folds: Sequence[Fold], metric: str, predictions: Array, part: str) -> str | None:
        """Return why one of several networks counts as diverged, by its predictions; None if none does.

        Probabilities are bounded, so a classifier with finite predictions never counts as diverged.

        Args:
            folds: the predicted examples, as the dev data of the folds.
            metric: the metric that is compared.
            predictions: A[L] of each network, (S, n_y, M), with the examples of all folds concatenated.
            part: name of the split, for the reason.
        """
        if not np.isfinite(predictions).all():
            return "predicts values that are not finite"
        if "rmse" not in self.metrics:
            return None
        for A in predictions:
            pair = [np.concatenate(arrays, axis=1) for arrays in zip(*restore_pairs(folds, A), strict=True)]
            values = {name: METRICS[name].compute(*pair) for name in ("rmse", metric)}
            if reason := self.why_diverged(metric, values, part):
                return reason
        return None


def _constant(given: Sequence[tuple[Fold, Array]]) -> tuple[Array, Array]:
    """Return the targets of several folds and the constant predictions for them, in the unit of the table."""
    Y = [fold.unit.restore(Y) for fold, Y in given]
    means = [np.broadcast_to(fold.train_Y.mean(axis=1, keepdims=True), Y.shape) for fold, Y in given]
    A = [fold.unit.restore(mean) for (fold, _), mean in zip(given, means, strict=True)]
    return np.concatenate(Y, axis=1), np.concatenate(A, axis=1)
