"""A study of a transformer that its user registered: its identity, its model, and a later process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    PolynomialFeatures,
    PowerTransformer,
    StandardScaler,
)
from support.command import environment, run_process, run_study
from support.in_process import run_local, spec_with
from support.small_study import SMALL, fingerprints, show

from study import Study, StudyClassifier, StudyRegressor
from study.api.own_transform import transform_name
from study.data import load_combined, register_transform
from study.errors import UserError
from study.ledger.home import Home
from study.model.predict import predict_table, read_rows
from study.search.identity import identify
from study.spec import parse_spec
from study.spec.extensions import TRANSFORMS
from study.tracking.store import tracking_uri

OWN = spec_with("trials = 3\nin_flight = 2", data='transform = "squares"')
SPACE = {"iterations": 30, "depth": [0, 1], "units": 4}
FAST = {"folds": 0, "confirm": False, "n_trials": 2, "space": SPACE}
QUIET = {"n_jobs": 1, "show_progress": False, "tracking": False}


class Ratio(TransformerMixin, BaseEstimator):
    """The first column divided by the second."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def fit(self, X, y=None):  # noqa: ARG002
        return self

    def transform(self, X):
        return pd.DataFrame({"ratio": X.iloc[:, 0] / (X.iloc[:, 1].abs() + 1) + self.offset})

    def __sklearn_is_fitted__(self) -> bool:
        return True


def ratio_of(X):
    return X[["a"]] / 2


@pytest.fixture(autouse=True)
def _unchanged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take out of the registry what a test has put into it."""
    monkeypatch.setattr(TRANSFORMS, "_entries", {})
    yield


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    a, b = draw.normal(size=(2, 120)).round(3)
    return pd.DataFrame(
        {"a": a, "b": b, "color": draw.choice(["red", "blue"], 120), "y": np.where(a > b, "up", "down")}
    )


def squares() -> ColumnTransformer:
    steps = [("ab", make_pipeline(PolynomialFeatures(2, include_bias=False), PowerTransformer()), ["a", "b"])]
    return ColumnTransformer(steps, remainder="passthrough", verbose_feature_names_out=False)


def register(version: int | str = 1, transformer: Any = None) -> None:
    register_transform("squares", transformer or PolynomialFeatures(2, include_bias=False), version=version)


def run(folder: Path, text: str = OWN):
    path = folder / "small.toml"
    path.write_text(text)
    return run_study("run", path, "--home", folder / "home", "--no-tracking", "--jobs", 1)


def test_the_name_and_the_version_are_part_of_the_studys_identity() -> None:
    plain = identify(parse_spec(SMALL, "small.toml"))
    register()
    one = identify(parse_spec(OWN, "small.toml"))
    register("2a")
    two = identify(parse_spec(OWN, "small.toml"))
    assert [key for key in two if one[key] != two[key]] == ["the version of transform 'squares'"]
    assert one["[data] transform"]
    assert not any("transform" in key for key in plain)  # studies older than transforms have the same identity


def test_a_study_does_not_continue_with_another_version_or_without_its_transform(tmp_path: Path) -> None:
    register()
    assert run(tmp_path).returncode == 0
    without = run(tmp_path, OWN.replace('transform = "squares"', ""))
    assert without.returncode == 2
    assert "[data] transform has changed since study 'small' started; undo the change" in without.stderr
    register(version=2)
    done = run(tmp_path)
    assert done.returncode == 2
    assert "the version of transform 'squares' has changed since study 'small' started; undo the change" in done.stderr
    confirmed = run_study("confirm", "small", "--home", tmp_path / "home", "--jobs", 1)
    assert confirmed.returncode == 2
    assert "uses the transform 'squares' of version 1, but version 2 is registered" in confirmed.stderr


def test_a_process_that_has_not_registered_the_transform_says_how_to(tmp_path: Path) -> None:
    register()
    assert run(tmp_path).returncode == 0
    TRANSFORMS._entries.pop("squares")
    for command in (("confirm", "small", "--jobs", 1), ("finalize", "small"), ("compare", "small", 0, 1)):
        done = run_study(*command, "--home", tmp_path / "home")
        assert done.returncode == 2, command
        assert "study 'small' uses the transform 'squares', which is not registered in this process" in done.stderr
        assert "call register_transform('squares', …) first" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert len(show(tmp_path / "home")["trials"]) == 3  # what is only shown needs no transformer


def test_a_transform_that_is_not_registered_is_refused_with_the_remedy(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 2
    assert (
        "[data] transform: unknown transform 'squares'; register it with study.data.register_transform" in done.stderr
    )
    register_transform("square", StandardScaler())
    assert "unknown transform 'squares'; did you mean 'square'?" in run(tmp_path).stderr


def test_a_transformer_that_fails_is_answered_before_anything_is_trained(tmp_path: Path) -> None:
    register(transformer=ColumnTransformer([("z", StandardScaler(), ["z"])]))
    done = run(tmp_path)
    assert done.returncode == 2
    assert "[data] transform: 'squares' failed on train (ValueError: Some column names are not" in done.stderr
    assert "the transform receives the columns x_1 (numbers), x_2 (numbers)" in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert not Home(tmp_path / "home").folder("small").path.exists()


@pytest.mark.slow
def test_a_transform_and_an_encoding_are_both_part_of_the_final_model(tmp_path: Path) -> None:
    register()
    text = spec_with("trials = 2", 'transform = "squares"', 'encoding = ["ple", "quantile"]\nbins = 4')
    done = run(tmp_path, text + '\nenqueue = [{encoding = "ple"}]\n[final]\nnetworks = 2\n')
    assert done.returncode == 0, done.stderr
    done = run_study("finalize", "small", "--trial", 0, "--home", tmp_path / "home", "--jobs", 1)
    assert done.returncode == 0, done.stderr
    rows = pd.DataFrame({"x_1": [0.5, -1.0, 2.0], "x_2": [1.0, 0.0, -3.0]})
    model = read_rows(Home(tmp_path / "home"), "small", rows).model
    sizes = [each["layer_sizes"][0] for each in model.named_steps["network"].networks]
    assert sizes == [model[:-1].transform(rows).shape[1]] == [5 + 5 * 4]
    made = predict_table(Home(tmp_path / "home"), "small", rows)
    np.testing.assert_array_equal(made["prediction"], model.predict(rows).astype(made["prediction"].dtype))


@pytest.mark.slow
def test_workers_give_the_trials_that_this_process_gives_and_never_see_the_transformer(tmp_path: Path) -> None:
    register(transformer=FunctionTransformer(lambda X: X**2))  # which cannot be pickled
    alone = run_local(OWN, tmp_path / "alone", jobs=1)
    there = run_local(OWN, tmp_path / "there", jobs=2)
    assert [row.fingerprint for row in alone.trials] == [row.fingerprint for row in there.trials]


@pytest.mark.slow
def test_a_study_from_python_and_its_spec_have_the_same_fingerprints(frame: pd.DataFrame, tmp_path: Path) -> None:
    study = Study(frame, "y", name="own", transform=squares(), home=tmp_path / "home", **FAST)
    study.run(**QUIET)
    (tmp_path / "own.toml").write_text(study.to_toml())
    again = ("run", tmp_path / "own.toml", "--home", tmp_path / "again", "--no-tracking", "--jobs", 1)
    done = run_study(*again)
    assert done.returncode == 0, done.stderr
    assert fingerprints(tmp_path / "home", "own") == fingerprints(tmp_path / "again", "own")
    plain = Study(frame, "y", name="plain", home=tmp_path / "home", **FAST)
    plain.run(**QUIET)
    assert fingerprints(tmp_path / "home", "plain") != fingerprints(tmp_path / "home", "own")


@pytest.mark.slow
def test_the_final_model_predicts_as_a_pipeline_by_hand_also_in_another_process_and_in_mlflow(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(frame, "y", name="own", transform=squares(), home=tmp_path / "home", **FAST)
    study.run(**QUIET)
    done = run_study("finalize", "own", "--home", tmp_path / "home")
    assert done.returncode == 0, done.stderr
    X = frame.drop(columns="y")
    made = predict_table(study.home, "own", X)
    train = load_combined(study.spec.data, study.home.tables).train.rows
    output = squares().fit(X.iloc[train]).transform(X)
    numbers = StandardScaler().fit(output[train, :-1]).transform(output[:, :-1])
    colors = OneHotEncoder(sparse_output=False).fit_transform(output[:, -1:])
    network = read_rows(study.home, "own", X).model.named_steps["network"]
    by_hand = network.predict_proba(np.hstack([numbers, colors]))
    np.testing.assert_allclose(made["probability_up"], by_hand[:, 1], atol=1e-6)

    X.to_csv(tmp_path / "rows.csv", index=False)
    there = run_process(
        *("predict", "own", tmp_path / "rows.csv", "--out", tmp_path / "out.csv", "--home", tmp_path / "home"),
        env=environment(),
    )
    assert there.returncode == 0, there.stderr  # a process that has registered nothing
    np.testing.assert_array_equal(pd.read_csv(tmp_path / "out.csv")["prediction"], made["prediction"])

    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri(study.home))
    served = mlflow.pyfunc.load_model("models:/own@champion")
    np.testing.assert_array_equal(served.predict(X), made["prediction"])
    assert served.input_example.notna().all(axis=None)  # rows of train, whose numbers in the table have gaps


def finalized(frame: pd.DataFrame, home: Path, transform: Any) -> Any:
    study = Study(frame, "y", name="own", transform=transform, home=home, **FAST)
    study.run(**QUIET)
    return study.finalize(tracking=False)


@pytest.mark.slow
def test_a_model_with_a_class_of_ones_own_is_loaded_where_the_transform_is_registered(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    final = finalized(frame, tmp_path, Ratio())
    rows = frame.head(3)
    assert len(final.model.predict(rows)) == 3
    TRANSFORMS._entries.clear()
    with pytest.raises(
        UserError, match=r"the model uses the transform 'ratio_\w+' with .*Ratio, which is not registere"
    ):
        final.load_model()


@pytest.mark.slow
def test_a_function_of_a_module_is_kept_in_the_model(frame: pd.DataFrame, tmp_path: Path) -> None:
    assert len(finalized(frame, tmp_path, FunctionTransformer(ratio_of)).model.predict(frame)) == len(frame)


@pytest.mark.slow
def test_what_a_model_cannot_keep_is_said_before_the_test_set_is_opened(frame: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"because no other process can import .*<lambda>; define it in a module"):
        finalized(frame, tmp_path, FunctionTransformer(lambda X: X[["a"]] / 2))
    assert show(tmp_path, "own")["finalized"] == []


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "target"), [(StudyClassifier, "y"), (StudyRegressor, "a")])
def test_the_estimators_take_a_transformer(estimator: Any, target: str, frame: pd.DataFrame) -> None:
    made = estimator(
        transformer=PolynomialFeatures(2, include_bias=False), n_trials=2, folds=0, confirm=False, space=SPACE
    )
    X, y = frame[["b"]], frame[target]
    one = clone(made).set_params(random_state=0).fit(X, y)
    assert list(one.model_.named_steps["columns"].feature_names_in_) == ["b", "b^2"]
    three = clone(made).set_params(random_state=0, transformer__degree=3).fit(X, y)
    assert list(three.model_.named_steps["columns"].feature_names_in_) == ["b", "b^2", "b^3"]
    assert made.transformer.degree == 2


def test_equal_transformers_have_equal_names_and_others_have_others() -> None:
    names = [
        transform_name(each)
        for each in (
            PolynomialFeatures(3),
            PolynomialFeatures(2),
            make_pipeline(PolynomialFeatures(3)),
            Ratio(),
            Ratio(1.0),
            FunctionTransformer(ratio_of),
            FunctionTransformer(np.log1p),
            FunctionTransformer(lambda X: X),
            FunctionTransformer(lambda X: X + 1),
        )
    ]
    assert len(set(names)) == len(names)
    assert transform_name(PolynomialFeatures(3)) == names[0]
    assert transform_name(clone(make_pipeline(PolynomialFeatures(degree=3)))) == names[2]
    assert transform_name("squares") == "squares"
    assert names[3] in TRANSFORMS


def test_a_class_that_is_moved_to_a_module_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    before = transform_name(Ratio())
    monkeypatch.setattr(Ratio, "__module__", "elsewhere")
    assert transform_name(Ratio()) == before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (PolynomialFeatures, "transform: must be the name of a registered transform or an unfitted scikit-learn"),
        (3, "transform: must be the name of a registered transform or an unfitted scikit-learn transformer, got 3"),
        (PowerTransformer(method=object), None),
        ("squares", "transform: unknown transform 'squares'; register it with"),
        (
            FunctionTransformer(kw_args={"generator": np.random.default_rng()}),
            "transform: random_state must be an integer",
        ),
    ],
)
def test_what_python_gives_instead_of_a_transformer_is_answered(
    given: Any, message: str | None, frame: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message or r"transform: .* failed on train \("):
        Study(frame, "y", transform=given, home=tmp_path, **FAST)
