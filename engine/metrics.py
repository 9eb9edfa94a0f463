"""Metrics of predictions, in NumPy alone, since workers compute them.

Arrays are as in the engine: Y and A are (n_y, m); Y is 0/1, one-hot columns, or real values in their own unit. Whether
a metric has a value depends on Y alone: where it has none, `compute` returns NaN, `why_undefined` the reason, and
`measure` None, which is what is recorded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.arrays import Array, IntArray


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: as written in a spec.
        direction: "maximize" or "minimize".
        task: "classification" or "regression".
        compute: `compute(Y, A)` returns the value, NaN where it is undefined.
        title: the name in text and charts.
        why_undefined: `why_undefined(Y)` returns why the metric has no value on these examples; None where it has one.
    """

    name: str
    direction: Literal["maximize", "minimize"]
    task: Literal["classification", "regression"]
    compute: Callable[[Array, Array], float]
    title: str
    why_undefined: Callable[[Array], str | None] = lambda _: None


def labels(A: Array) -> IntArray:
    """Return the class of each column: that with the largest probability; 1 from 0.5 on if there is a single output."""
    chosen: IntArray = (A[0] >= 0.5).astype(np.int64) if A.shape[0] == 1 else np.argmax(A, axis=0)
    return chosen


def _accuracy(Y: Array, A: Array) -> float:
    return float(np.mean(labels(Y) == labels(A)))


def _confusion(Y: Array, A: Array) -> IntArray:
    """Return the confusion matrix: how many examples of each class (row) were predicted as each class (column)."""
    classes = max(2, len(Y))
    counts = np.bincount(labels(Y) * classes + labels(A), minlength=classes * classes)
    return counts.reshape(classes, classes)


def _one_class(Y: Array) -> str | None:
    """Return "one class" if all examples are of one class, so that the metric cannot show any discrimination."""
    given = labels(Y)
    return "one class" if not len(given) or (given == given[0]).all() else None


def _one_value(Y: Array) -> str | None:
    """Return "one value" if a target does not vary, so that R² would divide by 0."""
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
    # Probability that a positive example is ranked above a negative one, with ties counted half (Mann and Whitney,
    # 1947); with several classes the mean of each against the rest, without those that are absent or alone.
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


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "maximize", "classification", _accuracy, "accuracy"),
        Metric("balanced_accuracy", "maximize", "classification", _balanced_accuracy, "balanced accuracy", _one_class),
        Metric("f1", "maximize", "classification", _f1, "F1 (macro)", _one_class),
        Metric("auc", "maximize", "classification", _auc, "AUC", _one_class),
        Metric("log_loss", "minimize", "classification", _log_loss, "log loss"),
        Metric("rmse", "minimize", "regression", _rmse, "RMSE"),
        Metric("mae", "minimize", "regression", _mae, "MAE"),
        Metric("r2", "maximize", "regression", _r2, "R²", _one_value),
    )
}


def metrics_for(task: str) -> list[Metric]:
    """Return the metrics of a task: "binary", "multiclass" or "regression"."""
    kind = "regression" if task == "regression" else "classification"
    return [metric for metric in METRICS.values() if metric.task == kind]


def measure(name: str, Y: Array, A: Array) -> float | None:
    """Return a metric of predictions; None where it is undefined."""
    metric = METRICS[name]
    return None if metric.why_undefined(Y) else metric.compute(Y, A)
