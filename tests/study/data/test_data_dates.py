"""Dates as people and programs write them: the right moment for each, or a line that says what to write."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from support.command import run_study

from study.data import Dataset, load
from study.data.cells import dates
from study.data.kinds import date_format
from study.errors import UserError
from study.spec.data import DataSpec

# Days that fit one order alone, hours on both sides of noon, two centuries' ends of two digits.
WHEN = pd.Series(pd.date_range("2019-03-01 08:05:07", periods=60, freq="31h"))
DAYS = WHEN.dt.normalize()
MONTHS = DAYS - pd.to_timedelta(DAYS.dt.day - 1, unit="D")

# format of strftime, and what is left of the moment; pandas reads the cells by the same format
BY_FORMAT = {
    "%Y-%m": MONTHS, "%Y%m": MONTHS, "%b %Y": MONTHS, "%B %Y": MONTHS, "%b-%y": MONTHS,
    "%m/%Y": MONTHS, "%Y/%m": MONTHS,
    "%Y%m%d": DAYS, "%Y-%m-%d": DAYS, "%Y/%m/%d": DAYS, "%Y.%m.%d": DAYS, "%d-%b-%y": DAYS, "%d-%b-%Y": DAYS,
    "%d %b %Y": DAYS, "%d %B %Y": DAYS, "%B %d, %Y": DAYS, "%b %d, %Y": DAYS, "%d.%m.%y": DAYS, "%d.%m.%Y": DAYS,
    "%d/%m/%Y": DAYS, "%m/%d/%Y": DAYS, "%m/%d/%y": DAYS, "%d-%m-%Y": DAYS, "%m-%d-%Y": DAYS,
    "%Y%m%d%H%M%S": WHEN, "%Y%m%dT%H%M%S": WHEN, "%Y-%m-%dT%H:%M:%SZ": WHEN, "%Y-%m-%d %H:%M:%S.%f": WHEN,
    "%m/%d/%Y %H:%M:%S.%f": WHEN, "%m/%d/%Y %I:%M:%S %p": WHEN, "%Y-%m-%d %I:%M:%S %p": WHEN, "%d.%m.%Y %H:%M:%S": WHEN,
    "%a, %d %b %Y %H:%M:%S": WHEN, "%a %b %d %H:%M:%S %Y": WHEN, "%d/%b/%Y:%H:%M:%S +0000": WHEN,
    "%m/%d/%Y %I:%M %p": WHEN.dt.floor("min"), "%Y-%m-%dT%H:%M": WHEN.dt.floor("min"),
}  # fmt: skip


def read(cells: list[str], **keys: Any) -> list[pd.Timestamp]:
    column, spec = pd.Series(cells, name="when"), DataSpec(source="t.csv", dates=("when",), **keys)
    stamps, bad = dates(column, (), date_format(column, spec, "t.csv", pd.RangeIndex(len(column)).to_numpy()))
    assert not bad.any()
    return stamps.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("form", BY_FORMAT)
def test_a_column_of_dates_is_read_as_pandas_reads_it_by_its_format(form: str) -> None:
    cells = WHEN.dt.strftime(form).tolist()
    assert (
        read(cells)
        == BY_FORMAT[form].tolist()
        == pd.to_datetime(cells, format=form, utc=True).tz_localize(None).tolist()
    )


OTHERS: dict[str, tuple[list[str], list[str]]] = {
    "years": (["1960", "1961"], ["1960-01-01", "1961-01-01"]),
    "ISO weeks": (["2020-W05", "2020W53"], ["2020-01-27", "2020-12-28"]),
    "days of ISO weeks": (["2020-W05-3", "2021-W01-1"], ["2020-01-29", "2021-01-04"]),
    "quarters": (["2020Q1", "2020-Q4"], ["2020-01-01", "2020-10-01"]),
    "mixed zones": (["2020-01-01T12:00:00Z", "2020-01-01T12:00:00+02:00"], ["2020-01-01 12:00", "2020-01-01 10:00"]),
    "UTC by name": (["2020-01-01 12:00:00 UTC", "2020-01-02 GMT"], ["2020-01-01 12:00", "2020-01-02"]),
    "seconds since 1970": (["1551427507", "1551427508.5"], ["2019-03-01 08:05:07", "2019-03-01 08:05:08.5"]),
    "milliseconds since 1970": (["1551427507000", "1551427507250"], ["2019-03-01 08:05:07", "2019-03-01 08:05:07.25"]),
    "noon and midnight": (["01/13/2020 12:00 AM", "01/13/2020 12:30 PM"], ["2020-01-13", "2020-01-13 12:30"]),
    "without zeros": (["3/1/2019 8:05", "12/31/2019 23:59"], ["2019-03-01 08:05", "2019-12-31 23:59"]),
}


@pytest.mark.parametrize("name", OTHERS)
def test_dates_that_no_format_of_pandas_says(name: str) -> None:
    cells, expected = OTHERS[name]
    assert read(cells) == [pd.Timestamp(each) for each in expected]


def table(folder: Path, cells: list[str], **keys: Any) -> Dataset:
    rows = [f'"{cells[i % len(cells)]}",{i % 7}.5,{"ab"[i % 2]}' for i in range(60)]
    (folder / "t.csv").write_text("\n".join(["when,x,y", *rows]))
    return load(DataSpec(source="t.csv", target="y", **keys), folder)


@pytest.mark.parametrize("form", ["%Y-%m", "%d-%b-%y", "%m/%d/%Y %I:%M %p", "%G-W%V-%u", "%a, %d %b %Y %H:%M:%S"])
def test_dates_are_found_without_being_named(tmp_path: Path, form: str) -> None:
    data = table(tmp_path, WHEN.dt.strftime(form).tolist())
    assert {"when_year", "when_month", "when_day"} <= set(data.feature_names)


@pytest.mark.slow
@pytest.mark.parametrize("cells", [["08:05:07", "09:00:00"], ["03-01", "03-02"], ["43525", "43526"], ["2010-11-31"]])
@pytest.mark.parametrize("key", [{"dates": ("when",)}])
def test_what_is_no_date_is_refused_in_a_line(tmp_path: Path, cells: list[str], key: dict[str, Any]) -> None:
    with pytest.raises(
        UserError, match=r"row \d+ contains '.*', which does not have the same format.*write dates as 2024-12-31"
    ):
        table(tmp_path, cells, **key)


AMBIGUOUS = [f"{1 + i % 12:02}/{1 + i % 11:02}/2020" for i in range(60)]


@pytest.mark.slow
def test_an_order_of_day_and_month_that_is_not_sure_is_said_and_can_be_set(tmp_path: Path) -> None:
    for keys in ({}, {"dates": ("when",)}, {"time": "when"}):
        notes = table(tmp_path, AMBIGUOUS, **keys).notes
        found = [note for note in notes if note.startswith("when: dates; ")]
        assert len(found) == 1, notes
        assert "is read as 2020-" in found[0]
        assert "with the day first; if the month comes first, set [data] day_first = false" in found[0]
    month_first = table(tmp_path, AMBIGUOUS, day_first=False)
    assert "when: dates; '12/01/2020' is read as 2020-12-01, with the month first" in month_first.notes
    assert read(["02/01/2020"], day_first=False) == [pd.Timestamp("2020-02-01")]
    assert read(["02/01/2020"], day_first=True) == read(["02/01/2020"]) == [pd.Timestamp("2020-01-02")]
    said = "when: dates; '31/01/2020' is read as 2020-01-31, with the day first"
    assert said in table(tmp_path, ["01/01/2020", "31/01/2020"]).notes  # no other order fits
    with pytest.raises(UserError, match="row 2 contains '01/31/2020'"):
        read(["01/01/2020", "01/31/2020"], day_first=True)


def test_init_takes_a_table_whose_only_column_is_of_months(tmp_path: Path) -> None:
    rows = [f"{1949 + i // 12}-{1 + i % 12:02},{100 + 3 * i + i % 12}" for i in range(144)]
    (tmp_path / "passengers.csv").write_text("\n".join(["Month,Passengers", *rows]))
    done = run_study("init", tmp_path / "passengers.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert "#   Month: date" in (tmp_path / "passengers.toml").read_text()
