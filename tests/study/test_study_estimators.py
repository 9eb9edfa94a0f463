"""`StudyClassifier` and `StudyRegressor`: scikit-learn estimators whose fit is a whole study."""

import pickle
import re
import tempfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GroupKFold, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator
from support.command import run_study
from support.small_study import show

from study import Float, Study, StudyClassifier, StudyRegressor
from study.ledger.home import Home

SMALL: dict[str, Any] = {
    "learning_rate": [0.03, 0.1],
    "iterations": 100,
    "depth": [0, 1],
    "units": 8,
    "optimizer": "adam",
    "activation": "relu",
}
QUICK: dict[str, Any] = {"n_trials": 2, "space": SMALL, "folds": 0, "confirm": False, "random_state": 0}


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [StudyClassifier, StudyRegressor])
def test_all_checks_of_scikit_learn_pass(estimator: type[BaseEstimator]) -> None:
    space = {"iterations": 100, "depth": 1, "units": 16, "learning_rate": 0.03, "optimizer": "adam"}
    results = check_estimator(estimator(**(QUICK | {"space": space})), on_skip=None, on_fail=None)
    failed = {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    assert failed == {}
    assert {result["status"] for result in results} <= {"passed", "skipped"}


@pytest.fixture(scope="module")
def mixed() -> tuple[pd.DataFrame, pd.Series]:
    """A table with text, numbers, Boolean values, dates and missing cells; labels are text."""
    rng = np.random.default_rng(0)
    m = 160
    color, size = rng.choice(["red", "blue", None], m), rng.standard_normal(m)
    size[::9] = np.nan
    frame = pd.DataFrame(
        {
            "color": color,
            "size": size,
            "new": rng.random(m) < 0.5,
            "sold": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 400, m), "D"),
        },
        index=np.arange(m) + 1000,
    )
    return frame, pd.Series(np.where((color == "red") | (np.nan_to_num(size) > 0.8), "yes", "no"), index=frame.index)


def test_a_table_of_any_columns_is_learned(mixed: tuple[pd.DataFrame, pd.Series]) -> None:
    X, y = mixed
    model = StudyClassifier(**QUICK).fit(X, y)
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.feature_names_in_.tolist() == list(X.columns)
    assert model.score(X, y) > 0.8
    assert model.predict_proba(X).sum(axis=1) == pytest.approx(1)
    assert model.metric_ == "accuracy"
    assert model.best_score_ == model.cv_results_["mean_test_score"].max()
    assert model.cv_results_["params"][model.best_index_] == model.best_params_
    assert model.cv_results_["rank_test_score"][model.best_index_] == 1


def test_score_of_a_metric_that_is_minimized_is_negative() -> None:
    X, y = load_diabetes(return_X_y=True)
    model = StudyRegressor(**QUICK, metric="rmse").fit(X, y)
    assert model.best_score_ == -min(row.value for row in model.trials_ if row.value is not None)
    assert model.score(X, y) > 0.3


def test_equal_random_state_gives_equal_models_and_fit_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    X, y = load_iris(return_X_y=True)
    models = [clone(StudyClassifier(**QUICK)).fit(X, y) for _ in range(2)]
    np.testing.assert_array_equal(models[0].predict_proba(X), models[1].predict_proba(X))
    assert [row.fingerprint for row in models[0].trials_] == [row.fingerprint for row in models[1].trials_]
    kept = pickle.loads(pickle.dumps(models[0]))  # noqa: S301 - of this test
    np.testing.assert_array_equal(kept.predict(X), models[0].predict(X))
    assert not hasattr(models[0], "study_")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_jobs_change_nothing() -> None:
    X, y = load_iris(return_X_y=True)
    alone = StudyClassifier(**QUICK).fit(X, y)
    with joblib.parallel_config(n_jobs=2):
        there = StudyClassifier(**QUICK).fit(X, y)
    assert [row.fingerprint for row in there.trials_] == [row.fingerprint for row in alone.trials_]


def test_nested_cross_validation_equals_loops_over_the_command_line(tmp_path: Path) -> None:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    cv = KFold(2, shuffle=True, random_state=0)
    settings = QUICK | {"folds": 2, "confirm": {"top": 2, "seeds": 2}}
    scores = cross_val_score(StudyClassifier(**settings), X, y, cv=cv)
    by_hand = []
    for number, (train, test) in enumerate(cv.split(X, y)):
        model = StudyClassifier(**settings, home=tmp_path / f"api{number}", name="fold")
        model.fit(X.iloc[train], y.iloc[train])
        by_hand.append(accuracy_score(y.iloc[test], model.predict(X.iloc[test])))
        spec, home = tmp_path / f"fold{number}.toml", tmp_path / f"cli{number}"
        spec.write_text(model.study_.to_toml())
        done = run_study("run", spec, "--home", home, "--jobs", 1, "--no-tracking")
        assert done.returncode == 0, done.stderr
        shown = show(home, model.study_.name)
        assert [row["fingerprint"] for row in shown["trials"]] == [row.fingerprint for row in model.trials_]
        assert shown["confirm"]["winner"] == model.best_index_
    np.testing.assert_array_equal(scores, by_hand)


def test_home_keeps_the_study_for_any_other_process(tmp_path: Path) -> None:
    X, y = load_iris(return_X_y=True)
    model = StudyClassifier(**QUICK, home=tmp_path, name="iris").fit(X, y)
    again = Study.load(model.study_.name, home=tmp_path)
    assert [row.fingerprint for row in again.trials] == [row.fingerprint for row in model.trials_]
    more = StudyClassifier(**(QUICK | {"n_trials": 3}), home=tmp_path, name="iris").fit(X, y)
    assert more.study_.name == model.study_.name
    assert [row.fingerprint for row in more.trials_[:2]] == [row.fingerprint for row in model.trials_]


def test_each_table_and_space_has_a_study_of_its_own_under_one_name(tmp_path: Path) -> None:
    X, y = load_wine(return_X_y=True)
    settings = QUICK | {"n_trials": 1, "home": tmp_path, "name": "wine"}
    cross_val_score(StudyClassifier(**settings), X, y, cv=2)
    StudyClassifier(**(settings | {"space": SMALL | {"iterations": 50}})).fit(X, y)
    StudyClassifier(**(settings | {"space": SMALL | {"iterations": 60}})).fit(X, y)
    names = Home.at(str(tmp_path)).names()
    assert len(names) == 4
    assert all(re.fullmatch("wine-[0-9a-f]{8}", name) for name in names)


def test_weights_and_groups_are_columns_of_the_study(tmp_path: Path) -> None:
    X, y = load_wine(return_X_y=True, as_frame=True)
    weight, groups = np.where(y == 2, 0.0, 2.0), np.arange(178) // 5
    model = StudyClassifier(**QUICK, home=tmp_path).fit(X, y, sample_weight=weight, groups=groups)
    assert model.classes_.tolist() == [0, 1]  # rows of weight 0 are left out
    assert (model.study_.spec.data.weight, model.study_.spec.data.group) == ("weight", "group")
    assert model.feature_names_in_.tolist() == list(X.columns)


def test_metadata_is_routed() -> None:
    X, y = load_iris(return_X_y=True)
    groups = np.arange(150) // 5
    with sklearn.config_context(enable_metadata_routing=True):
        model = (
            StudyClassifier(**QUICK)
            .set_fit_request(groups=True, sample_weight=True)
            .set_score_request(sample_weight=True)
        )
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        found = cross_validate(
            make_pipeline(scaler, model),
            X,
            y,
            cv=GroupKFold(2),
            params={"groups": groups, "sample_weight": np.ones(150)},
        )
    assert (found["test_score"] > 0.6).all()


def test_after_a_column_transformer(mixed: tuple[pd.DataFrame, pd.Series]) -> None:
    X, y = mixed
    numbers = make_column_transformer((StandardScaler(), ["size"]), ("passthrough", ["new"]))
    assert make_pipeline(numbers, StudyClassifier(**QUICK)).fit(X, y).predict(X).shape == (160,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"space": {"depth": -1}}, r'space\["depth"\]'),
        ({"space": {"widht": Float(1, 2)}}, r'space\["widht"\]'),
        ({"dev_size": 1.5}, "split"),
        ({"metric": "rmse"}, "metric"),
        ({"tracking": True}, "tracking=True requires a home"),
        ({"space": SMALL | {"learning_rate": 1e30, "optimizer": "gradient_descent"}}, "no trial is complete"),
    ],
)
def test_mistakes_are_value_errors_that_name_the_argument(settings: dict[str, Any], message: str) -> None:
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=message):
        StudyClassifier(**(QUICK | settings)).fit(X, y)
    with pytest.raises(TypeError, match="unexpected keyword argument 'weights'"):
        StudyClassifier(**QUICK).fit(X, y, weights=y)
