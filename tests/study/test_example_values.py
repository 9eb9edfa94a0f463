"""A metric as a mean over examples: the mean is the metric, and an example's part is what one more of it would add."""

import numpy as np
import pytest

from engine.activations import Array
from engine.metrics import METRICS
from study.evaluation.influence import example_values

M = 400


def predictions(metric: str, classes: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(5)
    if METRICS[metric].task == "regression":
        Y = rng.standard_normal((1, M))
        return Y, 0.7 * Y + 0.5 * rng.standard_normal((1, M))
    labels = rng.choice(classes, M, p=np.arange(1, classes + 1) / sum(range(1, classes + 1)))
    if classes == 2:
        Z = 2 * labels - 1 + rng.standard_normal(M)
        return labels[None].astype(float), 1 / (1 + np.exp(-np.round(Z[None], 1)))  # rounded, so that there are ties
    Y = np.eye(classes)[labels].T
    Z = np.exp(2 * Y + rng.standard_normal(Y.shape))
    return Y, Z / Z.sum(axis=0)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("metric", METRICS)
def test_the_mean_is_the_metric_and_each_part_its_derivative(metric: str, classes: int) -> None:
    Y, A = predictions(metric, classes)
    values = example_values(metric, Y, A)
    whole = METRICS[metric].compute(Y, A)
    assert values.shape == (M,)
    assert values.mean() == pytest.approx(whole, abs=1e-12)
    for i in (0, 1, 2, 50, 399):
        more = np.append(np.arange(M), i)
        change = (M + 1) * (METRICS[metric].compute(Y[:, more], A[:, more]) - whole)
        assert change == pytest.approx(values[i] - whole, abs=0.05 * max(1.0, abs(values[i] - whole)))


def test_accuracy_and_mean_losses_are_the_examples_own_scores() -> None:
    Y, A = np.array([[0.0, 1.0, 1.0]]), np.array([[0.2, 0.4, 0.9]])
    assert example_values("accuracy", Y, A) == pytest.approx([1, 0, 1])
    assert example_values("log_loss", Y, A) == pytest.approx(-np.log([0.8, 0.4, 0.9]))
    assert example_values("mae", Y, A) == pytest.approx([0.2, 0.6, 0.1])


@pytest.mark.parametrize("metric", ["rmse", "r2", "auc", "f1", "balanced_accuracy"])
def test_perfect_predictions_leave_nothing_to_differ(metric: str) -> None:
    Y = np.array([[0.0, 1.0, 1.0, 0.0]])
    assert np.ptp(example_values(metric, Y, Y)) == 0
