"""Text files as programs and instruments write them: each is read with the right names and values, or refused."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.command import run_study

from study.data import load
from study.data.header import has_header
from study.data.sources import read_source
from study.errors import UserError
from study.spec import read_spec
from study.spec.data import DataSpec

NAMES = ("x", "n", "y")
ROWS = [(f"{1.5 + i * 0.5}", f"{i * 7 % 11}", "ab"[i % 2]) for i in range(20)]
FRAME = pd.DataFrame(ROWS, columns=NAMES)


def written(
    separator: str = ",", names: tuple[str, ...] = NAMES, rows: Any = ROWS, before: str = "", end: str = "\n"
) -> str:
    """Return a table as text; no names: without a header."""
    return before + "".join(separator.join(row) + end for row in ([names] if names else []) + list(rows))


def renamed(*names: str) -> pd.DataFrame:
    return FRAME.set_axis(list(names), axis=1)


def with_labels(**labels: str) -> pd.DataFrame:
    return FRAME.assign(y=FRAME["y"].map(labels))


def labelled(a: str, b: str, names: tuple[str, ...] = NAMES) -> str:
    return written(names=names, rows=[(x, n, {"a": a, "b": b}[y]) for x, n, y in ROWS])


def aligned() -> str:
    return "".join(f"{x:>8} {n:>5}   {y}\n" for x, n, y in [NAMES, *ROWS])


def spectra() -> pd.DataFrame:
    columns = {str(400 + 0.5 * k): [str(i * (k + 2) * 7 % 13 / 10) for i in range(20)] for k in range(6)}
    return pd.DataFrame({"sample": [f"s{i}" for i in range(20)], **columns, "y": FRAME["y"]})


@dataclass(frozen=True)
class Case:
    """A file, the table that it holds, the spec beside its source, and how pandas reads it where it reads it right."""

    content: str | bytes
    expected: pd.DataFrame = field(default_factory=lambda: FRAME)
    keys: dict[str, Any] = field(default_factory=dict)
    pandas: dict[str, Any] | None = None
    said: str = ""


YEARS = renamed("2018", "2019", "label")
ROW_NAMES = FRAME.assign(row_names=[f"car {i}" for i in range(20)])[["row_names", *NAMES]]
GAPS = FRAME.assign(x=["" if i % 5 == 0 else x for i, (x, _, _) in enumerate(ROWS)])
SAID = FRAME.assign(y=[f'say "{y}" !' for _, _, y in ROWS])
DATA = renamed("column_0", "column_1", "column_2")

CASES = {
    "years as names": Case(written(names=("2018", "2019", "label")), YEARS, {}, {}, "header"),
    "years, target named": Case(
        written(names=("2018", "2019", "2020"), rows=[(f"{2000 + i}", "2010", ROWS[i][2]) for i in range(20)]),
        pd.DataFrame({"2018": [f"{2000 + i}" for i in range(20)], "2019": "2010", "2020": FRAME["y"]}),
        {"target": "2020"},
        {},
    ),
    "years over shares": Case(
        written(names=("land", "2018", "2019"), rows=[(y, f"0.{n}", f"1.{n}") for _, n, y in ROWS]),
        pd.DataFrame({"land": FRAME["y"], "2018": "0." + FRAME["n"], "2019": "1." + FRAME["n"]}),
        {},
        {},
    ),
    "wavelengths": Case(spectra().to_csv(index=False), spectra(), {}, {}),
    "numbers alone": Case(written(names=()), DATA, {}, {"header": None}, "no header"),
    "years in the rows": Case(
        written(names=(), rows=[(y, f"{1990 + i}", n) for i, (_, n, y) in enumerate(ROWS)]),
        pd.DataFrame({"column_0": FRAME["y"], "column_1": [f"{1990 + i}" for i in range(20)], "column_2": FRAME["n"]}),
        {},
        {"header": None},
    ),
    "Excel's sep=": Case(written(";", before="sep=;\r\n", end="\r\n"), said="separator semicolon"),
    "Excel's Unicode text": Case(
        written("\t", end="\r\n").encode("utf-16"), pandas={"sep": "\t", "encoding": "utf-16"}
    ),
    "runs of spaces": Case(aligned(), pandas={"sep": r"\s+"}, said="runs of spaces"),
    "runs of spaces, set": Case(aligned(), keys={"separator": r"\s+"}, pandas={"sep": r"\s+"}),
    "runs of spaces and quotes": Case(
        "".join(f"{x:>8} {n:>5}   '{y} {y}'\n" for x, n, y in ROWS),
        DATA.assign(column_2=FRAME["y"] + " " + FRAME["y"]),
        {"separator": r"\s+", "quote": "'"},
        {"sep": r"\s+", "quotechar": "'", "header": None},
    ),
    "escaped quotes": Case(
        written(rows=[(x, n, f'"say \\"{y}\\" !"') for x, n, y in ROWS]), SAID, {}, {"escapechar": "\\"}, "escape \\"
    ),
    "doubled quotes": Case(written(rows=[(x, n, f'"say ""{y}"" !"') for x, n, y in ROWS]), SAID, {}, {}),
    "a backslash before a quote that ends": Case(
        written(rows=[(x, n, f'"C:\\{y}\\"') for x, n, y in ROWS]), FRAME.assign(y="C:\\" + FRAME["y"] + "\\"), {}, {}
    ),
    "JSON in cells": Case(
        written(rows=[(x, n, f'"{{""k"": ""a\\""{y}""}}"') for x, n, y in ROWS]),
        FRAME.assign(y='{"k": "a\\"' + FRAME["y"] + '"}'),
        {},
        {},
    ),
    "MySQL's tabs": Case(
        written("\t", (), [("\\N" if i % 5 == 0 else x, n, y) for i, (x, n, y) in enumerate(ROWS)]),
        GAPS.set_axis(DATA.columns, axis=1),
    ),
    "MySQL's quotes": Case(
        written(rows=[("\\N" if i % 5 == 0 else x, n, f'"say \\"{y}\\" !"') for i, (x, n, y) in enumerate(ROWS)]),
        GAPS.assign(y=SAID["y"]),
    ),
    "a tilde": Case(written("~"), pandas={"sep": "~"}),
    "a caret": Case(written("^"), pandas={"sep": "^"}),
    "control-A": Case(written("\x01"), pandas={"sep": "\x01"}),
    "control-A, set": Case(written("\x01"), keys={"separator": "\x01"}, pandas={"sep": "\x01"}),
    "two colons": Case(written("::"), pandas={"sep": "::", "engine": "python"}),
    "three characters, set": Case(written("<|>"), keys={"separator": "<|>"}),
    "colons, set": Case(written(":"), keys={"separator": ":"}, pandas={"sep": ":"}),
    "words with spaces are no columns": Case(
        written(names=("a b", "c d"), rows=[(f"{y} {y}", f"{n} {y}") for _, n, y in ROWS]),
        pd.DataFrame({"a b": FRAME["y"] + " " + FRAME["y"], "c d": FRAME["n"] + " " + FRAME["y"]}),
        {},
        {},
    ),
    "R's write.table": Case(
        written(" ", ('"x"', '"n"', '"y"'), [(f'"car {i}"', *row) for i, row in enumerate(ROWS)]),
        ROW_NAMES,
        said="row_names",
    ),
    "R's row names, commas": Case(
        written(rows=[(f"car {i}", *row) for i, row in enumerate(ROWS)]), ROW_NAMES, said="row_names"
    ),
    "a separator at the end of each row": Case(
        written(rows=[(*row, "") for row in ROWS]), FRAME.assign(column_3="")
    ),
    "comments of an instrument": Case(
        written(before="# Instrument: A, B\n# Date: 2020-01-01, 12:00\n#\n"), pandas={"comment": "#"}, said="table: 3"
    ),
    "comments of percent signs": Case(
        written("\t", before="% made, by\n% hand\n"), pandas={"sep": "\t", "comment": "%"}
    ),
    "a header behind a mark": Case(written(" ", ("#", *NAMES), before="# made by\n")),
    "a header with a mark": Case(written(names=("#x", "n", "y"))),
    "hash signs in the first column": Case(
        written(names=(), rows=[(f"#{x}", n, y) for x, n, y in ROWS]), DATA.assign(column_0="#" + FRAME["x"])
    ),
    "a report's title": Case(
        written(before="Report of things\n\nDate: 2020-01-01\n\n"), pandas={"skiprows": 4}, said="before the table: 3"
    ),
    "lines to skip, set": Case(written(before="a,b,c\n1,2,3\n"), keys={"skip_lines": 2}, pandas={"skiprows": 2}),
    "Shift-JIS": Case(
        labelled("ねこ", "イヌ", ("大きさ", "数", "種類")).encode("cp932"),
        with_labels(a="ねこ", b="イヌ").set_axis(["大きさ", "数", "種類"], axis=1),
        {},
        {"encoding": "shift_jis"},
        "encoding cp932",
    ),
    "cp1251": Case(
        labelled("кошка", "пёс", ("размер", "число", "вид")).encode("cp1251"),
        with_labels(a="кошка", b="пёс").set_axis(["размер", "число", "вид"], axis=1),
        {},
        {"encoding": "cp1251"},
        "encoding cp1251",
    ),
    "GB2312": Case(
        labelled("猫", "小狗").encode("gb2312"),
        with_labels(a="猫", b="小狗"),
        {},
        {"encoding": "gb2312"},
    ),
    "EUC-KR": Case(
        labelled("고양이", "개").encode("euc_kr"),
        with_labels(a="고양이", b="개"),
        {},
        {"encoding": "euc_kr"},
    ),
    "cp1252": Case(
        labelled("Köln", "Saône").encode("cp1252"),
        with_labels(a="Köln", b="Saône"),
        {},
        {"encoding": "cp1252"},
        "encoding cp1252",
    ),
    "KOI8-R, set": Case(
        labelled("кошка", "пёс").encode("koi8-r"),
        with_labels(a="кошка", b="пёс"),
        {"encoding": "KOI8-R"},
        {"encoding": "koi8-r"},
    ),
    "utf_16 with an underscore": Case(
        written().encode("utf-16"), keys={"encoding": "utf_16"}, pandas={"encoding": "utf-16"}
    ),
    "utf_16 and two colons": Case(written("::").encode("utf-16"), keys={"encoding": "utf_16"}),
    "line ends of old Macs": Case(written(end="\r"), pandas={}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_read_as_it_is_meant(tmp_path: Path, name: str) -> None:
    case = CASES[name]
    content = case.content if isinstance(case.content, bytes) else case.content.encode()
    (tmp_path / "t.csv").write_bytes(content)
    raw = read_source(DataSpec(source="t.csv", **case.keys), tmp_path)
    assert raw.frame.columns.tolist() == case.expected.columns.tolist()
    assert raw.frame.to_numpy().tolist() == case.expected.to_numpy().tolist()
    assert case.said in raw.read_as
    if case.pandas is not None:
        theirs = pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False, **case.pandas)
        assert theirs.to_numpy().tolist() == raw.frame.to_numpy().tolist()


@pytest.mark.parametrize(
    ("content", "keys", "words"),
    [
        ("x\n1\n2\n3\n", {}, "one column, 'x'"),
        (written("&"), {}, "set [data] separator"),
        (aligned() + "1 2\n", {}, "line 22 has 2 cells, but the first row has 3"),
        (written(before="# one\n# two\n") + "1,2\n", {}, "line 24 has 2 cells"),
        (written("::") + "1::2\n", {}, "line 22 has 2 cells"),
        ("x   n  y\n", {"header": True}, "header but no rows"),
        (written("&"), {"separator": "::"}, "one column"),
        (written(rows=[(x, n, "Жук") for x, n, _ in ROWS]).encode("cp866"), {}, "set [data] encoding"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_understood_is_refused_with_a_remedy(
    tmp_path: Path, content: str | bytes, keys: dict[str, Any], words: str
) -> None:
    (tmp_path / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        read_source(DataSpec(source="t.csv", **keys), tmp_path)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 300


def test_labels_with_zeros_before_them_are_text(tmp_path: Path) -> None:
    labels = ["007", "010", "7"]
    rows = [(x, n, labels[i % 3]) for i, (x, n, _) in enumerate(ROWS * 2)]
    (tmp_path / "t.csv").write_text(written(rows=rows))
    (tmp_path / "test.csv").write_text(written(rows=[row for row in rows if row[2] != "010"][:6]))
    data = load(DataSpec(source="t.csv", test="test.csv"), tmp_path)
    assert data.classes == ("007", "010", "7")
    assert data.task == "multiclass"


@pytest.mark.parametrize(
    ("labels", "keys", "classes"),
    [
        (["2", "10"], {}, ("2", "10")),
        (["2.0", "10"], {}, ("2", "10")),
        (["0", "1"], {}, ("0", "1")),
        (["00", "01"], {}, ("00", "01")),
        ([f"{i:03}" for i in range(30)], {}, ()),
        ([f"{i:03}" for i in range(30)], {"task": "multiclass"}, tuple(f"{i:03}" for i in range(30))),
        (["007", "010", "7"], {"task": "regression"}, ()),
    ],
)
def test_labels_that_are_numbers(
    tmp_path: Path, labels: list[str], keys: dict[str, Any], classes: tuple[str, ...]
) -> None:
    rows = [(f"{i * 0.5}", f"{i % 7}", labels[i % len(labels)]) for i in range(150)]
    (tmp_path / "t.csv").write_text(written(rows=rows))
    assert load(DataSpec(source="t.csv", **keys), tmp_path).classes == classes


def test_init_writes_into_the_spec_how_the_file_is_to_be_read(tmp_path: Path) -> None:
    content = written(":", rows=[(x.replace(".", ","), n, f"'{y}:ß'") for x, n, y in ROWS * 2])
    (tmp_path / "t.csv").write_bytes(content.encode("mac_roman"))
    options = ["--separator", ":", "--encoding", "mac_roman", "--quote", "'", "--decimal", ",", "--header"]
    done = run_study("init", tmp_path / "t.csv", "--target", "y", *options)
    assert (done.returncode, done.stderr) == (0, "")
    spec = read_spec(tmp_path / "t.toml").data
    assert (spec.separator, spec.encoding, spec.quote, spec.decimal) == (":", "mac-roman", "'", ",")
    assert load(spec, tmp_path).classes == ("a:ß", "b:ß")


def test_init_finds_a_header_of_numbers_by_the_target_and_says_how_it_read_the_file(tmp_path: Path) -> None:
    rows = [(f"{1900 + 8 * (i // 2)}", f"{2100 - 9 * (i % 25)}", f"{2000 + i}.5") for i in range(40)]
    (tmp_path / "t.csv").write_text(written(names=("2018", "2019", "2020"), rows=rows))
    done = run_study("init", tmp_path / "t.csv", "--target", "2020")
    assert "read as: encoding utf-8, separator comma, header" in done.stdout
    spec = read_spec(tmp_path / "t.toml").data
    assert (spec.target, spec.header) == ("2020", True)
    assert load(spec, tmp_path).column_names == ("2018", "2019")
    done = run_study("init", tmp_path / "t.csv", "--target", "2", "--no-header", "--force")
    assert (done.returncode, read_spec(tmp_path / "t.toml").data.target) == (0, 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--separator", ""], "--separator: must be one to three ASCII characters"),
        (["--encoding", "rot13"], "--encoding: must be a text encoding, such as utf-8, cp1252 or utf-16, got 'rot13'"),
        (["--quote", "''"], "--quote: must be one ASCII character"),
    ],
)
def test_init_answers_a_wrong_option(tmp_path: Path, options: list[str], words: str) -> None:
    (tmp_path / "t.csv").write_text(written())
    done = run_study("init", tmp_path / "t.csv", *options)
    assert done.returncode == 2
    assert words in done.stderr


@pytest.mark.parametrize("mark", [",", ".", "'", "’", "\u202f"])
def test_a_first_row_of_grouped_digits_is_no_header(mark: str) -> None:
    rows = [[f"{n * 1_234_567:,}".replace(",", mark), f"{n * 76_543:,}".replace(",", mark)] for n in (5, 3, 9, 2, 7)]
    assert not has_header(rows)
    assert has_header([["income", "rent"], *rows])


def test_grouped_digits_name_columns_as_others_do() -> None:
    assert has_header([["1'000", "5'000", "10'000"], *([f"0.{n}", f"0.{n + 1}", f"0.{n}"] for n in range(10, 30))])
