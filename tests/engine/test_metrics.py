"""Metrics: where one has no value it is None with its reason, and with folds all predictions are scored together."""

from pathlib import Path

import numpy as np
import pytest

from engine import Architecture, start
from engine.activations import Array
from engine.metrics import METRICS, measure
from engine.settings import TrainingSettings
from engine.training_chunk import TrainingChunk, evaluations, mean_value, run_chunk
from engine.worker_data import Fold, write_data

RARE = np.array([[1.0, *[0.0] * 9]])
COMMON = np.zeros((1, 10))
THREE = np.eye(3)[:, [0, 0, 0, 0]]


@pytest.mark.parametrize("metric", ["balanced_accuracy", "f1", "auc"])
@pytest.mark.parametrize("Y", [COMMON, 1 - COMMON, THREE, COMMON[:, :1]])
def test_metrics_that_tell_classes_apart_have_no_value_on_one_class(metric: str, Y: Array) -> None:
    A = np.full(Y.shape, 0.2)
    assert METRICS[metric].why_undefined(Y) == "one class"
    assert measure(metric, Y, A) is None
    assert np.isnan(METRICS[metric].compute(Y, A))


@pytest.mark.parametrize("Y", [np.ones((1, 5)), np.array([[3.0]])])
def test_r2_has_no_value_on_one_value(Y: Array) -> None:
    assert METRICS["r2"].why_undefined(Y) == "one value"
    assert measure("r2", Y, Y) is None
    assert measure("rmse", Y, Y) == 0


@pytest.mark.parametrize("metric", METRICS)
def test_metrics_have_values_elsewhere(metric: str) -> None:
    A = np.full(RARE.shape, 0.2)
    assert METRICS[metric].why_undefined(RARE) is None
    assert np.isfinite(METRICS[metric].compute(RARE, A))


def test_with_folds_metrics_are_of_the_predictions_of_all_folds_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def fold(dev_Y: Array) -> Fold:
        X, Y = rng.standard_normal((2, 20)), (rng.random((1, 20)) < 0.3).astype(float)
        return Fold(X, Y, rng.standard_normal((2, dev_Y.shape[1])), dev_Y)

    write_data(tmp_path, [fold(RARE), fold(COMMON), fold(COMMON[:, :7])])  # two folds of three have one class
    settings = TrainingSettings(learning_rate=0.1, iterations=3)
    state = start(Architecture((2, 2, 1)), settings, seeds=[1, 2, 3])
    outcome = run_chunk(TrainingChunk(0, state, 3, (3,), ("accuracy", "balanced_accuracy", "auc"), str(tmp_path)))
    assert outcome.error is None
    (seen,) = evaluations(outcome.state)
    Y, A = np.concatenate([RARE, COMMON, COMMON[:, :7]], axis=1), np.concatenate(outcome.dev_predictions, axis=1)
    for metric in ("accuracy", "balanced_accuracy", "auc"):
        assert seen[f"dev_{metric}"] == [METRICS[metric].compute(Y, A)]
        assert mean_value(seen, f"dev_{metric}") == METRICS[metric].compute(Y, A)
        assert outcome.train is not None
        assert len(outcome.train[metric]) == 1
    assert len(seen["dev_cost"]) == 3
