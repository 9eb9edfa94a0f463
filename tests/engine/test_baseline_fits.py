"""Baselines are scikit-learn's models with their defaults, on the data that workers read."""

import sys
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import root_mean_squared_error

from engine import baselines
from engine.arrays import Array
from engine.baselines import BaselineFit, BaselineOutcome
from engine.worker_data import Fold, Unit, pack_data, write_data

CLASSIFIERS = {
    "constant": DummyClassifier(),
    "linear": LogisticRegression(),
    "forest": RandomForestClassifier(random_state=3, n_estimators=10),
    "boosting": HistGradientBoostingClassifier(random_state=3, max_iter=10),
}
REGRESSORS = {
    "constant": DummyRegressor(),
    "linear": Ridge(),
    "forest": RandomForestRegressor(random_state=3, n_estimators=10),
    "boosting": HistGradientBoostingRegressor(random_state=3, max_iter=10),
}
PLAIN = Unit()


def scaled(X: Array) -> Array:
    values: Array = ((X - X.mean(axis=0)) / X.std(axis=0)).astype(np.float32)
    return values


def fold_of(X: Array, Y: Array, dev: slice, unit: Unit = PLAIN, weight: Array | None = None) -> Fold:
    """Return a fold: rows `dev` are dev, all others train."""
    train = np.ones(len(X), dtype=bool)
    train[dev] = False
    given = None if weight is None else weight[None, train].astype(np.float32)
    X, Y = X.T.astype(np.float32), Y.astype(np.float32)
    return Fold(X[:, train], Y[:, train], X[:, dev], Y[:, dev], unit, given)


def fit(place: Path, folds: list[Fold], name: str, metrics: tuple[str, ...], **how: Any) -> BaselineOutcome:
    write_data(place, folds)
    return BaselineFit(name, metrics=metrics, data=str(place), seed=3, rounds=10, **how).run()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifier_is_that_of_sklearn_on_the_same_split(name: str, tmp_path: Path) -> None:
    X, y = load_wine(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = scaled(X)[order], y[order]
    weight = np.random.default_rng(1).uniform(0.5, 2, len(X)).astype(np.float32)
    found = fit(
        tmp_path,
        [fold_of(X, np.eye(3)[y].T, slice(0, 60), weight=weight)],
        name,
        ("accuracy", "log_loss"),
        regression=False,
    )
    model = CLASSIFIERS[name].fit(X[60:].astype(np.float64), y[60:], sample_weight=weight[60:].astype(np.float64))
    expected = model.predict_proba(X[:60].astype(np.float64))
    assert found.error is None
    assert found.predictions is not None
    np.testing.assert_allclose(found.predictions.T, expected, atol=1e-6)
    of_truth = np.clip(expected[np.arange(60), y[:60]], 1e-7, 1)
    assert found.metrics["log_loss"] == pytest.approx(-np.log(of_truth).mean(), rel=1e-3)
    assert found.metrics["accuracy"] == np.mean(expected.argmax(axis=1) == y[:60])
    assert found.version


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressor_of_folds_is_measured_in_the_unit_of_the_table(name: str, tmp_path: Path) -> None:
    X, y = load_diabetes(return_X_y=True)
    X, y = scaled(X)[:300], y[:300]
    places = [slice(0, 150), slice(150, 300)]
    folds = []
    for dev in places:
        mean, scale = float(np.delete(y, dev).mean()), float(np.delete(y, dev).std())
        folds.append(fold_of(X, (y[None] - mean) / scale, dev, Unit(mean, scale)))
    found = fit(tmp_path, folds, name, ("rmse", "r2"), regression=True)
    X = X.astype(np.float64)
    expected = [REGRESSORS[name].fit(np.delete(X, dev, axis=0), np.delete(y, dev)).predict(X[dev]) for dev in places]
    assert found.error is None
    assert found.predictions is not None
    assert found.predictions.shape == (1, 300)
    assert found.metrics["rmse"] == pytest.approx(root_mean_squared_error(y, np.concatenate(expected)), rel=0.01)


def test_two_classes_have_one_row_of_probabilities(tmp_path: Path) -> None:
    X = np.linspace(-1, 1, 40)[:, None]
    fold = fold_of(X, (X[:, 0] > 0)[None], slice(0, 40, 4))
    found = fit(tmp_path, [fold], "linear", ("accuracy",), regression=False)
    assert found.predictions is not None
    assert found.predictions.shape == (1, 10)
    assert (np.diff(found.predictions[0]) > 0).all()


def test_class_that_train_does_not_have_is_predicted_with_probability_0(tmp_path: Path) -> None:
    X, y = np.arange(12.0)[:, None], np.repeat([0, 2, 1], 4)
    fold = fold_of(X, np.eye(3)[y].T, slice(8, 12))
    found = fit(tmp_path, [fold], "linear", ("accuracy",), regression=False)
    assert found.predictions is not None
    assert (found.predictions[1] == 0).all()
    np.testing.assert_allclose(found.predictions.sum(axis=0), 1, atol=1e-6)


def test_workers_elsewhere_get_the_same_from_packed_data(tmp_path: Path) -> None:
    X, y = load_wine(return_X_y=True)
    write_data(tmp_path, [fold_of(scaled(X), np.eye(3)[y].T, slice(0, 178, 3))])
    for name in ("linear", "forest", "boosting"):
        task = BaselineFit(name, regression=False, metrics=("log_loss",), data=str(tmp_path), rounds=5)
        assert task.run().metrics == task.run(pack_data(tmp_path)).metrics


def test_error_of_a_model_is_a_value(tmp_path: Path) -> None:
    fold = fold_of(np.arange(12.0)[:, None], np.zeros((1, 12)), slice(8, 12))
    found = fit(tmp_path, [fold], "linear", ("accuracy",), regression=False)
    assert found.predictions is None
    assert found.error is not None
    assert "at least 2 classes" in found.error.splitlines()[-1]
    with patch.object(baselines, "make_model", side_effect=MemoryError), pytest.raises(MemoryError):
        fit(tmp_path, [fold], "linear", ("accuracy",), regression=False)


def test_work_grows_with_what_a_model_has_to_do() -> None:
    assert baselines.round_work("boosting", 1000, 20, 10) == 10 * baselines.round_work("boosting", 1000, 20, 2)
    assert baselines.round_work("boosting", 1000, 20, 2) == baselines.round_work("boosting", 1000, 20, 0)
    assert baselines.round_work("forest", 1000, 100, 2) < baselines.round_work("forest", 1000, 100, 0)
    for name in ("forest", "boosting"):
        assert baselines.round_work(name, 20_000, 20, 2) > baselines.round_work(name, 1000, 20, 2)


def test_worker_without_sklearn_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.dummy", None)
    fold = fold_of(np.arange(12.0)[:, None], np.zeros((1, 12)), slice(8, 12))
    found = fit(tmp_path, [fold], "constant", ("accuracy",), regression=False)
    assert found.unavailable
