"""A frame, its CSV file and its Parquet file are read alike, whatever types pandas gives the cells."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from support.kinds_of_tables import KINDS, ROWS

from study.data import Dataset, load, open_test, read_cells
from study.errors import UserError
from study.spec.data import DataSpec

SOURCES = ("csv", "parquet")


def written(tmp_path: Path, frame: pd.DataFrame, source: str) -> str:
    name = f"train.{source}"
    if source == "csv":
        frame.to_csv(tmp_path / name, index=False)
    else:
        frame.to_parquet(tmp_path / name)
    return name


def loaded(tmp_path: Path, frame: pd.DataFrame, source: str = "csv", **keys: Any) -> Dataset:
    return load(DataSpec(source=written(tmp_path, frame, source), target="y", **keys), tmp_path)


def ways_in(tmp_path: Path, frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the same rows as a person may have them."""
    frame.to_csv(tmp_path / "new.csv", index=False)
    frame.to_parquet(tmp_path / "new.parquet")
    spec = DataSpec(source="new.csv")
    return {
        "frame": frame,
        "nullable types": frame.convert_dtypes(),
        "arrow types": pd.read_parquet(tmp_path / "new.parquet", dtype_backend="pyarrow"),
        "objects": frame.astype(object),
        "categories": frame.astype(dict.fromkeys(frame.columns, "category")),
        "CSV": read_cells(tmp_path / "new.csv", spec).frame,
        "CSV by pandas, text": pd.read_csv(tmp_path / "new.csv", dtype=str),
        "Parquet": read_cells(tmp_path / "new.parquet", spec).frame,
    }


def assert_alike(data: Dataset, frames: dict[str, pd.DataFrame]) -> None:
    expected = data.preprocessing.transform(frames["frame"])
    assert np.isfinite(expected).all()
    assert (np.ptp(expected, axis=0) > 0).any()
    for way, frame in frames.items():
        # As near as a float32 and the decimal that pandas writes for it.
        np.testing.assert_allclose(data.preprocessing.transform(frame), expected, atol=2e-6, err_msg=way)


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("kind", ["mixed", "codes", "integers"])
def test_every_kind_of_column(tmp_path: Path, kind: str, source: str) -> None:
    categories = {"codes": ["postcode", "version", "flag"], "integers": ["brand"], "mixed": []}[kind]
    frame = KINDS[kind].frame()
    data = loaded(tmp_path, frame, source, categorical=categories)
    assert_alike(data, ways_in(tmp_path, frame))
    np.testing.assert_array_equal(data.preprocessing.transform(frame)[data.dev.rows].astype(np.float32).T, data.dev.X)


@pytest.mark.parametrize("source", SOURCES)
def test_dates_zones_durations_and_categories(tmp_path: Path, source: str) -> None:
    frame = KINDS["typed"].frame()
    data = loaded(tmp_path, frame, source)
    assert {"took", "seen_hour", "left_hour", "member", "town_Rome"} <= set(data.feature_names)
    # A CSV file cannot say that these numbers are categories.
    assert ("brand_3" in data.feature_names) == (source == "parquet")
    assert_alike(data, ways_in(tmp_path, frame))


def test_durations_are_seconds(tmp_path: Path) -> None:
    took = pd.to_timedelta(["1h", "1s", "-1s", "25h"] * (ROWS // 4))
    frame = pd.DataFrame({"took": took, "x": np.arange(ROWS), "y": np.arange(ROWS) * 0.5})
    for source in SOURCES:
        data = loaded(tmp_path, frame, source, scale="none")
        np.testing.assert_array_equal(data.preprocessing.transform(frame)[:4, 0], [3600, 1, -1, 90_000])


@pytest.mark.parametrize(
    ("text", "typed", "lost"),
    [
        (["01234", "56789"], [1234, 56789], "01234"),
        (["1.1", "1.10"], [1.1, 1.1], "1.10"),
        (["1e3", "2"], [1000.0, 2.0], "1e3"),
        (["007", "b"], [7, "b"], "007"),
    ],
)
def test_numbers_are_refused_where_they_cannot_hold_the_categories(
    tmp_path: Path, text: list[str], typed: list[Any], lost: str
) -> None:
    frame = pd.DataFrame({"code": text * (ROWS // 2), "x": np.arange(ROWS), "y": np.arange(ROWS) * 0.5})
    data = loaded(tmp_path, frame, categorical=["code"])
    with pytest.raises(
        UserError, match=rf"column 'code' contains numbers, but train has the category '{lost}'.*dtype=str"
    ):
        data.preprocessing.transform(frame.assign(code=typed * (ROWS // 2)))
    data.preprocessing.transform(frame)


def test_numbers_are_found_in_a_column_of_any_type(tmp_path: Path) -> None:
    frame = pd.DataFrame({"code": ["01", "2"] * (ROWS // 2), "x": np.arange(ROWS), "y": np.arange(ROWS) * 0.5})
    data = loaded(tmp_path, frame, categorical=["code"])
    numbers = pa.array([1, 2] * (ROWS // 2))
    for dtype, values in (
        ("category", numbers),
        ("Int64", numbers),
        (pd.ArrowDtype(pa.dictionary(pa.int32(), pa.int64())), numbers.dictionary_encode()),
    ):
        with pytest.raises(UserError, match="contains numbers"):
            data.preprocessing.transform(frame.assign(code=pd.Series(values.to_pylist(), dtype=dtype)))
    empty = data.preprocessing.transform(frame.assign(code=np.nan))
    np.testing.assert_array_equal(empty, data.preprocessing.transform(frame.assign(code="")))


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    frame = KINDS["integers"].frame()
    data = loaded(tmp_path, frame)
    with pytest.raises(UserError, match="the table has more than one column named 'year'"):
        data.preprocessing.transform(pd.concat([frame, frame[["year"]]], axis=1))


def test_categories_that_numbers_can_hold_may_come_as_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"code": ["3", "12", "1.5", "b"] * (ROWS // 4), "x": 1, "y": np.arange(ROWS) * 0.5})
    data = loaded(tmp_path, frame, categorical=["code"])
    few = frame[:3]
    expected = data.preprocessing.transform(few)
    for typed in ([3, 12, 1.5], pd.array([3, 12, 1.5], dtype="float32"), [3, "12", 1.5]):
        np.testing.assert_array_equal(data.preprocessing.transform(few.assign(code=typed)), expected)


def test_whole_numbers_of_any_length_stay_themselves(tmp_path: Path) -> None:
    codes = [9007199254740993, 9007199254740992]
    frame = pd.DataFrame({"code": codes * (ROWS // 2), "x": 1, "y": np.arange(ROWS) * 0.5})
    data = loaded(tmp_path, frame, categorical=["code"])
    assert {"code_9007199254740993", "code_9007199254740992"} <= set(data.feature_names)
    np.testing.assert_array_equal(data.preprocessing.transform(frame)[:2, -2:].argmax(axis=1), [1, 0])


@pytest.mark.parametrize("words", [("true", "false"), ("TRUE", "FALSE"), ("True", "False")])
def test_truth_values_that_pandas_finds_are_categories_as_they_are_spelled(
    tmp_path: Path, words: tuple[str, str]
) -> None:
    frame = pd.DataFrame({"flag": [*words, "maybe", ""] * (ROWS // 4), "x": 1, "y": np.arange(ROWS) * 0.5})
    data = loaded(tmp_path, frame)
    frame[:2].to_csv(tmp_path / "new.csv", index=False)
    few = pd.read_csv(tmp_path / "new.csv")
    assert few["flag"].dtype == bool
    np.testing.assert_array_equal(data.preprocessing.transform(few), data.preprocessing.transform(frame[:2]))


def test_what_pandas_takes_for_missing_is_missing(tmp_path: Path) -> None:
    markers = ["", "None", "NULL", "n/a", "NA", "nan", "<NA>", "#N/A", "#NA", "-nan", "1.#IND", "null"]
    town = [markers[i // 2 % len(markers)] if i % 2 else ["Rome", "Oslo"][i % 4 // 2] for i in range(ROWS)]
    size = [markers[i // 2 % len(markers)] if i % 2 else str(i) for i in range(ROWS)]
    frame = pd.DataFrame({"town": town, "size": size, "y": np.arange(ROWS) * 0.5})
    data = loaded(tmp_path, frame)
    assert {"town_(missing)", "size"} <= set(data.feature_names)
    by_pandas = pd.read_csv(tmp_path / "train.csv")
    assert by_pandas["town"].isna().sum() == ROWS // 2
    np.testing.assert_array_equal(data.preprocessing.transform(by_pandas), data.preprocessing.transform(frame))


def test_none_is_a_class_of_a_target(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(ROWS), "y": ["None", "Insomnia", "Apnea"] * (ROWS // 3)})
    assert loaded(tmp_path, frame).classes == ("Apnea", "Insomnia", "None")


def test_a_marker_that_is_a_number_is_one_however_it_is_written(tmp_path: Path) -> None:
    size = ["-9" if i % 5 == 0 else "-9.0" if i % 5 == 1 else str(i) for i in range(ROWS)]
    frame = pd.DataFrame({"size": size, "y": np.arange(ROWS) * 0.5})
    data = loaded(tmp_path, frame, missing=["-9"], scale="none")
    expected = data.preprocessing.transform(frame)
    np.testing.assert_array_equal(expected[:, 1], np.arange(ROWS) % 5 < 2)
    np.testing.assert_array_equal(data.preprocessing.transform(pd.read_csv(tmp_path / "train.csv")), expected)


def test_numbers_among_text_are_numbers_whatever_the_decimal_mark(tmp_path: Path) -> None:
    frame = pd.DataFrame({"size": np.arange(ROWS) / 4, "x": 1, "y": np.arange(ROWS) * 0.5})
    frame.to_csv(tmp_path / "train.csv", index=False, sep=";", decimal=",")
    data = load(DataSpec(source="train.csv"), tmp_path)
    np.testing.assert_array_equal(
        data.preprocessing.transform(frame.astype(object)), data.preprocessing.transform(frame)
    )


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%m/%d/%Y %H:%M"])
def test_moments_and_iso_dates_are_read_in_a_column_of_any_format(tmp_path: Path, form: str) -> None:
    days = pd.Series(pd.date_range("2024-01-01", periods=ROWS, freq="33D"))
    frame = pd.DataFrame({"when": days.dt.strftime(form), "x": 1, "y": np.arange(ROWS) * 0.5})
    data = loaded(tmp_path, frame)
    expected = data.preprocessing.transform(frame)
    for moments in (days, days.astype(object), days.dt.date, days.dt.strftime("%Y-%m-%d"), days.dt.tz_localize("UTC")):
        np.testing.assert_array_equal(data.preprocessing.transform(frame.assign(when=moments)), expected)


def test_grouped_digits_are_read_by_every_way_in(tmp_path: Path) -> None:
    amounts = [1000 + 37 * i for i in range(ROWS)]
    frame = pd.DataFrame(
        {
            "amount": [f"{amount:,}" for amount in amounts],
            "size": [f"{1000 * (1 + i % 3):,}" for i in range(ROWS)],
            "y": [f"{3 * amount:,}.5" for amount in amounts],
        }
    )
    data = loaded(tmp_path, frame, thousands=",", categorical=("size",))
    assert data.task == "regression"
    assert data.dialect["thousands"] == ","
    new = frame.drop(columns="y")
    ways = ways_in(tmp_path, new)
    ways["CSV by pandas, numbers"] = pd.read_csv(tmp_path / "new.csv", thousands=",")
    ways["text beside numbers"] = new.assign(amount=[amounts[0], *new["amount"][1:]])
    assert_alike(data, ways)


def test_a_test_file_has_its_digits_grouped_as_train_has(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [f"{1000 + 37 * i:,}" for i in range(ROWS)], "y": ["pq"[i % 2] for i in range(ROWS)]})
    frame.to_csv(tmp_path / "test.csv", index=False)
    keys = {"thousands": ",", "test": "test.csv", "split": (0.7, 0.3), "scale": "none"}
    spec = DataSpec(source=written(tmp_path, frame, "csv"), target="y", **keys)  # type: ignore[arg-type]
    assert open_test(spec, tmp_path).X[0].tolist() == [1000 + 37 * i for i in range(ROWS)]


def test_markers_of_single_columns_hold_by_every_way_in(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "income": ["unknown" if i % 9 == 0 else str(i) for i in range(ROWS)],
            "reason": [("unknown", "known")[i % 2] for i in range(ROWS)],
            "region": [("NA", "EU", "None")[i % 3] for i in range(ROWS)],
            "y": ["pq"[i % 2] for i in range(ROWS)],
        }
    )
    data = loaded(tmp_path, frame, missing={"income": ["unknown"]}, keep_na=("region",))
    assert {"income", "reason_unknown", "region_NA", "region_None"} <= set(data.feature_names)
    ways = ways_in(tmp_path, frame.drop(columns="y"))
    ways["CSV by pandas, text"] = pd.read_csv(tmp_path / "new.csv", dtype=str, keep_default_na=False)
    assert_alike(data, ways)
