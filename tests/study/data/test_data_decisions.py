"""What is decided to read a table is said, and the spec can decide otherwise."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from study.data import Dataset, draft_spec, load, look
from study.errors import UserError
from study.spec.data import DataSpec

ROWS = 120


def write(folder: Path, separator: str = ",", **columns: Any) -> Path:
    """Write a table: a column x of numbers, these columns, and a target y of two classes unless one is given."""
    made = {"x": [i * 0.5 for i in range(ROWS)]} | columns
    made.setdefault("y", ["pq"[i % 2] for i in range(ROWS)])
    pd.DataFrame(made).to_csv(folder / "t.csv", index=False, sep=separator)
    return folder / "t.csv"


def read(folder: Path, **keys: Any) -> Dataset:
    return load(DataSpec(source="t.csv", target="y", **keys), folder)


def drafted(folder: Path) -> tuple[dict[str, Any], str]:
    """Return the [data] table that is drafted, and the comments of the spec."""
    text = draft_spec(folder / "t.csv", "y").text
    return tomllib.loads(text)["data"], "\n".join(line for line in text.splitlines() if line.startswith("#"))


def test_rows_whose_class_reads_as_missing_are_counted_and_can_be_kept(tmp_path: Path) -> None:
    write(tmp_path, y=["NA" if i % 5 == 0 else "pq"[i % 2] for i in range(ROWS)])
    data = read(tmp_path)
    assert data.classes == ("p", "q")
    assert any("24 of 120 rows are excluded" in note and "'NA' in 24" in note for note in data.notes)
    warning = next(each for each in look(DataSpec(source="t.csv", target="y"), tmp_path).warnings if each.severe)
    assert 'keep_na = ["y"]' in warning.message
    kept = read(tmp_path, keep_na=["y"])
    assert kept.classes == ("NA", "p", "q")
    assert not any("excluded" in note for note in kept.notes)


def test_na_can_be_a_category_and_is_named_where_it_is_none(tmp_path: Path) -> None:
    write(tmp_path, region=[("NA", "EU", "")[i % 3] for i in range(ROWS)])
    assert "region_NA" not in read(tmp_path).feature_names
    assert {"region_NA", "region_(missing)"} <= set(read(tmp_path, keep_na=["region"]).feature_names)
    decisions = look(DataSpec(source="t.csv", target="y"), tmp_path).decisions
    assert any(note.startswith("'NA' is treated as missing in region (") and "keep_na" in note for note in decisions)


def test_a_marker_of_one_column_is_a_value_in_another(tmp_path: Path) -> None:
    write(
        tmp_path,
        income=["unknown" if i % 10 == 0 else str(i) for i in range(ROWS)],
        reason=[("unknown", "known")[i % 2] for i in range(ROWS)],
    )
    data = read(tmp_path, missing={"income": ["unknown"]})
    assert {"income", "reason_unknown"} <= set(data.feature_names)
    everywhere = read(tmp_path, missing=["unknown"])
    assert "reason_unknown" not in everywhere.feature_names


def test_a_marker_may_be_bound_to_the_target(tmp_path: Path) -> None:
    write(tmp_path, y=["unknown" if i % 5 == 0 else "pq"[i % 2] for i in range(ROWS)])
    assert read(tmp_path, missing={"y": ["unknown"]}).classes == ("p", "q")
    assert read(tmp_path, missing=["unknown"]).classes == ("p", "q", "unknown")


@pytest.mark.parametrize("keys", [{"missing": {"incom": ["?"]}}, {"keep_na": ["incom"]}])
def test_markers_of_a_column_that_is_not_there_are_an_error(tmp_path: Path, keys: dict[str, Any]) -> None:
    write(tmp_path, income=range(ROWS))
    with pytest.raises(UserError, match=r"'incom'.*did you mean 'income'"):
        read(tmp_path, **keys)


def test_init_binds_what_it_takes_for_missing_and_says_so(tmp_path: Path) -> None:
    write(tmp_path, **{"in come": ["unknown" if i % 10 == 0 else str(i) for i in range(ROWS)]})
    keys, comments = drafted(tmp_path)
    assert keys["missing"] == {"in come": ["unknown"]}
    assert "'unknown' is treated as missing in in come (" in comments
    load(DataSpec(**keys), tmp_path)


@pytest.mark.parametrize("text", ["3+", "<0.05", "10+ years", "1e999"])
def test_init_takes_no_text_with_a_digit_for_missing(tmp_path: Path, text: str) -> None:
    write(tmp_path, dose=[text if i % 10 == 0 else str(i % 9) for i in range(ROWS)])
    keys, comments = drafted(tmp_path)
    assert "missing" not in keys
    assert keys["categorical"] == ["dose"]
    assert f"mixes numbers and text such as '{text}'" in comments
    assert load(DataSpec(**keys), tmp_path).column_names == ("x", "dose")


def test_grouped_digits_are_numbers_by_a_key_that_init_writes(tmp_path: Path) -> None:
    amounts = [i // 2 * 74 for i in range(ROWS)]
    write(tmp_path, income=[f"{amount:,}" for amount in amounts], y=[f"{3 * amount:,}.5" for amount in amounts])
    keys, _ = drafted(tmp_path)
    assert keys["thousands"] == ","
    assert "missing" not in keys
    spec = DataSpec(**keys | {"scale": "none"})
    data = load(spec, tmp_path)
    assert data.task == "regression"
    assert data.train.X[list(data.feature_names).index("income")].tolist() == [amounts[row] for row in data.train.rows]
    assert data.target_scale is not None
    expected = [3 * amounts[row] + 0.5 for row in data.train.rows]
    np.testing.assert_allclose(data.target_scale.to_units(data.train.Y)[0], expected, rtol=1e-3, atol=1.0)
    # A model that is handed a table of text reads it as the file was read.
    raw = pd.read_csv(tmp_path / "t.csv", dtype=str)
    assert data.preprocessing.named_steps["cells"].transform(raw)["income"].tolist() == amounts


def test_without_the_key_grouped_digits_are_named(tmp_path: Path) -> None:
    write(
        tmp_path, few=[f"{i * 37:,}" if i % 2 else "12" for i in range(ROWS)], text=["ab"[i % 2] for i in range(ROWS)]
    )
    found = [
        each
        for each in look(DataSpec(source="t.csv", target="y"), tmp_path).warnings
        if "thousands separators" in each.message
    ]
    assert [each.columns for each in found] == [("few",)]
    assert 'thousands = ","' in found[0].message
    write(tmp_path, few=["1,250" if i % 9 == 0 else str(i) for i in range(ROWS)])
    with pytest.raises(UserError, match='if 1,250 is a number, set \\[data\\] thousands = ","'):
        read(tmp_path)
    write(tmp_path, y=[f"{i * 37:,}" for i in range(ROWS)])
    with pytest.raises(UserError, match='set \\[data\\] thousands = ","'):
        read(tmp_path, task="regression")


@pytest.mark.parametrize(
    ("form", "keys"),
    [("{},5", {}), ("1.{:03d}.000,5", {"thousands": "."}), ("1 {:03d}", {"thousands": " "}), ("1'{:03d}", {})],
)
def test_marks_of_other_countries(tmp_path: Path, form: str, keys: dict[str, Any]) -> None:
    write(tmp_path, ";", x=range(ROWS), a=[form.format(i % 40) for i in range(ROWS)])
    found = draft_spec(tmp_path / "t.csv", "y").text if "'" in form else ""
    keys = tomllib.loads(found).get("data", {"source": "t.csv", "target": "y"} | keys)
    assert [column.kind for column in look(DataSpec(**keys), tmp_path).columns if column.name == "a"] == ["numeric"]


def test_a_comma_that_may_group_digits_is_said_and_drafted(tmp_path: Path) -> None:
    write(tmp_path, ";", x=range(ROWS), a=[f"{1 + i % 9},{100 + i}" for i in range(ROWS)])
    data = read(tmp_path)
    said = next(note for note in data.notes if "decimal comma" in note)
    assert "1,100 is read as 1.100" in said
    assert 'set [data] thousands = ","' in said
    keys, comments = drafted(tmp_path)
    assert keys["decimal"] == ","
    assert "1,100 is read as 1.100" in comments
    grouped = read(tmp_path, thousands=",", scale="none")
    assert grouped.train.X[list(grouped.feature_names).index("a")].min() >= 1000


@pytest.mark.parametrize("other", ["0.5", "1,234,567", "1,234.5"])
def test_beside_numbers_with_a_point_a_comma_groups_digits(tmp_path: Path, other: str) -> None:
    write(tmp_path, ";", x=range(ROWS), a=[other if i == 3 else f"{1 + i % 9},{100 + i}" for i in range(ROWS)])
    assert not any("decimal comma" in note for note in read(tmp_path).notes)
    assert drafted(tmp_path)[0]["thousands"] == ","


def test_the_order_of_day_and_month_is_said_and_can_be_set(tmp_path: Path) -> None:
    write(tmp_path, seen=[f"{1 + i % 12:02d}/{1 + i % 11:02d}/2024" for i in range(ROWS)])
    note = next(note for note in read(tmp_path).notes if note.startswith("seen: dates"))
    assert note.endswith("if the month comes first, set [data] day_first = false")
    months = read(tmp_path, day_first=False, scale="none")
    features = dict(zip(months.feature_names, months.train.X, strict=True))
    assert features["seen_month"].tolist() == [1 + row % 12 for row in months.train.rows]
    write(tmp_path, seen=[f"{1 + i % 28:02d}/{1 + i % 11:02d}/2024" for i in range(ROWS)])
    note = next(note for note in read(tmp_path).notes if note.startswith("seen: dates"))
    assert "day_first" not in note


def test_how_a_time_column_is_read_is_said(tmp_path: Path) -> None:
    write(tmp_path, when=[f"{1 + i % 12:02d}/{1 + i // 12:02d}/2024" for i in range(ROWS)])
    assert any(note.startswith("when: dates; '") for note in read(tmp_path, time="when").notes)
