"""Networks that diverge and stay finite: their trials fail with a reason; those that are merely bad do not."""

from pathlib import Path

import numpy as np
import pytest
from support.in_process import run_local

from engine.worker_data import Fold, Unit
from study.search.divergence import FAR, ConstantPrediction

# Gradient descent on squared errors multiplies the error by about 1 - learning_rate · λ in each iteration.
GROWS = """
name = "grows"
baselines.enabled = false
[data]
source = "table.csv"
target = "y"
task = "regression"
[space]
learning_rate = [0.1, 20.0]
iterations = 12
depth = 0
optimizer = "gradient_descent"
[search]
trials = 2
sampler = "grid"
"""


def write_regression(folder: Path) -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(80, 3))
    y = 5 * x.sum(axis=1) + generator.normal(size=80) + 40
    rows = [",".join(map(repr, map(float, [*row, value]))) for row, value in zip(x, y, strict=True)]
    (folder / "table.csv").write_text("\n".join(["a,b,c,y", *rows]))


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2"])
def test_a_finite_network_far_worse_than_the_mean_has_diverged(tmp_path: Path, metric: str) -> None:
    write_regression(tmp_path)
    summary = run_local(GROWS + f'metric = "{metric}"', tmp_path)
    failed, complete = sorted(summary.trials, key=lambda row: row.state == "complete")
    assert (failed.state, complete.state) == ("failed", "complete")
    assert failed.params["learning_rate"] == 20.0
    assert failed.value is None
    assert failed.metrics["dev_rmse"] > 1e6  # what it came to is kept
    assert failed.reason is not None
    assert failed.reason.startswith("diverged: RMSE on dev is ")
    assert failed.reason.endswith("; a lower learning_rate would help")
    assert summary.best == complete


def regression(metric_y: list[float], log1p: bool = False) -> tuple[list[Fold], ConstantPrediction]:
    Y = np.array([metric_y])
    folds = [Fold(np.zeros((1, 4)), Y[:, :4], np.zeros((1, Y.shape[1])), Y, Unit(10.0, 2.0, log1p))]
    return folds, ConstantPrediction.on(folds, "regression")


def test_the_constant_prediction_is_the_mean_of_train_in_the_unit_of_the_table() -> None:
    _, constant = regression([0.0, 2.0, 0.0, 2.0, 5.0])
    predicted, real = 10 + 2 * 1.0, np.array([10, 14, 10, 14, 20])
    assert constant.metrics["rmse"] == pytest.approx(np.sqrt(np.mean((real - predicted) ** 2)))
    assert constant.metrics["mae"] == pytest.approx(np.mean(abs(real - predicted)))


def test_a_network_that_is_of_use_by_its_metric_has_not_diverged() -> None:
    _, constant = regression([0.0, 2.0, 0.0, 2.0, 1.0])
    far = 2 * FAR * constant.size
    assert constant.why_diverged("mae", {"rmse": far, "mae": constant.metrics["mae"] / 2}) is None
    assert constant.why_diverged("mae", {"rmse": far, "mae": constant.metrics["mae"] * 2}) is not None
    assert constant.why_diverged("rmse", {"rmse": constant.size * FAR / 2, "mae": 1.0}) is None


def test_one_network_of_several_that_is_far_off_is_found() -> None:
    folds, constant = regression([0.0, 2.0, 0.0, 2.0, 1.0])
    good = np.ones((3, 1, 5))
    bad = good.copy()
    bad[2] *= 1e5
    assert constant.why_predictions_diverged(folds, "rmse", good, "confirm") is None
    assert "RMSE on confirm is 2e+05" in str(constant.why_predictions_diverged(folds, "rmse", bad, "confirm"))
    bad[2, 0, 1] = np.inf
    assert constant.why_predictions_diverged(folds, "rmse", bad, "confirm") == "predicts values that are not finite"


def test_a_dev_set_that_hits_the_mean_does_not_make_an_ordinary_error_a_large_one() -> None:
    folds = [Fold(np.zeros((1, 2)), np.array([[-1.0, 1.0]]), np.zeros((1, 1)), np.array([[0.0]]))]
    constant = ConstantPrediction.on(folds, "regression")
    assert constant.metrics["rmse"] == 0
    assert constant.why_diverged("rmse", {"rmse": 0.5}) is None


def test_a_classifier_diverges_only_where_it_is_no_better_than_a_constant() -> None:
    Y = np.array([[1.0, 1.0, 1.0, 0.0]])
    folds = [Fold(np.zeros((1, 4)), Y, np.zeros((1, 4)), Y)]
    constant = ConstantPrediction.on(folds, "binary")
    assert constant.metrics["accuracy"] == 0.75
    assert constant.why_diverged("accuracy", {"accuracy": 0.9, "cost": 1e6}) is None
    assert constant.why_diverged("accuracy", {"accuracy": 0.75, "cost": 5.0}) is None
    reason = constant.why_diverged("accuracy", {"accuracy": 0.75, "cost": 1e6})
    assert reason == (
        "diverged: cost on dev is 1e+06, and predicting equal probabilities gives 0.693; "
        "a lower learning_rate would help"
    )
