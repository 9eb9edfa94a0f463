"""Text files as people have them: separators, quotes, headers, decimal commas, encodings."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.data import load
from study.spec.data import DataSpec

COLUMNS = ["size", "town", "kind"]
ROWS = [[round(1.5 + i * 0.37, 2), ["Köln", "Paris", "St. Ives"][i % 3], "ab"[i % 2]] for i in range(60)]
PLAIN = pd.DataFrame(ROWS, columns=COLUMNS)
WORDS = ["Köln", "a;b", "x, y", "p|q", 'say "hi"', "it's", "two\nlines", "-", "é"]


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


@pytest.mark.slow
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize(
    "writing", [{"sep": sep, "decimal": decimal} for sep in ",;\t|" for decimal in ".," if sep != decimal], ids=str
)
@settings(max_examples=2)
@given(
    seed=st.integers(0, 2**32 - 1),
    numbers=st.integers(1, 5),
    gaps=st.sampled_from([0, 0.1]),
    words=st.just([]) | st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_any_table_in_any_writing_is_read_as_it_is(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    numbers: int,
    gaps: float,
    words: list[str],
    writing: dict[str, str],
    quoting: Any,
    encoding: str,
    line_end: str,
    header: bool,
) -> None:
    chance = np.random.default_rng(seed)
    values = chance.normal(0, 10 ** chance.uniform(-1, 4), (40, numbers)).round(3) + 0.0005
    values[1:][chance.random((39, numbers)) < gaps] = np.nan
    frame = pd.DataFrame(values).add_prefix("number_")
    if words:
        frame["word"] = chance.choice([*words, "other"], 40)
    frame["kind"] = np.arange(40) % 2
    frame["kind"] = frame["kind"].map({0: "a", 1: "b"})
    folder = tmp_path_factory.mktemp("written")
    frame.to_csv(folder / "plain.csv", index=False, float_format="%.4f")
    options = {"quoting": quoting, "encoding": encoding, "lineterminator": line_end, "header": header}
    frame.to_csv(folder / "t.csv", index=False, float_format="%.4f", **writing, **options)
    expected = load(DataSpec(source="plain.csv", separator=",", quote='"', header=True, decimal="."), folder)
    found = load(DataSpec(source="t.csv"), folder)
    np.testing.assert_array_equal(found.train.X, expected.train.X)
    np.testing.assert_array_equal(found.dev.Y, expected.dev.Y)
    assert (found.column_names == expected.column_names) == header


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


@pytest.mark.parametrize(("name", "tags"), [("tags", "a;b"), ('"tags; all"', "a"), ('"<&amp;"', '"a; ""b"""')])
@pytest.mark.parametrize("header", [True, False])
def test_a_semicolon_in_every_row_or_in_a_name_is_no_separator(
    tmp_path: Path, name: str, tags: str, header: bool
) -> None:
    rows = "".join(f"{i * 0.5},{tags},{'xy'[i % 2]}\n" for i in range(40))
    (tmp_path / "t.csv").write_text(f"size,{name},kind\n{rows}" if header else rows)
    assert len(load(DataSpec(source="t.csv"), tmp_path).column_names) == 2


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


@pytest.mark.slow
def test_a_row_longer_than_the_head_that_is_looked_at(tmp_path: Path) -> None:
    wide, digits = 400, "0" * 1000
    header = ",".join([*(f"x{i}" for i in range(wide)), "y"])
    rows = (",".join([*(f"{(i * j) % 7}.5{digits}" for j in range(wide)), "pq"[i % 2]]) for i in range(20))
    (tmp_path / "t.csv").write_text("\n".join([header, *rows]))
    assert load(DataSpec(source="t.csv"), tmp_path).n_x == wide
