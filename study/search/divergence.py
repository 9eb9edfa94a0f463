"""Networks that stay finite and have diverged all the same: their predictions are far off for their size alone.

They are compared with the constant prediction, which ignores X: the mean of the target on train, or the shares of the
classes.
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
    """The metrics of the constant prediction on a part.

    Attributes:
        metrics: by name.
        size: of an error that counts as usual: the larger RMSE of train and the part for a regression, else the log
            loss of equal shares.
    """

    metrics: Mapping[str, float]
    size: float

    @classmethod
    def on(cls, folds: Sequence[Fold], task: Task, named: Sequence[str] = ()) -> "ConstantPrediction":
        """Return the metrics on the second part of all folds together; see `metrics_for` for `named`."""
        dev = _constant([(fold, fold.dev_Y) for fold in folds])
        metrics = {metric.name: metric.compute(*dev) for metric in metrics_for(task, named)}
        if task != "regression":
            return cls(metrics, float(np.log(max(2, len(dev[0])))))
        train = _constant([(fold, fold.train_Y) for fold in folds])
        return cls(metrics, max(metrics["rmse"], METRICS["rmse"].compute(*train)))

    def why_diverged(self, metric: str, values: Mapping[str, float], part: str = "dev") -> str | None:
        """Return why a network counts as diverged, with a remedy; None where it does not.

        Args:
            metric: that is compared. Where it is better than that of the constant prediction, the network is of use.
            values: of the network on the part: the metrics, and "cost" of a classification.
            part: its name, for the reason.
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
        """Return why one of several networks counts as diverged, by its predictions; None where none does.

        Probabilities have no size that could be far off, so no classification does.

        Args:
            folds: what was predicted, in the place of dev.
            metric: that is compared.
            predictions: A[L], (S, n_y, M), of each network, those of the folds one after the other.
            part: its name.
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
    """Return targets of several folds and the constant predictions for them, in the unit of the table."""
    Y = [fold.unit.restore(Y) for fold, Y in given]
    means = [np.broadcast_to(fold.train_Y.mean(axis=1, keepdims=True), Y.shape) for fold, Y in given]
    A = [fold.unit.restore(mean) for (fold, _), mean in zip(given, means, strict=True)]
    return np.concatenate(Y, axis=1), np.concatenate(A, axis=1)
