"""Kinds of columns, missing cells, categories, dates and scales: what goes in and what comes out."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from study.data import load, load_combined, load_folds, open_test
from study.errors import UserError
from study.spec.data import DataSpec

ROWS = 200


def table(**columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    base: dict[str, Any] = {"x": rng.normal(size=ROWS)} | columns
    return pd.DataFrame(base | {"y": np.where(np.arange(ROWS) % 2, "p", "q")})


def loaded(tmp_path: Path, frame: pd.DataFrame, **keys: Any) -> Any:
    frame.to_csv(tmp_path / "t.csv", index=False)
    return load(DataSpec(source="t.csv", **keys), tmp_path)


def feature(data: Any, name: str, part: str = "train") -> Any:
    return getattr(data, part).X[data.feature_names.index(name)]


def test_missing_numbers_take_the_median_and_an_indicator(tmp_path: Path) -> None:
    values = np.arange(ROWS, dtype=float)
    for marker in ("", "NA", "?", "NaN", "-9"):
        cells = [marker if i % 10 == 3 else str(value) for i, value in enumerate(values)]
        data = loaded(tmp_path, table(a=cells), missing=["-9"], scale="none")
        gaps = data.train.rows % 10 == 3
        median = np.median(values[data.train.rows][~gaps])
        np.testing.assert_array_equal(feature(data, "a")[gaps], np.float32(median))
        np.testing.assert_array_equal(feature(data, "missingindicator_a"), gaps.astype(np.float32))
        assert "missingindicator_x" not in data.feature_names


@pytest.mark.parametrize(("scale", "low", "high"), [("minmax", 0, 1), ("robust", -3, 3), ("none", 100, 300)])
def test_scales(tmp_path: Path, scale: str, low: float, high: float) -> None:
    data = loaded(tmp_path, table(a=np.linspace(100, 300, ROWS)), scale=scale)
    a = feature(data, "a")
    assert a.min() >= low - 1e-5
    assert a.max() <= high + 1e-3
    if scale == "robust":
        np.testing.assert_allclose(np.quantile(a, 0.75) - np.quantile(a, 0.25), 1, atol=1e-5)
        np.testing.assert_allclose(np.median(a), 0, atol=1e-5)


def test_rare_and_unseen_categories_share_a_column(tmp_path: Path) -> None:
    frame = table(town=["Paris" if i % 2 else "Rome" for i in range(ROWS)])
    first = loaded(tmp_path, frame)
    dev, train = first.dev.rows, first.train.rows
    frame.loc[train[:2], "town"] = "Oslo"
    frame.loc[dev[0], "town"] = "Atlantis"
    frame.loc[dev[1], "town"] = ""
    data = loaded(tmp_path, frame)
    towns = [name for name in data.feature_names if name.startswith("town")]
    assert towns == ["town_Paris", "town_Rome", "town_infrequent_sklearn"]
    assert feature(data, "town_infrequent_sklearn").sum() == 2
    assert feature(data, "town_infrequent_sklearn", "dev")[:2].tolist() == [1, 1]


def test_a_missing_category_is_a_category(tmp_path: Path) -> None:
    data = loaded(tmp_path, table(town=["", "Paris", "Rome", "Rome"] * (ROWS // 4)))
    np.testing.assert_array_equal(feature(data, "town_(missing)"), data.train.rows % 4 == 0)


@pytest.mark.parametrize("words", [("yes", "no"), ("True", "False"), ("T", "f"), ("Y", "N")])
def test_truth_values(tmp_path: Path, words: tuple[str, str]) -> None:
    data = loaded(tmp_path, table(flag=[words[i % 2] for i in range(ROWS)]))
    np.testing.assert_array_equal(feature(data, "flag"), 1 - data.train.rows % 2)


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%d/%m/%Y", "%m/%d/%Y %H:%M", "%d.%m.%Y", "%d %b %Y", "%Y/%m/%d"]
)
def test_dates(tmp_path: Path, form: str) -> None:
    days = pd.date_range("2022-11-03 05:00", periods=ROWS, freq="31h")
    data = loaded(tmp_path, table(when=days.strftime(form)), scale="none")
    there = days[data.train.rows]
    clock = "%H" in form
    for field, values in {
        "year": there.year,
        "month": there.month,
        "day": there.day,
        "weekday": there.day_of_week,
        "hour": there.hour if clock else np.zeros(len(there)),
    }.items():
        np.testing.assert_array_equal(feature(data, f"when_{field}"), np.asarray(values, dtype=np.float32))


def test_a_missing_date_has_one_indicator(tmp_path: Path) -> None:
    days = pd.Series(pd.date_range("2022-11-03", periods=ROWS).strftime("%Y-%m-%d"))
    days[::7] = ""
    data = loaded(tmp_path, table(when=days))
    assert [name for name in data.feature_names if "indicator" in name] == ["missingindicator_when_year"]


def test_columns_that_say_nothing_are_left_out_and_named(tmp_path: Path) -> None:
    data = loaded(tmp_path, table(name=[f"n{i}" for i in range(ROWS)], void=[""] * ROWS))
    assert data.column_names == ("x",)
    assert any("name (" in note and "void (no values in train)" in note for note in data.notes)
    assert "name" in loaded(tmp_path, table(name=[f"n{i}" for i in range(ROWS)]), categorical=["name"]).column_names


def test_drop_and_ignore(tmp_path: Path) -> None:
    data = loaded(tmp_path, table(a=range(ROWS), b=range(ROWS)), drop=["a"], ignore=["b"])
    assert data.column_names == ("x",)


def test_numbers_named_categorical(tmp_path: Path) -> None:
    data = loaded(tmp_path, table(code=[[3, 12, 7][i % 3] for i in range(ROWS)]), categorical=["code"])
    assert [name for name in data.feature_names if name.startswith("code")] == ["code_12", "code_3", "code_7"]


def test_text_in_dev_counts_as_missing_and_is_said(tmp_path: Path) -> None:
    frame = table(a=[str(i) for i in range(ROWS)])
    dev = loaded(tmp_path, frame).dev.rows
    frame.loc[dev[3], "a"] = "lost"
    data = loaded(tmp_path, frame)
    assert any("'lost'" in note and f"row {dev[3] + 1}" in note and "dev" in note for note in data.notes)
    assert np.isfinite(data.dev.X).all()
    test = open_test(DataSpec(source="t.csv"), tmp_path).rows
    frame.loc[test[0], "a"] = "gone"
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert "'gone'" in open_test(DataSpec(source="t.csv"), tmp_path).notes[0]


def test_text_in_dev_stops_neither_folds_nor_the_final_model(tmp_path: Path) -> None:
    days = pd.date_range("2022-11-03", periods=ROWS).strftime("%Y-%m-%d").to_series(index=range(ROWS))
    frame = table(a=[str(i) for i in range(ROWS)], when=days, flag=["yes", "no"] * (ROWS // 2))
    clean = loaded(tmp_path, frame)
    frame.loc[clean.dev.rows[3], ["a", "when", "flag"]] = "lost"
    data = loaded(tmp_path, frame)
    spec = DataSpec(source="t.csv", folds=3)
    combined = load_combined(spec, tmp_path)
    assert combined.column_names == data.column_names == clean.column_names
    assert {"a", "when_year", "flag"} <= set(combined.feature_names)
    assert all("a" in fold.feature_names for fold in load_folds(spec, tmp_path))
    assert open_test(spec, tmp_path, combined=True).X.shape[0] == combined.n_x


def test_a_table_of_typed_cells_goes_through_the_same_preprocessing(tmp_path: Path) -> None:
    """What pd.read_csv makes of the file gives the same matrix as the raw cells did."""
    frame = table(
        code=[[3, 12, None][i % 3] for i in range(ROWS)],
        flag=[[True, False][i % 2] for i in range(ROWS)],
        town=[["Paris", "Rome", None][i % 3] for i in range(ROWS)],
        when=pd.date_range("2022-11-03", periods=ROWS).strftime("%Y-%m-%d"),
        amount=[f"{i}" if i % 5 else "?" for i in range(ROWS)],
    )
    data = loaded(tmp_path, frame, categorical=["code"])
    for typed in (
        pd.read_csv(tmp_path / "t.csv"),
        pd.read_csv(tmp_path / "t.csv", dtype=str),
        pd.read_csv(tmp_path / "t.csv", parse_dates=["when"]),
        pd.read_csv(tmp_path / "t.csv", dtype_backend="pyarrow"),
        pd.read_csv(tmp_path / "t.csv").convert_dtypes(),
    ):
        shuffled = typed.iloc[data.dev.rows][typed.columns[::-1]]
        again = data.preprocessing.transform(shuffled).T.astype(np.float32)
        np.testing.assert_array_equal(again, data.dev.X)


def test_preprocessing_survives_pickling(tmp_path: Path) -> None:
    data = loaded(tmp_path, table(town=["Paris", "Rome"] * (ROWS // 2)))
    again = pickle.loads(pickle.dumps(data.preprocessing))  # noqa: S301 - made two lines above
    raw = pd.read_csv(tmp_path / "t.csv").iloc[data.dev.rows]
    np.testing.assert_array_equal(again.transform(raw), data.preprocessing.transform(raw))


def test_parquet_keeps_types(tmp_path: Path) -> None:
    frame = table(
        when=pd.date_range("2022-11-03", periods=ROWS, freq="h"),
        flag=pd.array([True, False, None, True] * (ROWS // 4), dtype="boolean"),
        town=pd.Categorical(["Paris", "Rome"] * (ROWS // 2)),
        whole=pd.array([1, None, 3, 4] * (ROWS // 4), dtype="Int64"),
    )
    frame.to_parquet(tmp_path / "t.parquet")
    data = load(DataSpec(source="t.parquet"), tmp_path)
    assert {"when_hour", "flag", "missingindicator_flag", "town_Paris", "whole", "missingindicator_whole"} <= set(
        data.feature_names
    )
    again = data.preprocessing.transform(frame.iloc[data.dev.rows]).T.astype(np.float32)
    np.testing.assert_array_equal(again, data.dev.X)


@pytest.mark.parametrize(("index", "expected"), [(None, ["x", "t"]), ("day", ["day", "x", "t"])])
def test_the_index_of_a_frame_is_neither_the_target_nor_a_feature_unless_it_has_a_name(
    tmp_path: Path, index: str | None, expected: list[str]
) -> None:
    frame = table().rename(columns={"y": "t"})
    frame = frame.set_index(pd.Index(np.random.default_rng(0).permutation(ROWS), name=index))
    frame.to_parquet(tmp_path / "t.parquet")
    assert pyarrow.parquet.read_schema(tmp_path / "t.parquet").names[-1] == (index or "__index_level_0__")
    data = load(DataSpec(source="t.parquet"), tmp_path)
    assert [*data.column_names, data.target_name] == expected
    assert any("unnamed index" in note for note in data.notes) == (index is None)


def test_columns_of_equal_name_in_parquet_are_told_apart(tmp_path: Path) -> None:
    frame = table()
    arrays = [pa.array(frame[name]) for name in ("x", "x", "y")]
    pyarrow.parquet.write_table(pa.Table.from_arrays(arrays, ["a", "a", "y"]), tmp_path / "t.parquet")
    data = load(DataSpec(source="t.parquet"), tmp_path)
    assert data.column_names == ("a", "a.1")
    assert "duplicate column names were changed: a.1" in data.notes


def test_names_that_would_collide_are_told_apart(tmp_path: Path) -> None:
    days = pd.date_range("2022-11-03", periods=ROWS).strftime("%Y-%m-%d")
    towns = ["Paris", "Rome"] * (ROWS // 2)
    frame = table(when=days, when_year=range(ROWS), town=towns, town_Rome=range(ROWS))
    data = loaded(tmp_path, frame, scale="none")
    assert len(set(data.feature_names)) == data.n_x
    assert {"when_year", "when_year_"} <= set(data.feature_names)
    np.testing.assert_array_equal(feature(data, "when_year"), data.train.rows)
    np.testing.assert_array_equal(feature(data, "numbers__town_Rome"), data.train.rows)


def test_grouped_digits_in_a_column_named_numeric_are_answered_with_the_key_that_reads_them(tmp_path: Path) -> None:
    rows = "".join(f'"1,{200 + i}",{"ab"[i % 2]}\n' for i in range(60))
    (tmp_path / "t.csv").write_text(f"income,kind\n{rows}")
    with pytest.raises(
        UserError, match=r"'1,2\d\d', which is not a number; if 1,2\d\d is a number, set \[data\] thous"
    ):
        load(DataSpec(source="t.csv", target="kind", numeric=("income",)), tmp_path)
