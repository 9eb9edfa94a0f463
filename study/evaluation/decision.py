"""The rule by which a classifier turns probabilities into a class, chosen for the metric of a study.

A rule is a matrix of costs C, (K, K): C[k, j] is the cost of predicting class j for an example of class k, and the
predicted class minimizes the expected cost Σ_k p_k C[k, j] (Elkan 2001). Without costs, the most probable class is
predicted. For two classes, costs are the same as a threshold on the probability of class 1. Probabilities are not
changed by a rule.
"""

from collections.abc import Sequence

import numpy as np

from engine.arrays import Array, IntArray
from engine.metric_functions import FunctionMetric
from engine.metrics import METRICS, Metric, labels
from study.evaluation.calibration import PARTS, class_probabilities
from study.evaluation.influence import example_values

RATIOS = np.geomspace(1 / 16, 16, 65)  # factors of a class's weight that are tried; 1 is one of them
ROUNDS = 3  # over the classes


def choose_costs(metric: str, Y: Array, A: Array, priors: Array) -> Array | None:
    """Return the costs that suit a metric, (K, K), from out-of-sample predictions; None for the most probable class.

    - Balanced accuracy weights classes equally, so with calibrated probabilities it is largest if an error on class k
      costs 1 / prior_k. These costs are used unless they are worse by more than a standard error.
    - For F1 there is no such formula, and probabilities may not be calibrated. So for both, weights of the classes are
      also searched on a grid. They are used if they are better by more than a standard error, in five-fold
      cross-validation.

    Args:
        metric: a name in `engine.metrics.METRICS`; for others than balanced_accuracy and f1, the result is None.
        Y: (n_y, m), 0 and 1, or one-hot columns.
        A: (n_y, m), out-of-sample probabilities.
        priors: (K,), the share of each class in train.
    """
    if metric not in ("balanced_accuracy", "f1") or METRICS[metric].why_undefined(Y):
        return None
    P = class_probabilities(A)
    weights: Array = np.ones(len(P))
    judged = decided(Y, P, None)
    if metric == "balanced_accuracy":
        by_prior = 1 / np.maximum(priors, 1 / (1 + P.shape[1]))
        decisions = decided(Y, P, weight_costs(by_prior))
        gain, error = _gain(metric, Y, judged, decisions)
        if gain >= -error:
            weights, judged = by_prior, decisions
    searched = np.empty_like(judged)
    parts = np.arange(P.shape[1]) % PARTS
    for part in range(PARTS):
        held = parts == part
        found = _search_weights(metric, Y[:, ~held], P[:, ~held], weights)
        searched[:, held] = decided(Y[:, held], P[:, held], weight_costs(found))
    gain, error = _gain(metric, Y, judged, searched)
    if gain > error:
        weights = _search_weights(metric, Y, P, weights)
    return None if (weights == 1).all() else weight_costs(weights)


def _gain(metric: str, Y: Array, before: Array, after: Array) -> tuple[float, float]:
    """Return by how much one set of decisions is better than another, and the standard error of that."""
    gains = example_values(metric, Y, after) - example_values(metric, Y, before)
    return float(gains.mean()), float(gains.std() / max(1, len(gains) - 1) ** 0.5)


def weight_costs(weights: Sequence[float] | Array) -> Array:
    """Return the costs of errors by true class, (K, K): `weights[k]` for every error on class k."""
    w = np.asarray(weights, dtype=np.float64) / np.max(weights)
    costs: Array = w[:, None] * (1 - np.eye(len(w)))
    return costs


def judges_classes(metric: Metric) -> bool:
    """Return whether a metric depends on predicted classes only, and not on probabilities."""
    compute = metric.compute
    own = isinstance(compute, FunctionMetric) and compute.needs == "labels"
    return own or metric.name in ("accuracy", "balanced_accuracy", "f1")


def decide(P: Array, costs: Array | None) -> IntArray:
    """Return the predicted class of each column of P, (K, m), as numbers (m,)."""
    if costs is None:
        return labels(P[1:]) if len(P) == 2 else labels(P)
    expected = costs.T @ P
    # For two classes, class 1 is predicted if both cost the same, as with the threshold 0.5.
    chosen: IntArray = (expected[1] <= expected[0]) * 1 if len(P) == 2 else np.argmin(expected, axis=0)
    return chosen


def decided(Y: Array, P: Array, costs: Array | None) -> Array:
    """Return the decisions as outputs of certainty, (n_y, m), so that metrics of classes can be computed."""
    chosen = decide(P, costs)
    outputs: Array = np.eye(len(P))[:, chosen]
    return outputs[1:] if len(Y) == 1 else outputs


def _search_weights(metric: str, Y: Array, P: Array, weights: Array) -> Array:
    """Return weights of classes that maximize a metric, improved one class at a time, starting from given ones."""

    def value(tried: Array) -> float:
        return METRICS[metric].compute(Y, decided(Y, P, weight_costs(tried)))

    classes = np.arange(len(P))
    best = value(weights)
    for _ in range(ROUNDS):
        before = best
        for k in classes[1:]:  # only ratios of weights matter
            tried = [np.where(classes == k, weights * ratio, weights) for ratio in RATIOS]
            values = [value(each) for each in tried]
            place = int(np.argmax(values))
            if values[place] > best:
                weights, best = tried[place], values[place]
        if best == before:
            break
    return weights
