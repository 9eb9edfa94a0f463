"""Metrics of predictions. They only need NumPy, since workers compute them.

Arrays are as in the engine: Y and A are (n_y, m); Y is 0/1, one-hot columns, or real values in their own unit. Whether
a metric is defined depends only on Y. If it is undefined, `compute` returns NaN, `why_undefined` returns the reason,
and `measure` returns None, which is the recorded value.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.arrays import Array, IntArray
from engine.registry import Registry

Direction = Literal["maximize", "minimize"]
MetricTask = Literal["classification", "regression"]


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: name in a spec.
        direction: "maximize" or "minimize".
        task: "classification" or "regression".
        compute: `compute(Y, A)` returns the value, or NaN if it is undefined.
        title: name in text and charts.
        why_undefined: `why_undefined(Y)` returns the reason if the metric is undefined on these examples, else None.
        influence: `influence(Y, A)` returns the derivative of the metric with respect to the weight of each example,
            (m,), with mean 0. For a mean over examples, it is each example's value minus the mean. None means the
            jackknife, which computes the metric once per example.
        low, high: smallest and largest possible value, at which confidence intervals are cut off.
        version: an integer or a string, part of the identity of studies that name the metric. It must change when the
            metric does.
    """

    name: str
    direction: Direction
    task: MetricTask
    compute: Callable[[Array, Array], float]
    title: str
    why_undefined: Callable[[Array], str | None] = lambda _: None
    influence: Callable[[Array, Array], Array] | None = None
    low: float = -math.inf
    high: float = math.inf
    version: int | str = 1


def labels(A: Array) -> IntArray:
    """Return the most probable class of each column; for a single output, 1 if it is at least 0.5."""
    chosen: IntArray = (A[0] >= 0.5).astype(np.int64) if A.shape[0] == 1 else np.argmax(A, axis=0)
    return chosen


def _accuracy(Y: Array, A: Array) -> float:
    return float(np.mean(labels(Y) == labels(A)))


def _confusion(Y: Array, A: Array) -> IntArray:
    """Return the confusion matrix: numbers of examples by true class (row) and predicted class (column)."""
    classes = max(2, len(Y))
    counts = np.bincount(labels(Y) * classes + labels(A), minlength=classes * classes)
    return counts.reshape(classes, classes)


def _one_class(Y: Array) -> str | None:
    """Return "one class" if all examples are of one class, in which case discrimination cannot be measured."""
    given = labels(Y)
    return "one class" if not len(given) or (given == given[0]).all() else None


def _one_value(Y: Array) -> str | None:
    """Return "one value" if a target is constant, in which case R² would divide by 0."""
    return None if Y.shape[1] and (Y[:, :1] != Y).any(axis=1).all() else "one value"


def _balanced_accuracy(Y: Array, A: Array) -> float:
    if _one_class(Y):
        return float("nan")
    counts = _confusion(Y, A)
    there = counts.sum(axis=1)
    return float(np.mean((counts.diagonal() / np.maximum(there, 1))[there > 0]))


def _f1(Y: Array, A: Array) -> float:
    if _one_class(Y):
        return float("nan")
    counts = _confusion(Y, A)
    seen = counts.sum(axis=0) + counts.sum(axis=1)
    return float(np.mean((2 * counts.diagonal() / np.maximum(seen, 1))[seen > 0]))


def _auc(Y: Array, A: Array) -> float:
    # The probability that a positive example is ranked above a negative one, where ties count half (Mann and Whitney,
    # 1947). With several classes, it is the mean over each class against the rest, without absent classes.
    areas = []
    for y, a in zip(Y.astype(bool), A, strict=True):
        above, below = np.sort(a[y]), np.sort(a[~y])
        if not len(above) or not len(below):
            continue
        pairs = np.searchsorted(below, above, "left").sum() + np.searchsorted(below, above, "right").sum()
        areas.append(pairs / 2 / (len(above) * len(below)))
    return float(np.mean(areas)) if areas else float("nan")


def _log_loss(Y: Array, A: Array) -> float:
    tiny = np.finfo(A.dtype).eps
    P = np.clip(A.astype(np.float64), tiny, 1 - tiny)
    if len(P) == 1:
        P, Y = np.vstack([1 - P, P]), np.vstack([1 - Y, Y])
    return float(-np.mean(np.log(np.sum(P * Y, axis=0) / P.sum(axis=0))))


def _rmse(Y: Array, A: Array) -> float:
    return float(np.sqrt(np.mean(np.square(Y.astype(np.float64) - A))))


def _mae(Y: Array, A: Array) -> float:
    return float(np.mean(np.abs(Y.astype(np.float64) - A)))


def _r2(Y: Array, A: Array) -> float:
    if _one_value(Y):
        return float("nan")
    Y = Y.astype(np.float64)
    spread = np.sum(np.square(Y - Y.mean(axis=1, keepdims=True)), axis=1)
    left = np.sum(np.square(Y - A), axis=1)
    return float(np.mean(1 - left / spread))


METRICS = Registry[Metric](
    "metric",
    (
        Metric("accuracy", "maximize", "classification", _accuracy, "accuracy"),
        Metric("balanced_accuracy", "maximize", "classification", _balanced_accuracy, "balanced accuracy", _one_class),
        Metric("f1", "maximize", "classification", _f1, "F1 (macro)", _one_class),
        Metric("auc", "maximize", "classification", _auc, "AUC", _one_class),
        Metric("log_loss", "minimize", "classification", _log_loss, "log loss", low=0.0),
        Metric("rmse", "minimize", "regression", _rmse, "RMSE", low=0.0),
        Metric("mae", "minimize", "regression", _mae, "MAE", low=0.0),
        Metric("r2", "maximize", "regression", _r2, "R²", _one_value, high=1.0),
    ),
    reserved=("cost", "parameters", "work"),
)
_BUILT_IN = tuple(METRICS.values())


def metrics_for(task: str, named: Iterable[str] = ()) -> list[Metric]:
    """Return the metrics of a task: the built-in ones, and the registered ones that are named.

    Registered metrics that are not named are left out, so that the records of a study depend only on its spec.

    Args:
        task: "binary", "multiclass" or "regression".
        named: names of metrics; others are ignored.
    """
    kind = "regression" if task == "regression" else "classification"
    added = METRICS.added(named)
    return [metric for metric in (*_BUILT_IN, *added) if metric.task == kind]


def jackknife(compute: Callable[[Array, Array], float], Y: Array, A: Array) -> Array:
    """Return the influence of each example on a metric, (m,), from the value without that example.

    The value without example i is the metric − influence_i / (m − 1) (Efron and Stein, 1981). If it is undefined, for
    instance without the only example of a class, the value with all examples is used.
    """
    m = Y.shape[1]
    if m < 2:
        return np.zeros(m)
    left = np.array([compute(np.delete(Y, i, axis=1), np.delete(A, i, axis=1)) for i in range(m)])
    left = np.where(np.isfinite(left), left, compute(Y, A))
    influence: Array = (m - 1) * (left.mean() - left)
    return influence


def measure(name: str, Y: Array, A: Array) -> float | None:
    """Return a metric of predictions; None if it is undefined.

    Raises:
        ValueError: if the metric is not registered in this process.
    """
    return measure_metric(METRICS.find(name), Y, A)


def measure_metric(metric: Metric, Y: Array, A: Array) -> float | None:
    """Return a metric of predictions; None where it is undefined."""
    return None if metric.why_undefined(Y) else metric.compute(Y, A)
