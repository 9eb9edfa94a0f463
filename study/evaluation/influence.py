"""Metrics as means over examples: the contribution of each example, for resampling and comparison.

`study.evaluation.statistics` works on tables of these values.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from engine.activations import Array
from engine.metrics import METRICS, jackknife, labels
from engine.worker_data import Fold, restore_pairs
from study.ledger.confirmation import Part


def example_values(metric: str, Y: Array, A: Array) -> Array:
    """Return a number for each example, (m,) float64, whose mean is the metric.

    For accuracy, log loss and MAE it is the example's own score. The other metrics are smooth functions of means; their
    number is the metric plus the example's influence on it, which is the derivative with respect to the example's
    weight (the infinitesimal jackknife: Jaeckel 1972; Efron & Tibshirani 1993, chapter 21; for AUC, the placements of
    DeLong et al. 1988).

    With folds, Y and A contain the examples of all folds, and the metric and its influences are those of all examples
    together. If the metric is undefined, every value is NaN.

    Args:
        metric: a name in `engine.metrics.METRICS`.
        Y: (n_y, m), the truth.
        A: (n_y, m), predictions.
    """
    if METRICS[metric].why_undefined(Y):
        return np.full(Y.shape[1], np.nan)
    value = METRICS[metric].compute(Y, A)
    values: Array = value + _influence_of(metric)(Y, A)
    return values


def largest_weight(metric: str, Y: Array) -> float:
    """Return the largest weight that a single example has in a metric.

    It is 1/m in a mean over examples. Metrics that average over K classes give the examples of class k the weight
    1/(K m_k), which is largest for the rarest class.

    Args:
        metric: a name in `engine.metrics.METRICS`.
        Y: (n_y, m), the truth.
    """
    if metric not in ("balanced_accuracy", "f1", "auc"):
        return 1 / int(Y.shape[1])
    counts = np.unique(labels(Y), return_counts=True)[1]
    return 1 / (len(counts) * int(counts.min()))


def _influence_of(metric: str) -> Callable[[Array, Array], Array]:
    given = METRICS[metric].influence or _INFLUENCE.get(metric)
    return partial(jackknife, METRICS[metric].compute) if given is None else given


def truth_of(folds: Sequence[Fold], part: Part) -> Array:
    """Return the truth of the examples that are predicted, (n_y, m); see `score_table`."""
    return folds[0].dev_Y if part == "confirm" else np.concatenate([fold.dev_Y for fold in folds], axis=1)


def score_table(metric: str, folds: Sequence[Fold], part: Part, predictions: Array) -> Array:
    """Return the values of single examples by seed, (S, m), whose mean is the mean of the metric over seeds.

    With folds, each example is predicted by the network of the fold whose dev data contain it, and the metric is
    computed over all examples together.

    Args:
        metric: a name in `engine.metrics.METRICS`.
        folds: the predicted examples, as the dev data of the folds; a single one without folds.
        part: the split that they belong to; for "confirm", all folds have the same examples.
        predictions: (S, n_y, M), with the examples of all folds concatenated.
    """
    return np.stack([values_of(metric, part, restore_pairs(folds, A)) for A in predictions])


def values_of(metric: str, part: Part, pairs: Sequence[tuple[Array, Array]]) -> Array:
    """Return the values of single examples, (m,), of the targets and predictions (Y, A) of each fold."""
    if part == "confirm":
        values: Array = np.mean([example_values(metric, *pair) for pair in pairs], axis=0)
        return values
    return example_values(metric, *(np.concatenate(arrays, axis=1) for arrays in zip(*pairs, strict=True)))


def _accuracy(Y: Array, A: Array) -> Array:
    return _centred(labels(Y) == labels(A))


def _log_loss(Y: Array, A: Array) -> Array:
    tiny = np.finfo(A.dtype).eps
    P = np.clip(A.astype(np.float64), tiny, 1 - tiny)
    if len(P) == 1:
        P, Y = np.vstack([1 - P, P]), np.vstack([1 - Y, Y])
    return _centred(-np.log(np.sum(P * Y, axis=0) / P.sum(axis=0)))


def _mae(Y: Array, A: Array) -> Array:
    return _centred(np.abs(Y.astype(np.float64) - A).mean(axis=0))


def _rmse(Y: Array, A: Array) -> Array:
    squares = np.square(Y.astype(np.float64) - A).mean(axis=0)
    root = np.sqrt(squares.mean())
    influence: Array = _centred(squares) / (2 * root) if root else np.zeros(len(squares))
    return influence


def _r2(Y: Array, A: Array) -> Array:
    Y = Y.astype(np.float64)
    spread = np.square(Y - Y.mean(axis=1, keepdims=True))
    left = np.square(Y - A)
    total = spread.mean(axis=1, keepdims=True)
    share = left.mean(axis=1, keepdims=True) / total
    influence: Array = ((share * spread - left) / total).mean(axis=0)  # d(1 − L/S) = (L/S dS − dL) / S
    return influence


def _balanced_accuracy(Y: Array, A: Array) -> Array:
    truth, right = labels(Y), (labels(Y) == labels(A)).astype(np.float64)
    influence = np.zeros(len(truth))
    classes = np.unique(truth)
    for k in classes:
        inside = truth == k
        influence[inside] = _centred(right[inside]) * len(truth) / (inside.sum() * len(classes))
    return influence


def _f1(Y: Array, A: Array) -> Array:
    truth, guess = labels(Y), labels(A)
    influence = np.zeros(len(truth))
    classes = np.union1d(truth, guess)
    for k in classes:
        hit, named = (truth == k) & (guess == k), (truth == k).astype(np.float64) + (guess == k)
        score = 2 * hit.sum() / named.sum()
        influence += (2 * hit - score * named) / named.mean() / len(classes)  # d(2h/n) = (2 dh − (2h/n) dn) / n
    return influence


def _auc(Y: Array, A: Array) -> Array:
    influence, areas = np.zeros(Y.shape[1]), 0
    for y, a in zip(Y.astype(bool), A, strict=True):
        if not y.any() or y.all():
            continue
        areas += 1
        # The placement of a positive is the share of negatives ranked below it, with ties counted half, and vice versa.
        for inside, sign in ((y, 1), (~y, -1)):
            others = np.sort(sign * a[~inside])
            mine = sign * a[inside]
            placement = (np.searchsorted(others, mine, "left") + np.searchsorted(others, mine, "right")) / 2
            influence[inside] += _centred(placement / len(others)) * len(y) / inside.sum()
    return influence / max(areas, 1)


def _centred(values: Array) -> Array:
    values = values.astype(np.float64)
    centred: Array = values - values.mean()
    return centred


_INFLUENCE: dict[str, Callable[[Array, Array], Array]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _f1,
    "auc": _auc,
    "log_loss": _log_loss,
    "rmse": _rmse,
    "mae": _mae,
    "r2": _r2,
}
