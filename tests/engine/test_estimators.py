"""The scikit-learn estimators: its own checks, and what people do with estimators."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from engine import DNNClassifier, DNNRegressor, predict

IRIS = load_iris(return_X_y=True)
BINARY = load_breast_cancer(return_X_y=True)
NUMBERS = load_diabetes(return_X_y=True)
QUICK = {"hidden_layer_sizes": (8,), "iterations": 60, "learning_rate": 0.02, "random_state": 0}


@pytest.mark.slow
@parametrize_with_checks([DNNClassifier(), DNNRegressor()], expected_failed_checks=None)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.mark.exhaustive
@parametrize_with_checks(
    [
        DNNClassifier(hidden_layer_sizes=(), optimizer="momentum", learning_rate=0.1, class_weight="balanced"),
        DNNRegressor(hidden_layer_sizes=(20,), hidden_activation="tanh", optimizer="rmsprop", standardize=False),
    ],
    expected_failed_checks=None,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_own_checks_of_other_settings(estimator, check):
    check(estimator)


class TestDefaults:
    @pytest.mark.slow
    @pytest.mark.parametrize(("load", "least"), [(load_breast_cancer, 0.96), (load_wine, 0.96), (load_iris, 0.94)])
    def test_small_tables(self, load, least):
        X, y = load(return_X_y=True)
        assert cross_val_score(DNNClassifier(random_state=0), X, y, cv=4).mean() >= least

    def test_digits(self):
        X, y = load_digits(return_X_y=True)
        X, X_test, y, y_test = train_test_split(X, y, random_state=0, stratify=y)
        assert DNNClassifier(random_state=0).fit(X, y).score(X_test, y_test) >= 0.965

    @pytest.mark.slow
    def test_diabetes(self):
        assert cross_val_score(DNNRegressor(random_state=0), *NUMBERS, cv=4).mean() >= 0.35


class TestClassifier:
    def test_labels_of_any_type_and_probabilities(self):
        X, y = IRIS
        names = np.array(["setosa", "versicolor", "virginica"])[y]
        model = DNNClassifier(**QUICK).fit(X, names)
        assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
        probabilities = model.predict_proba(X)
        assert probabilities.shape == (150, 3)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        np.testing.assert_array_equal(model.predict(X), model.classes_[probabilities.argmax(axis=1)])
        np.testing.assert_allclose(model.predict_log_proba(X), np.log(probabilities))

    def test_two_classes_are_one_output(self):
        model = DNNClassifier(**QUICK).fit(*BINARY)
        assert model.architecture_.layer_sizes == (30, 8, 1)
        probabilities = model.predict_proba(BINARY[0])
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)
        assert model.score(*BINARY) > 0.95

    def test_is_the_engine(self):
        X, y = IRIS
        model = DNNClassifier(**QUICK).fit(X, y)
        scaled = StandardScaler().fit_transform(X).T
        np.testing.assert_allclose(
            model.predict_proba(X), predict(model.architecture_, model.parameters_, scaled).T, rtol=1e-9
        )
        assert len(model.loss_curve_) == model.n_iter_ == 60
        assert model.loss_ == model.loss_curve_[-1] < model.loss_curve_[0]
        assert model.status_ == "complete"

    def test_balanced_classes(self):
        rng = np.random.default_rng(0)
        X = np.vstack([rng.normal(0, 1, (190, 2)), rng.normal(1.2, 1, (10, 2))])
        y = np.repeat([0, 1], [190, 10])
        plain, balanced = (DNNClassifier(**QUICK, class_weight=w).fit(X, y) for w in (None, "balanced"))
        assert balanced.predict(X).sum() > 2 * plain.predict(X).sum()
        by_hand = DNNClassifier(**QUICK, class_weight={0: 1.0, 1: 19.0}).fit(X, y)
        np.testing.assert_allclose(by_hand.predict_proba(X), balanced.predict_proba(X), rtol=1e-6)
        by_weight = DNNClassifier(**QUICK, standardize=False).fit(X, y, sample_weight=np.where(y, 19.0, 1.0))
        same = DNNClassifier(**QUICK, standardize=False, class_weight="balanced").fit(X, y)
        np.testing.assert_allclose(by_weight.predict_proba(X), same.predict_proba(X), rtol=1e-6)

    def test_balanced_counts_weights(self):
        X, y = BINARY
        weight = np.random.default_rng(0).integers(0, 3, len(y))
        weighted = DNNClassifier(**QUICK, class_weight="balanced").fit(X, y, sample_weight=weight)
        repeated = DNNClassifier(**QUICK, class_weight="balanced").fit(X.repeat(weight, axis=0), y.repeat(weight))
        np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6, atol=1e-9)

    @pytest.mark.parametrize(
        ("parameters", "y", "words"),
        [
            ({}, np.zeros(150), "at least 2 classes, got 1 class"),
            ({"learning_rate": -1}, None, "learning_rate must be above 0, got -1"),
            ({"hidden_activation": "rleu"}, None, "activation must be one of"),
            ({"hidden_layer_sizes": (0,)}, None, "layer_sizes must be whole numbers of at least 1"),
            ({"batch_size": "all"}, None, "batch_size must be a whole number of at least 1, None or"),
            ({"batch_size": 0}, None, "batch_size must be a whole number of at least 1, None or"),
            ({"early_stopping": True, "validation_fraction": 2}, None, "validation_fraction must be above 0 and below"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_said(self, parameters, y, words):
        with pytest.raises(ValueError, match=words):
            DNNClassifier(**parameters).fit(IRIS[0], IRIS[1] if y is None else y)

    def test_not_fitted(self):
        with pytest.raises(NotFittedError):
            DNNClassifier().predict(IRIS[0])


class TestRegressor:
    def test_one_target_and_several(self):
        X, y = NUMBERS
        one = DNNRegressor(**QUICK).fit(X, y)
        assert one.predict(X).shape == y.shape
        several = DNNRegressor(**QUICK).fit(X, np.column_stack([y, -2 * y, X[:, 2]]))
        predictions = several.predict(X)
        assert predictions.shape == (len(y), 3)
        assert np.corrcoef(predictions[:, 0], predictions[:, 1])[0, 1] < -0.9
        assert several.score(X, np.column_stack([y, -2 * y, X[:, 2]])) > 0.4

    @pytest.mark.parametrize("factor", [1e-6, 1.0, 1e9])
    def test_units_do_not_matter(self, factor):
        X, y = NUMBERS
        expected = DNNRegressor(**QUICK).fit(X, y).predict(X)
        scaled = DNNRegressor(**QUICK).fit(X * factor, y * factor).predict(X * factor)
        np.testing.assert_allclose(scaled / factor, expected, rtol=1e-6)

    def test_a_constant_feature_and_a_constant_target(self):
        X = np.column_stack([NUMBERS[0], np.full(len(NUMBERS[0]), 0.1)])
        assert DNNRegressor(**QUICK).fit(X, NUMBERS[1]).score(X, NUMBERS[1]) > 0.4
        np.testing.assert_allclose(DNNRegressor(**QUICK).fit(X, np.full(len(X), 7.0)).predict(X), 7.0, atol=1.0)


@pytest.mark.parametrize(("Estimator", "data"), [(DNNClassifier, BINARY), (DNNRegressor, NUMBERS)])
class TestBoth:
    def test_pipeline_and_grid_search(self, Estimator, data):
        name = Estimator.__name__.lower()
        search = GridSearchCV(
            make_pipeline(StandardScaler(), Estimator(**QUICK)),
            {f"{name}__learning_rate": [1e-4, 0.02], f"{name}__hidden_layer_sizes": [(), (8,), (8, 4)]},
            cv=3,
        ).fit(*data)
        assert search.best_params_[f"{name}__learning_rate"] == 0.02
        assert search.best_score_ > 0.3

    def test_equal_random_states_are_equal(self, Estimator, data):
        X, y = data
        first, again, other = (
            Estimator(**{**QUICK, "random_state": seed}, batch_size=32).fit(X, y) for seed in (1, 1, 2)
        )
        np.testing.assert_array_equal(first.predict(X), again.predict(X))
        assert first.loss_curve_ != other.loss_curve_

    def test_clone_and_parameters(self, Estimator, data):
        model = Estimator(**QUICK, dropout=0.1).fit(*data)
        other = clone(model)
        assert other.get_params() == model.get_params()
        assert not hasattr(other, "parameters_")
        assert other.set_params(l2=0.5).l2 == 0.5

    def test_pickles(self, Estimator, data):
        X, y = data
        model = Estimator(**QUICK, hidden_activation="leaky_relu(0.2)").fit(X, y)
        again = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        again.partial_fit(X, y)
        model.partial_fit(X, y)
        np.testing.assert_array_equal(again.predict(X), model.predict(X))

    def test_feature_names(self, Estimator, data):
        frame = pd.DataFrame(data[0], columns=[f"column {i}" for i in range(data[0].shape[1])])
        model = Estimator(**QUICK).fit(frame, data[1])
        assert model.feature_names_in_.tolist() == list(frame.columns)
        model.predict(frame)
        with pytest.raises(ValueError, match="feature names"):
            model.predict(frame[frame.columns[::-1]])

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_number_type(self, Estimator, data, dtype):
        model = Estimator(**QUICK).fit(data[0].astype(dtype), data[1])
        assert model.parameters_.dtype == dtype
        if Estimator is DNNClassifier:
            assert model.predict_proba(data[0].astype(dtype)).dtype == dtype

    def test_warm_start_goes_on(self, Estimator, data):
        model = Estimator(**QUICK, warm_start=True, schedule="constant", optimizer="gradient_descent")
        first = model.fit(*data).loss_curve_
        second = model.fit(*data).loss_curve_
        twice = Estimator(**{**QUICK, "iterations": 120}, schedule="constant", optimizer="gradient_descent").fit(*data)
        np.testing.assert_allclose(first + second, twice.loss_curve_, rtol=1e-12)
        cold = clone(model).set_params(warm_start=False).fit(*data)
        assert cold.fit(*data).loss_curve_ == first
        with pytest.raises(ValueError, match="the parameters must have the layer sizes"):
            model.set_params(hidden_layer_sizes=(5,)).fit(*data)

    def test_early_stopping(self, Estimator, data):
        model = Estimator(
            hidden_layer_sizes=(50,), iterations=3000, l2=0.0, early_stopping=True, patience=3, random_state=0
        ).fit(*data)
        assert model.status_ == "stopped"
        assert model.n_iter_ < 3000
        assert len(model.validation_curve_) == model.n_iter_ // 10
        assert np.argmin(model.validation_curve_) == len(model.validation_curve_) - 4

    def test_partial_fit_learns_and_keeps_its_averages(self, Estimator, data):
        X, y = data
        model = Estimator(**QUICK, batch_size=50)
        extra = {"classes": np.unique(y)} if Estimator is DNNClassifier else {}
        lengths = []
        for _ in range(8):
            for rows in (slice(0, 170), slice(170, 300), slice(300, None)):  # of different lengths
                model.partial_fit(X[rows], y[rows], **extra)
                lengths.append(len(model.loss_curve_))
        assert lengths[:4] == [4, 7, 10, 14] if len(X) == 442 else lengths[:4] == [4, 7, 13, 17]
        assert np.isfinite(model.loss_curve_).all()
        assert model.n_iter_ == lengths[-1]
        assert model.score(X, y) > 0.3

    def test_partial_fit_on_all_rows_is_fit(self, Estimator, data):
        X, y = data
        extra = {"classes": np.unique(y)} if Estimator is DNNClassifier else {}
        stepwise = Estimator(**QUICK, batch_size=64)
        for _ in range(5):
            stepwise.partial_fit(X, y, **extra)
        updates = stepwise.n_iter_
        whole = Estimator(**{**QUICK, "iterations": updates}, batch_size=64, schedule="constant").fit(X, y)
        np.testing.assert_allclose(stepwise.loss_curve_, whole.loss_curve_, rtol=1e-12)

    def test_partial_fit_after_fit(self, Estimator, data):
        model = Estimator(**QUICK, early_stopping=True).fit(*data)
        before = model.n_iter_
        model.partial_fit(*data)
        assert model.n_iter_ == before + 1
        with pytest.raises(ValueError, match="cannot change the optimizer from 'adam'"):
            model.set_params(optimizer="momentum").partial_fit(*data)

    def test_divergence_is_a_warning_with_a_remedy(self, Estimator, data):
        model = Estimator(hidden_layer_sizes=(8,), learning_rate=1e30, optimizer="gradient_descent", random_state=0)
        X = data[0].astype(np.float32)
        with pytest.warns(ConvergenceWarning, match="diverged at iteration .*Reduce learning_rate"):
            model.fit(X, data[1])
        assert model.status_ == "diverged"
        assert np.isfinite(model.parameters_.vector).all()

    def test_no_iterations(self, Estimator, data):
        model = Estimator(**{**QUICK, "iterations": 0}).fit(*data)
        assert model.n_iter_ == 0
        assert np.isnan(model.loss_)


def test_partial_fit_needs_its_classes():
    X, y = IRIS
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        DNNClassifier().partial_fit(X, y)
    model = DNNClassifier(**QUICK).partial_fit(X[:60], y[:60], classes=[0, 1, 2])
    model.partial_fit(X[60:], y[60:])
    with pytest.raises(ValueError, match="classes must be those of the first call"):
        model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="labels that are not among the classes"):
        model.partial_fit(X, y + 1)
    with pytest.raises(ValueError, match="with warm_start, y must have the classes"):
        model.set_params(warm_start=True).fit(X[:60], y[:60])


def test_a_transformed_target():
    X, y = NUMBERS
    model = TransformedTargetRegressor(DNNRegressor(**QUICK), func=np.log1p, inverse_func=np.expm1).fit(X, y)
    assert model.score(X, y) > 0.4


def test_scikit_learn_is_not_imported_by_the_engine():
    import subprocess
    import sys

    script = "import engine, sys; raise SystemExit('sklearn' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_targets_are_centered_before_they_are_cast() -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 3)).astype(np.float32)
    y = 1e8 + X.astype(np.float64) @ np.array([1.0, 2.0, 3.0])  # float32 has steps of 8 there
    for early_stopping in (False, True):
        model = DNNRegressor(random_state=0, iterations=300, early_stopping=early_stopping).fit(X, y)
        assert model.score(X, y) > 0.95
        assert model.parameters_.vector.dtype == np.float32
