"""A registered transformer ahead of the own preprocessing: what it receives, and what becomes of its output."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import KNNImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler, TargetEncoder

from study.data import DataSpec, load, load_combined, load_folds, look, memory, open_test, register_transform
from study.errors import UserError
from study.spec.encoding import STANDARD, Encoding
from study.spec.extensions import TRANSFORMS, Transform
from study.testing import check_transform

M = 150


class Recorder(TransformerMixin, BaseEstimator):
    """Returns its input, and records what its clones were fitted on and what they transformed."""

    fitted: list[pd.DataFrame] = []  # noqa: RUF012 - clones share it
    targets: list[Any] = []  # noqa: RUF012
    transformed: list[pd.DataFrame] = []  # noqa: RUF012

    def fit(self, X, y=None):
        self.fitted.append(X.copy())
        self.targets.append(y)
        return self

    def transform(self, X):
        self.transformed.append(X.copy())
        return X


@pytest.fixture(autouse=True)
def _unchanged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take out of the registry what a test has put into it."""
    monkeypatch.setattr(TRANSFORMS, "_entries", {})
    for name in ("fitted", "targets", "transformed"):
        monkeypatch.setattr(Recorder, name, [])
    yield


@pytest.fixture
def table(tmp_path: Path) -> pd.DataFrame:
    """A file table.csv with columns of every kind, missing cells and text that is different in each row."""
    draw = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": draw.normal(size=M).round(3),
            "b": draw.normal(size=M).round(3),
            "flag": draw.choice(["yes", "no"], M),
            "when": pd.date_range("2024-01-01", periods=M).strftime("%Y-%m-%d"),
            "city": draw.choice(["Rome", "Oslo", "Lima"], M),
            "words": [f"row{i} {'good' if i % 3 else 'bad'} day" for i in range(M)],
        }
    )
    frame.loc[::9, "a"] = np.nan
    frame.loc[::11, "city"] = None
    frame.loc[::13, "flag"] = None
    frame["y"] = np.where(frame["b"] > 0, "up", "down")
    frame.to_csv(tmp_path / "table.csv", index=False)
    return frame


def spec_of(transform: object = None, **keys: Any) -> DataSpec:
    """Return the spec of table.csv; a transformer is registered first."""
    if transform is not None:
        register_transform("own", transform)  # type: ignore[arg-type]
    return DataSpec(source="table.csv", target="y", transform=None if transform is None else "own", **keys)


@pytest.mark.usefixtures("table")
def test_a_transformer_that_changes_nothing_changes_nothing(tmp_path: Path) -> None:
    plain = load(spec_of(drop=("words",)), tmp_path)
    same = load(spec_of(FunctionTransformer(feature_names_out="one-to-one"), drop=("words",)), tmp_path)
    assert same.feature_names == plain.feature_names
    assert same.fingerprint == plain.fingerprint
    for part in ("train", "dev"):
        np.testing.assert_array_equal(getattr(same, part).X, getattr(plain, part).X)


def test_it_is_fitted_on_the_training_rows_alone(table: pd.DataFrame, tmp_path: Path) -> None:
    data = load(spec_of(Recorder()), tmp_path)
    (seen,) = Recorder.fitted
    np.testing.assert_array_equal(seen["b"], table["b"].iloc[data.train.rows])
    assert [len(rows) for rows in Recorder.transformed] == [data.train.m, data.dev.m]  # and no test row
    labels = np.array(data.classes)[data.train.Y[0].astype(int)]
    np.testing.assert_array_equal(Recorder.targets[0], labels)


def test_in_folds_it_is_fitted_on_the_training_rows_of_each_fold(table: pd.DataFrame, tmp_path: Path) -> None:
    folds = load_folds(spec_of(Recorder(), folds=3), tmp_path)
    assert len(Recorder.fitted) == 3
    for fold, seen in zip(folds, Recorder.fitted, strict=True):
        np.testing.assert_array_equal(seen["b"], table["b"].iloc[fold.train.rows])


@pytest.mark.usefixtures("table")
def test_encodings_apply_to_the_numbers_that_it_returns(tmp_path: Path) -> None:
    ple, kept = Encoding("ple", 4), ("flag", "when", "city", "words")
    squares = make_pipeline(KNNImputer(), PolynomialFeatures(2, include_bias=False))
    spec = spec_of(squares, drop=kept)
    data = load(spec, tmp_path, [STANDARD, ple])
    encoded = data.encoded(ple)
    assert [data.n_x, encoded.n_x] == [5, 5 + 5 * 4]
    np.testing.assert_allclose(encoded.train.X[:5], data.train.X, atol=1e-6)
    assert [name for name in encoded.feature_names if "bin" in name][-1] == "b^2_bin_4"
    alone = load(spec, tmp_path, [ple])
    np.testing.assert_array_equal(alone.dev.X, encoded.dev.X)
    test = open_test(spec, tmp_path, combined=False, encoding=ple)
    assert test.X.shape[0] == encoded.n_x
    both = load_folds(spec.model_copy(update={"folds": 3}), tmp_path, [STANDARD, ple])
    assert [each.encoded(ple).n_x for each in both] == [25, 25, 25]


@pytest.mark.usefixtures("table")
def test_encodings_without_a_number_in_its_output_are_refused(tmp_path: Path) -> None:
    spec = spec_of(returning(lambda X: X[["city"]]), folds=3)
    for prepare in (load, load_folds):
        with pytest.raises(UserError, match=r"'ple' applies to numeric columns, and the output of transform 'own' has"):
            prepare(spec, tmp_path, [Encoding("ple", 4)])


@pytest.mark.usefixtures("table")
def test_it_receives_typed_columns_without_those_that_are_not_features(tmp_path: Path) -> None:
    load(spec_of(Recorder(), ignore=("city",), time="when"), tmp_path)
    (seen,) = Recorder.fitted
    assert list(seen.columns) == ["a", "b", "flag", "words"]
    kinds = [pd.api.types.infer_dtype(seen[name].dropna()) for name in seen]
    assert kinds == ["floating", "floating", "floating", "string"]
    load(spec_of(Recorder()), tmp_path)
    assert pd.api.types.is_datetime64_dtype(Recorder.fitted[1]["when"])
    assert list(seen.index) == list(range(len(seen)))
    assert seen["a"].isna().any()
    assert set(seen["flag"].dropna()) == {0.0, 1.0}


@pytest.mark.usefixtures("table")
def test_missing_text_is_nan_as_scikit_learn_expects_it(tmp_path: Path) -> None:
    load(spec_of(Recorder()), tmp_path)
    missing = Recorder.fitted[0]["city"].isna()
    assert missing.any()
    assert all(isinstance(each, float) for each in Recorder.fitted[0]["city"][missing])


@pytest.mark.usefixtures("table")
def test_the_matrix_is_what_a_pipeline_by_hand_gives(tmp_path: Path) -> None:
    own = make_pipeline(
        ColumnTransformer([("ab", KNNImputer(), ["a", "b"])]), PolynomialFeatures(2, include_bias=False)
    )
    data = load(spec_of(own), tmp_path)
    load(spec_of(Recorder()), tmp_path)
    train, dev = Recorder.fitted[0], Recorder.transformed[1]
    by_hand = make_pipeline(own, StandardScaler()).fit(train)
    np.testing.assert_allclose(data.train.X.T, by_hand.transform(train), atol=1e-6)
    np.testing.assert_allclose(data.dev.X.T, by_hand.transform(dev), atol=1e-6)
    assert data.feature_names == tuple(own.fit(train).get_feature_names_out())
    rows = pd.read_csv(tmp_path / "table.csv").iloc[data.dev.rows]
    np.testing.assert_allclose(data.preprocessing.transform(rows), data.dev.X.T, atol=1e-6)


@pytest.mark.usefixtures("table")
def test_transformers_that_learn_from_the_target_and_from_free_text(tmp_path: Path) -> None:
    own = ColumnTransformer(
        [
            ("city", TargetEncoder(), ["city"]),
            ("best", SelectKBest(k=1), ["b", "flag"][:1]),
            ("t", CountVectorizer(), "words"),
        ],
        remainder="drop",
        verbose_feature_names_out=False,
    )
    data = load(spec_of(own), tmp_path)
    assert {"city", "b", "good", "bad", "day"} <= set(data.feature_names)
    again = load(spec_of(own), tmp_path)
    np.testing.assert_array_equal(data.train.X, again.train.X)  # although TargetEncoder shuffles


@pytest.mark.usefixtures("table")
def test_loading_leaves_numpys_generator_alone(tmp_path: Path) -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - checks that it is unused
    load(spec_of(ColumnTransformer([("city", TargetEncoder(), ["city"])])), tmp_path)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.usefixtures("table")
def test_the_test_set_and_the_combined_parts_are_transformed_alike(tmp_path: Path) -> None:
    own = ColumnTransformer([("b", StandardScaler(), ["b"])])
    data = load(spec_of(own), tmp_path)
    test = open_test(spec_of(own), tmp_path)
    np.testing.assert_allclose(
        data.preprocessing.transform(pd.read_csv(tmp_path / "table.csv").iloc[test.rows]), test.X.T, atol=1e-6
    )
    combined = load_combined(spec_of(Recorder()), tmp_path)
    assert len(Recorder.fitted[-1]) == combined.train.m == data.train.m + data.dev.m


def returning(make: Callable[[pd.DataFrame], Any]) -> FunctionTransformer:
    return FunctionTransformer(make)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda X: X[["a", "b"]].to_numpy(), ["own_0", "own_1", "missingindicator_own_0"]),
        (lambda X: scipy.sparse.csr_array(X[["b"]].to_numpy()), ["own_0"]),
        (lambda X: X[["b"]].astype(pd.SparseDtype(float, 0.0)), ["b"]),
        (lambda X: X["b"] > 0, ["b"]),
        (lambda X: X[["flag"]], ["flag", "missingindicator_flag"]),
        (lambda X: X[["city"]].fillna("none").to_numpy(), ["own_0_Lima", "own_0_Oslo", "own_0_Rome", "own_0_none"]),
        (
            lambda X: X[["b"]].assign(part=pd.cut(X["b"], [-9, 0, 9], labels=["low", "high"])),
            ["b", "part_high", "part_low"],
        ),
        (lambda X: X[["when"]].to_numpy(), [f"own_0_{each}" for each in ("year", "month", "day", "weekday", "hour")]),
    ],
)
def test_what_the_output_may_be(make: Callable[[pd.DataFrame], Any], names: list[str], tmp_path: Path) -> None:
    data = load(spec_of(returning(make)), tmp_path)
    assert list(data.feature_names) == names
    assert np.isfinite(data.dev.X).all()


@pytest.mark.usefixtures("table")
def test_nan_that_comes_out_is_a_missing_cell(tmp_path: Path) -> None:
    data = load(spec_of(returning(lambda X: X[["b"]].where(X[["b"]] < 1))), tmp_path)
    assert data.feature_names == ("b", "missingindicator_b")
    assert np.isfinite(data.train.X).all()


def only_on_train(X: pd.DataFrame) -> pd.DataFrame:
    """Two columns on train, and one on dev, which has fewer rows."""
    return X[["a", "b"]] if len(X) > M // 2 else X[["b"]]


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda X: X[["b"]][:-1],
            "must return one row for each input row, but returned 89 rows for 90 rows (on train)",
        ),
        (lambda X: X[["b"]][::-1], "must keep the order of the rows, but changed it (on train)"),
        (lambda X: X["b"].to_numpy(), "must return a table or an array (m, n), got 1 dimension"),
        (
            lambda X: pd.concat([X[["b"]], X[["b"]]], axis=1),
            "returned several columns with the same name: b; give each",
        ),
        (lambda X: X[[]], "must return at least one column"),
        (lambda X: X[["words"]], "returned no usable column: words (90 different texts in 90 cells)"),
        (lambda X: X[["b"]] * np.nan, "returned no usable column: b (no values in train)"),
        (lambda X: X[["b"]] * 1j, "returned complex numbers in column 'b'; return real numbers"),
        (lambda X: X[["b"]].assign(c=[[1, 2]] * len(X)), "returned a list in a cell of column 'c'"),
        (lambda X: X[["b"]].where(X[["b"]] < 1, np.inf), "returned an infinite value in column 'b', row "),
        (lambda X: X[["c"]], "failed on train (KeyError: \"None of [Index(['c']"),
        (only_on_train, "returned the columns b for table.csv, but a, b for train"),
        (
            lambda X: X[["b"]] if len(X) > M // 2 else X[["b"]].astype(str),
            "returned text in column 'b' for table.csv, ",
        ),
    ],
)
def test_what_is_wrong_with_the_output_is_answered_by_name(
    make: Callable[[pd.DataFrame], Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        load(spec_of(returning(make)), tmp_path)
    assert f"[data] transform: 'own' {message}" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2


@pytest.mark.usefixtures("table")
def test_an_error_says_which_columns_the_transformer_receives(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="ValueError: could not convert string to float") as caught:
        load(spec_of(StandardScaler(), ignore=("when",)), tmp_path)
    assert str(caught.value).splitlines()[1] == (
        "the transform receives the columns a (numbers), b (numbers), flag (numbers), city (text), words (text)"
    )


@pytest.mark.usefixtures("table")
def test_sparse_output_that_does_not_fit_into_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "LARGEST", 1 << 20)
    wide = returning(lambda X: scipy.sparse.csr_array((len(X), 100_000)))
    with pytest.raises(UserError, match="a sparse matrix of 90 rows and 100,000 columns, which needs 72,000,000 bytes"):
        load(spec_of(wide), tmp_path)


@pytest.mark.usefixtures("table")
def test_a_plan_says_what_the_transformer_returned(tmp_path: Path) -> None:
    summary = look(spec_of(returning(lambda X: X[["b", "words"]])), tmp_path)
    assert "transform 'own' returned 2 columns" in summary.notes
    assert "columns of transform 'own' not used as features: words (90 different texts in 90 cells)" in summary.notes
    assert summary.columns_by_kind["text"] == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: 3, "must be a scikit-learn transformer, but 3 has no fit"),
        (lambda: StandardScaler, "must be a scikit-learn transformer, but "),
        (lambda: 1 / 0, r"could not be created \(ZeroDivisionError: division by zero\)"),
    ],
)
@pytest.mark.usefixtures("table")
def test_a_factory_that_makes_no_transformer_is_named(given: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"transform: 'own' {message}"):
        load(spec_of(given), tmp_path)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("Own", StandardScaler()), "transform name must consist of lowercase letters.*got 'Own'"),
        (("own", "scaler"), "transform 'own' must be a scikit-learn transformer or a function that returns one"),
        (("own", StandardScaler(), 1.5), "transform 'own': version must be an integer or a string, got 1.5"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_its_name(args: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        register_transform(*args[:2], version=args[2] if len(args) > 2 else 1)


def test_a_registered_transformer_is_not_changed_by_its_owner_or_by_a_study() -> None:
    scaler = StandardScaler()
    register_transform("own", scaler)
    scaler.set_params(with_mean=False)
    assert TRANSFORMS["own"].make().with_mean
    assert TRANSFORMS["own"].make() is not TRANSFORMS["own"].make()


FRAME = pd.DataFrame({"a": np.linspace(0, 1, 20), "b": np.cos(np.arange(20.0))})


def test_transformers_that_keep_their_promises() -> None:
    check_transform(Transform("own", lambda: PolynomialFeatures(2)), FRAME)
    check_transform(Transform("own", lambda: SelectKBest(k=1)), FRAME, FRAME["a"] > 0.5)


@pytest.mark.parametrize(
    ("make", "promise"),
    [
        (lambda: returning(lambda X: X - X.mean()), "must transform each row independently"),
        (lambda: returning(lambda X: X * np.random.default_rng().random()), "the same output each time"),
        (lambda: returning(lambda X: X[:-1]), "must return one row for each input row"),
        (
            lambda: FunctionTransformer(lambda X: X),
            "cannot be saved with the model, because no other process can import",
        ),
    ],
)
def test_a_promise_that_a_transformer_breaks_is_named(make: Any, promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_transform(Transform("own", make), FRAME)
