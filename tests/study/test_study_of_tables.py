"""A study of a table in memory is the study of its CSV file, whatever types its columns have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from support.command import run_study
from support.small_study import fingerprints

from study import Study
from study.errors import UserError

ROWS = 80
FIXED: dict[str, Any] = {
    "space": {"iterations": 20, "depth": 1, "units": 4},
    "sampler": "random",
    "folds": 0,
    "confirm": False,
    "baselines": False,
}


def mixed() -> pd.DataFrame:
    """Return a table with a column of every type."""
    rng = np.random.default_rng(0)

    def some(*values: Any) -> Any:
        return np.array(values, dtype=object)[rng.integers(0, len(values), ROWS)]

    moments = pd.date_range("2024-01-01", periods=ROWS, freq="7h")
    frame = pd.DataFrame(
        {
            "height": np.where(rng.random(ROWS) < 0.1, np.nan, rng.normal(170, 10, ROWS).round(1)),
            "weight": rng.normal(70, 9, ROWS).astype("float32"),
            "children": rng.integers(0, 9, ROWS),
            "town": some("Rome", "Oslo, N", 'the "Hague"', None),
            "code": some("01", "1", "2"),
            "grade": pd.Categorical(some(1, 2, 3, None)),
            "size": pd.Categorical(some("S", "M", "L")),
            "grounds": some("NA", "lime", "clay", None),
            "smoker": rng.random(ROWS) < 0.4,
            "member": pd.array(some(True, False, None), dtype="boolean"),
            "rooms": pd.array(some(1, 2, 3, None), dtype="Int64"),
            "seen": moments,
            "left": moments.tz_localize("Europe/Rome"),
            "took": pd.to_timedelta(rng.integers(60, 90_000, ROWS), unit="s"),
            "note": some("a\nb", "c", "ä"),
        }
    )
    frame["kind"] = np.where(frame["children"] + frame["smoker"] > 4, "large", "small")
    return frame


KINDS = {
    "categorical": ["code", "grade", "size"],
    "boolean": ["smoker", "member"],
    "dates": ["seen", "left"],
    "keep_na": ["grounds"],
}


def ran(study: Study) -> tuple[str, list[str | None]]:
    """Return the fingerprint of the data, and those of the trials."""
    study.run(n_trials=1, n_jobs=1, tracking=False, show_progress=False)
    with_data = study.optuna_study.user_attrs
    return str(with_data["fingerprint"]), [trial.fingerprint for trial in study.trials]


@pytest.mark.slow
def test_a_frame_its_csv_file_and_its_toml_are_one_study(tmp_path: Path) -> None:
    frame = mixed()
    frame.to_csv(tmp_path / "mixed.csv", index=False)
    of_frame = Study(frame, "kind", name="small", home=tmp_path / "a", **FIXED)
    assert {key: list(getattr(of_frame.spec.data, key)) for key in KINDS} == KINDS
    of_file = Study(tmp_path / "mixed.csv", "kind", home=tmp_path / "b", data_options=KINDS, **FIXED)
    expected = ran(of_frame)
    assert ran(of_file) == expected
    (tmp_path / "small.toml").write_text(of_frame.to_toml())
    command = ("run", tmp_path / "small.toml", "--home", tmp_path / "c", "--jobs", 1, "--trials", 1, "--no-tracking")
    done = run_study(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert [each for _, _, each in fingerprints(tmp_path / "c")] == expected[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "as_type",
    [
        lambda frame: frame.convert_dtypes(dtype_backend="numpy_nullable"),
        lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
        lambda frame: frame.set_index(frame.index[::-1]),
        lambda frame: (
            frame.drop(columns=["grade", "size"]).astype(object).join(frame[["grade", "size"]])[frame.columns]
        ),
    ],
    ids=["nullable", "pyarrow", "another index", "objects"],
)
def test_a_table_of_other_types_with_these_values_is_the_same(
    as_type: Callable[[pd.DataFrame], pd.DataFrame], tmp_path: Path
) -> None:
    frame = mixed().drop(columns=["took", "weight", "left", "seen"])
    kept = ran(Study(frame, "kind", home=tmp_path / "a", **FIXED))
    other = Study(as_type(frame), "kind", home=tmp_path / "b", **FIXED)
    assert ran(other)[1] == kept[1]


@pytest.mark.slow
def test_arrays_are_the_table_of_their_columns(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, 2))
    y = (X[:, 0] > 0).astype(int)
    frame = pd.DataFrame({"x_0": X[:, 0], "x_1": X[:, 1], "target": y})
    frame.to_csv(tmp_path / "t.csv", index=False)
    expected = ran(Study((X, y), home=tmp_path / "a", **FIXED))
    assert ran(Study(frame, "target", home=tmp_path / "b", **FIXED)) == expected
    assert ran(Study(tmp_path / "t.csv", "target", home=tmp_path / "c", **FIXED)) == expected
    assert ran(Study((frame[["x_0", "x_1"]], frame["target"]), home=tmp_path / "d", **FIXED)) == expected
    assert ran(Study([X.tolist(), y.tolist()], home=tmp_path / "e", **FIXED)) == expected
    assert ran(Study(pa.table(frame), -1, home=tmp_path / "f", **FIXED)) == expected


@pytest.mark.slow
def test_rows_in_any_form_are_predicted_alike(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, 2))
    study = Study((X, X[:, 0] > 0), home=tmp_path, **FIXED)
    study.run(n_trials=1, n_jobs=1, tracking=False, show_progress=False).finalize(tracking=False)
    frame = pd.DataFrame(X, columns=["x_0", "x_1"])
    predicted = study.predict(frame)
    pd.testing.assert_frame_equal(study.predict(X), predicted)
    pd.testing.assert_frame_equal(study.predict(pa.table(frame)), predicted)
    assert study.evaluate(pa.table(frame.assign(target=X[:, 0] > 0))).m == ROWS


def test_categories_and_texts_of_arrow_keep_their_kinds(tmp_path: Path) -> None:
    text = pa.array(["NA", "b"] * 20, pa.string_view())
    codes = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 20, pa.uint32()), pa.array(["1", "2"], pa.string_view()))
    table = pa.table({"text": text, "code": codes, "x": [k / 3 for k in range(40)], "y": ["k", "l", "l", "k"] * 10})
    spec = Study(table, "y", home=tmp_path, **FIXED).spec.data
    assert (spec.categorical, spec.keep_na) == (("code",), ("text",))


def test_images_become_an_npz_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 255, (ROWS, 4, 4)).astype("uint8")
    y = np.where(X.mean(axis=(1, 2)) > 127, "light", "dark")
    study = Study((X, y), home=tmp_path / "a", **FIXED)
    assert study.spec.data.kind == "arrays"
    np.savez(tmp_path / "t.npz", X=X, y=y)
    assert ran(study) == ran(Study(tmp_path / "t.npz", home=tmp_path / "b", **FIXED))


@pytest.mark.slow
def test_the_same_table_is_written_once_and_found_by_another_process(tmp_path: Path) -> None:
    study = Study(mixed(), "kind", home=tmp_path, **FIXED)
    again = Study(mixed(), "kind", home=tmp_path, **FIXED)
    assert study.name == again.name
    table, spec = sorted((tmp_path / "data").iterdir())
    assert study.to_toml() == spec.read_text().replace(table.name, str(table))
    loaded = Study.load(study.name, tmp_path)
    assert loaded.state == "new"
    assert ran(loaded)[1] == ran(study)[1]
    assert (
        Study.load(study.name, tmp_path).run(n_trials=1, n_jobs=1, tracking=False, show_progress=False).state
        == "complete"
    )


@pytest.mark.slow
def test_a_home_that_was_moved_goes_on_with_the_same_table(tmp_path: Path) -> None:
    (trial,) = ran(Study(mixed(), "kind", home=tmp_path / "a", **FIXED))[1]
    (tmp_path / "a").rename(tmp_path / "b")
    study = Study(mixed(), "kind", home=tmp_path / "b", **FIXED)
    assert [each.fingerprint for each in study.trials] == [trial]
    loaded = Study.load(study.name, tmp_path / "b")
    loaded.run(n_trials=2, n_jobs=1, tracking=False, show_progress=False)
    assert loaded.trials[0].fingerprint == trial
    assert ran(study)[1][0] == trial


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (lambda f: f.assign(c=1j), "column 'c' contains complex numbers"),
        (
            lambda f: f.assign(c=[[1, 2]] * ROWS),
            "column 'c' contains values of type list, not single values (row 1: '[1, 2]')",
        ),
        (
            lambda f: f.assign(c=pd.array([[1]] * ROWS, dtype=pd.ArrowDtype(pa.list_(pa.int64())))),
            "column 'c' contains",
        ),
        (lambda f: f.set_axis(["a"] * f.shape[1], axis=1), "got 1 repeated name: 'a'"),
        (lambda f: f.set_axis([1, "1", *f.columns[2:]], axis=1), "got 1 repeated name: '1'"),
        (lambda f: pd.concat({"x": f}, axis=1), "column names have 2 levels, such as ('x', 'height')"),
        (lambda f: f[["kind"]], "the table has only one column"),
        (lambda f: f.iloc[:0], "the table has no rows"),
        (lambda f: f["kind"], "must be a table with columns, got Series"),
        (lambda f: {"kind": f}, "must be a DataFrame, a pair (X, y) of arrays or the path of a table, got dict"),
    ],
)
def test_what_is_no_table_of_single_values_is_refused(
    data: Callable[[pd.DataFrame], object], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        Study(data(mixed()), "kind", home=tmp_path)
    assert str(caught.value).startswith("data: ")
    assert words in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"group": "twon"}, "group: column 'twon' not found; did you mean 'town'?"),
        ({"data_options": {"drop": ["twon"]}}, "data_options[\"drop\"]: column 'twon' not found; did you mean 'town'?"),
        ({"data_options": {"separator": ";"}}, 'data_options["separator"]: does not apply to data in memory'),
    ],
)
def test_a_column_that_is_not_there_is_refused(arguments: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        Study(mixed(), "kind", home=tmp_path, **arguments)
    assert str(caught.value).startswith(words)
    with pytest.raises(UserError, match=r"^target: column 'kin' not found; did you mean 'kind'"):
        Study(mixed(), "kin", home=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        (([[1], [2]], [1]), "data: X has 2 rows and y has 1 row; they must match"),
        (([1, 2], [1, 2]), "data: X must have at least 2 dimensions, got 1"),
        (([[1], [2, 3]], [1, 2]), "data: X must be a matrix; its rows differ in length"),
        (([[1], [2]], [[1, 2], [3, 4]]), "data: y must have 1 dimension, got 2"),
        (([[1j], [2]], [1, 2]), "data: X contains complex numbers"),
        (([[1]], [1], [2]), "data: a tuple must be a pair (X, y), got 3 elements"),
        ((pd.DataFrame({"target": [1, 2]}), [1, 2]), "target: X also has a column 'target'"),
    ],
)
def test_arrays_that_are_no_examples_and_labels_are_refused(
    pair: tuple[object, ...], words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError) as caught:
        Study(pair, home=tmp_path)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("labels", "kind"), [([0, 1], np.integer), ([True, False], np.bool_), (["07", "8"], str), (["no", "yes"], str)]
)
def test_predicted_labels_are_those_of_the_table(tmp_path: Path, labels: list[Any], kind: type) -> None:
    x = np.linspace(-1, 1, ROWS)
    frame = pd.DataFrame({"x": x, "label": np.array(labels, dtype=object)[(x > 0).astype(int)]}).infer_objects()
    study = Study(frame, "label", name="labels", n_trials=1, home=tmp_path, **FIXED)
    study.run(n_jobs=1, show_progress=False, tracking=False)
    final = study.finalize(tracking=False)
    predicted = study.predict(frame)["prediction"]
    assert set(predicted) <= set(labels)
    assert isinstance(final.model.classes_[0], kind)
