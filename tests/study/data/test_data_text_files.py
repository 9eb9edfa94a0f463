"""Text files as people have them: separators, quotes, headers, decimal commas, encodings."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from study.data import load
from study.spec.data import DataSpec

COLUMNS = ["size", "town", "kind"]
ROWS = [[round(1.5 + i * 0.37, 2), ["Köln", "Paris", "St. Ives"][i % 3], "ab"[i % 2]] for i in range(60)]
PLAIN = pd.DataFrame(ROWS, columns=COLUMNS)


def plain(tmp_path: Path) -> np.ndarray:
    PLAIN.to_csv(tmp_path / "plain.csv", index=False)
    return load(DataSpec(source="plain.csv"), tmp_path).train.X


WAYS: dict[str, dict[str, Any]] = {
    "semicolon and decimal comma": {"sep": ";", "decimal": ","},
    "tab": {"sep": "\t"},
    "bar": {"sep": "|"},
    "space": {"sep": " "},
    "cp1252": {"encoding": "cp1252"},
    "utf-8 with a mark": {"encoding": "utf-8-sig"},
    "utf-16": {"encoding": "utf-16"},
    "single quotes": {"quotechar": "'", "quoting": 2},
    "double quotes": {"quoting": 1},
    "line ends of Windows": {"lineterminator": "\r\n"},
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_table_however_it_is_written(tmp_path: Path, way: str) -> None:
    expected = plain(tmp_path)
    PLAIN.to_csv(tmp_path / "t.csv", index=False, **WAYS[way])
    data = load(DataSpec(source="t.csv"), tmp_path)
    np.testing.assert_array_equal(data.train.X, expected)
    assert "t.csv: encoding" in data.notes[0]
    assert data.column_names == ("size", "town")


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize(("separator", "columns"), [(";", 2), (";", 6), ("\t", 3), ("|", 3)])
def test_decimal_commas_in_all_columns_are_no_separators(
    tmp_path: Path, separator: str, columns: int, header: bool
) -> None:
    values = np.random.default_rng(0).normal(size=(300, columns)).round(3) + 0.0005
    frame = pd.DataFrame(values).add_prefix("größe").assign(preis=values.sum(axis=1))
    options = {"sep": separator, "decimal": ",", "header": header, "encoding": "cp1252", "float_format": "%.4f"}
    frame.to_csv(tmp_path / "t.csv", index=False, **options)
    data = load(DataSpec(source="t.csv"), tmp_path)
    assert (len(data.column_names), data.task) == (columns, "regression")
    assert data.target_name == ("preis" if header else f"column_{columns}")


def test_a_semicolon_within_cells_is_no_separator(tmp_path: Path) -> None:
    rows = "".join(f"{i * 0.5},{'a;b' if i % 3 else 'c;d'},{'xy'[i % 2]}\n" for i in range(40))
    (tmp_path / "t.csv").write_text(f"size,tags,kind\n{rows}")
    assert load(DataSpec(source="t.csv"), tmp_path).column_names == ("size", "tags")


def test_what_is_set_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a|b,y\n" + "".join(f"{i}|{i % 5},{'pq'[i % 2]}\n" for i in range(40)))
    data = load(DataSpec(source="t.csv", separator=","), tmp_path)
    assert data.column_names == () or data.column_names == ("a|b",)


@pytest.mark.parametrize(
    ("first", "header"),
    [("a,b,c", True), ("5.1,3,x", False), ("0,1,2", True), (",b,c", True), ("1,?,x", False), ("x,y,z", True)],
)
def test_header(tmp_path: Path, first: str, header: bool) -> None:
    rest = "".join(f"{i * 0.5},{i % 4},{'xy'[i % 2]}\n" for i in range(40))
    (tmp_path / "t.csv").write_text(first + "\n" + rest)
    data = load(DataSpec(source="t.csv", target=-1), tmp_path)
    assert data.train.m + data.dev.m == pytest.approx(0.8 * (40 + (not header)), abs=1)
    assert ("column_1" in data.column_names) == (not header)
    forced = load(DataSpec(source="t.csv", target=-1, header=True, task="multiclass"), tmp_path)
    assert forced.column_names[1] == first.split(",")[1]


def test_words_alone_have_a_header_unless_it_recurs(tmp_path: Path) -> None:
    rows = "".join(f"{'pqr'[i % 3]},{'xy'[i % 2]}\n" for i in range(40))
    (tmp_path / "t.csv").write_text("letter,class\n" + rows)
    assert load(DataSpec(source="t.csv"), tmp_path).target_name == "class"
    (tmp_path / "t.csv").write_text(rows)
    assert load(DataSpec(source="t.csv"), tmp_path).target_name == "column_1"


def test_quoted_separators_and_line_ends(tmp_path: Path) -> None:
    rows = "".join(f'"a, ""b""\nand c{i % 2}",{i},{"pq"[i % 2]}\n' for i in range(40))
    (tmp_path / "t.csv").write_text("text,number,y\n" + rows)
    data = load(DataSpec(source="t.csv"), tmp_path)
    assert data.train.m + data.dev.m == 32
    assert 'text_a, "b"\nand c0' in data.feature_names


def test_columns_of_one_name_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,a,y\n" + "".join(f"{i},{-i},{'pq'[i % 2]}\n" for i in range(40)))
    data = load(DataSpec(source="t.csv"), tmp_path)
    assert data.column_names == ("a", "a.1")
    assert any("a.1" in note for note in data.notes)
    raw = pd.read_csv(tmp_path / "t.csv")
    np.testing.assert_array_equal(
        data.preprocessing.transform(raw.iloc[data.dev.rows]).T.astype(np.float32), data.dev.X
    )


def test_a_row_longer_than_the_head_that_is_looked_at(tmp_path: Path) -> None:
    wide, digits = 400, "0" * 1000
    header = ",".join([*(f"x{i}" for i in range(wide)), "y"])
    rows = (",".join([*(f"{(i * j) % 7}.5{digits}" for j in range(wide)), "pq"[i % 2]]) for i in range(20))
    (tmp_path / "t.csv").write_text("\n".join([header, *rows]))
    assert load(DataSpec(source="t.csv"), tmp_path).n_x == wide
