"""Metrics from scikit-learn's scorers. This module imports scikit-learn, so it is only imported if a scorer is used."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer

from engine.arrays import Array, IntArray
from engine.metric_functions import by_example, normalized
from engine.metrics import MetricTask, labels

Scorer = Callable[..., float]


@dataclass(frozen=True)
class ScorerMetric:
    """A scorer as a function of the engine's arrays. Scorers expect an estimator, so predictions are wrapped in one.

    Attributes:
        scorer: `scorer(estimator, X, y)` returns the metric.
        task: "classification" or "regression".
    """

    scorer: Scorer
    task: MetricTask

    def __call__(self, Y: Array, A: Array) -> float:
        """Return the metric."""
        if not np.isfinite(A).all():
            return math.nan
        if self.task == "classification":
            return float(self.scorer(_Classifier(max(2, len(Y))), normalized(A).T, labels(Y)))
        return float(self.scorer(_Regressor(), A.T, by_example(Y)))


def find_scorer(given: object) -> Scorer:
    """Return the given scorer, or the one of this name.

    Raises:
        ValueError: if scikit-learn has no scorer of this name.
    """
    try:
        return cast("Scorer", get_scorer(given) if isinstance(given, str) else given)
    except ValueError:
        raise ValueError(
            f"scorer {given!r} is unknown; sklearn.metrics.get_scorer_names() lists the scorers of scikit-learn"
        ) from None


class _Classifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A classifier whose predictions are its X, the network's outputs with examples as rows."""

    def __init__(self, classes: int) -> None:
        self.classes = classes

    @property
    def classes_(self) -> IntArray:
        return np.arange(self.classes)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: Array) -> IntArray:
        return labels(X.T)

    def predict_proba(self, X: Array) -> Array:
        return np.hstack([1 - X, X]) if X.shape[1] == 1 else X


class _Regressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor whose predictions are its X."""

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: Any) -> Array:
        return by_example(X.T)
