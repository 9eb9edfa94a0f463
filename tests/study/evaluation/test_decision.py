"""Rules of decision suit the metric, are thresholds for two classes, and are left out where they do not help."""

import numpy as np
import pytest

from engine.arrays import Array
from engine.metrics import METRICS
from study.evaluation.calibration import class_probabilities
from study.evaluation.decision import choose_costs, decide, decided, weight_costs
from study.ledger.test_evaluation import threshold_of


def rare(m: int = 4000, share: float = 0.02, seed: int = 0) -> tuple[Array, Array, Array]:
    """Return Y, calibrated probabilities, and priors, of a class that is rare."""
    rng = np.random.default_rng(seed)
    z = 1.5 * rng.standard_normal(m) + np.log(share / (1 - share))
    A = (1 / (1 + np.exp(-z)))[None, :]
    Y = (rng.random((1, m)) < A).astype(np.float64)
    return Y, A, np.array([1 - Y.mean(), Y.mean()])


def test_threshold_for_balanced_accuracy_is_the_prior() -> None:
    Y, A, priors = rare()
    costs = choose_costs("balanced_accuracy", Y, A, priors)
    assert costs is not None
    assert threshold_of(costs.tolist()) == pytest.approx(priors[1])
    P = class_probabilities(A)
    assert (decide(P, costs) == (A[0] >= priors[1])).all()
    balanced = METRICS["balanced_accuracy"].compute
    assert balanced(Y, decided(Y, P, costs)) > balanced(Y, A) + 0.1


def test_threshold_for_f1_is_half_of_the_best_f1() -> None:
    """Lipton, Elkan and Naryanaswamy 2014; for the rare class, whose F1 decides here."""
    Y, A, priors = rare(20_000, 0.2)
    costs = choose_costs("f1", Y, A, priors)
    assert costs is not None
    assert 0.25 < (threshold_of(costs.tolist()) or 0) < 0.5
    P = class_probabilities(A)
    assert METRICS["f1"].compute(Y, decided(Y, P, costs)) > METRICS["f1"].compute(Y, A)


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "auc"])
def test_other_metrics_take_the_most_probable_class(metric: str) -> None:
    assert choose_costs(metric, *rare()) is None


def test_probabilities_that_are_not_calibrated_get_a_threshold_of_their_own() -> None:
    Y, A, priors = rare(share=0.1)
    far_off = 0.4 + 0.2 * A  # in the order of A, but all of them far above the prior
    costs = choose_costs("balanced_accuracy", Y, far_off, priors)
    assert costs is not None
    assert 0.41 < (threshold_of(costs.tolist()) or 0) < 0.47
    balanced = METRICS["balanced_accuracy"].compute
    decisions = decided(Y, class_probabilities(far_off), costs)
    assert balanced(Y, decisions) > balanced(Y, decided(Y, class_probabilities(A), weight_costs(1 / priors))) - 0.02


def test_wrong_priors_do_no_harm() -> None:
    Y, A, _ = rare()
    costs = choose_costs("balanced_accuracy", Y, A, np.array([0.001, 0.999]))
    balanced = METRICS["balanced_accuracy"].compute
    assert balanced(Y, decided(Y, class_probabilities(A), costs)) >= balanced(Y, A)


def test_balanced_classes_seldom_get_a_rule_for_f1() -> None:
    found = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        A = rng.random((1, 200))
        Y = (rng.random((1, 200)) < A).astype(np.float64)
        found += choose_costs("f1", Y, A, np.array([0.5, 0.5])) is not None
    assert found <= 3


def test_several_classes_are_weighted_by_priors() -> None:
    rng = np.random.default_rng(1)
    priors = np.array([0.9, 0.07, 0.03])
    truth = rng.choice(3, 3000, p=priors)
    Z = rng.standard_normal((3, 3000)) + 1.5 * np.eye(3)[:, truth] + np.log(priors)[:, None]
    A = np.exp(Z) / np.exp(Z).sum(axis=0)
    Y = np.eye(3)[:, truth]
    costs = choose_costs("balanced_accuracy", Y, A, priors)
    assert costs is not None
    assert threshold_of(costs.tolist()) is None
    assert (decide(A, costs) == (A / priors[:, None]).argmax(axis=0)).all()
    balanced = METRICS["balanced_accuracy"].compute
    assert balanced(Y, decided(Y, A, costs)) > balanced(Y, A) + 0.1


def test_without_costs_the_decision_is_that_of_the_metrics() -> None:
    A = np.array([[0.2, 0.5, 0.8]])
    P = class_probabilities(A)
    assert decide(P, None).tolist() == [0, 1, 1]
    assert decide(P, weight_costs([1, 1])).tolist() == [0, 1, 1]
    assert decide(P, np.array([[0, 1], [5, 0]])).tolist() == [1, 1, 1]
    assert threshold_of([[0, 1], [5, 0]]) == pytest.approx(1 / 6)
