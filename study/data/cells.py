"""Cells to values: text, numbers, truth values, dates, whatever a column of a DataFrame holds.

The one place that knows what a missing cell is. A typed cell means what pandas would write for it in a CSV file, so
that a frame, its CSV file and its Parquet file have the same values.
"""

import datetime
import math
import re
from collections.abc import Sequence
from decimal import Decimal
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from study.data.dates import ISO, parse

TRUTH_WORDS: dict[str, float] = {
    "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "t": 1.0, "f": 0.0, "y": 1.0, "n": 0.0, "1": 1.0, "0": 0.0
}  # fmt: skip
TRUTH_PAIRS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})
LONGEST_SHOWN = 30

NUMBER = r"^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|(?i:inf|infinity|nan))$"
_DURATION = r"^-?\d+ days?( [+-]?\d{2}:\d{2}:\d{2}(\.\d+)?)?$"  # as pandas writes it
_ISO_DAY = r"^\d{4}-\d{2}-\d{2}"

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def is_number_typed(column: pd.Series) -> bool:
    """Whether the column holds numbers already (truth values and durations are none)."""
    return bool(pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype))


def is_truth_typed(column: pd.Series) -> bool:
    """Whether the column holds truth values already (categories of truth values are none)."""
    return bool(pd.api.types.is_bool_dtype(column.dtype)) and not isinstance(column.dtype, pd.CategoricalDtype)


def is_date_typed(column: pd.Series) -> bool:
    """Whether the column holds dates or times already."""
    if isinstance(column.dtype, pd.ArrowDtype):
        kind = column.dtype.pyarrow_dtype
        return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))
    return bool(pd.api.types.is_datetime64_any_dtype(column.dtype))


def is_duration_typed(column: pd.Series) -> bool:
    """Whether the column holds durations already."""
    if isinstance(column.dtype, pd.ArrowDtype):
        return bool(pa.types.is_duration(column.dtype.pyarrow_dtype))
    return bool(pd.api.types.is_timedelta64_dtype(column.dtype))


def texts(column: pd.Series, missing: tuple[str, ...], decimal: str = ".") -> pa.Array:
    """Return the cells as text without the space around them, null where missing.

    missing: all markers of a missing cell, as `DataSpec.markers` returns them; an empty cell always is one. Numbers
    become what a file with this decimal mark would say: 3.0 is "3". Truth values become "True" and "False".
    """
    if isinstance(column.dtype, pd.ArrowDtype) and pa.types.is_large_string(column.dtype.pyarrow_dtype):
        array = pa.chunked_array(column.array.__arrow_array__()).combine_chunks()
    else:
        array = pa.array([_cell_text(each, decimal) for each in _objects(column)], type=pa.large_string())
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks != 1 else array.chunk(0)
    array = pc.utf8_trim_whitespace(array)
    return pc.if_else(pc.is_in(array, value_set=_marker_set(missing)), pa.scalar(None, type=pa.large_string()), array)


def numbers(column: pd.Series, missing: tuple[str, ...], decimal: str) -> tuple[Floats, Mask]:
    """Return the cells as float64, NaN where missing or no number, and a mask of those that are no number.

    Durations are seconds. A marker that is a number stands for all spellings of it.
    """
    bad: Mask = np.zeros(len(column), dtype=np.bool_)
    if is_duration_typed(column):
        values = column.dt.total_seconds().to_numpy(dtype=np.float64, na_value=np.nan)
    elif is_number_typed(column) or is_truth_typed(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        values, bad = _numbers_of_texts(texts(column, missing, decimal), decimal)
    marking = _as_numbers(missing, decimal)
    if marking:
        values = np.where(np.isin(values, marking), np.nan, values)
    return values, bad


def truths(column: pd.Series, missing: tuple[str, ...]) -> tuple[Floats, Mask]:
    """Return the cells as 0.0 and 1.0, NaN where missing or neither, and a mask of those that are neither."""
    if is_truth_typed(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan), np.zeros(len(column), dtype=np.bool_)
    cells = pc.utf8_lower(texts(column, missing))
    words = pa.array(list(TRUTH_WORDS), type=pa.large_string())
    place = pc.index_in(cells, value_set=words)
    values = pc.take(pa.array(list(TRUTH_WORDS.values())), place)
    unknown = pc.and_(pc.is_valid(cells), pc.is_null(place)).to_numpy(zero_copy_only=False)
    return values.to_numpy(zero_copy_only=False), unknown


def dates(column: pd.Series, missing: tuple[str, ...], form: str, *, or_iso: bool = False) -> tuple[pd.Series, Mask]:
    """Return the cells as datetime64 (UTC, without zone), NaT where missing or no date, and a mask of no dates.

    form: one of `dates.formats`. or_iso: whether 2024-12-31, which can be no other day, is read in a column of any
    format.
    """
    if is_date_typed(column):
        stamps = pd.Series(pd.to_datetime(column.astype(object), utc=True)).dt.tz_localize(None)
        return stamps.reset_index(drop=True), np.zeros(len(column), dtype=np.bool_)
    values = texts(column, missing).to_pandas()
    stamps = parse(values, form)
    if or_iso and form != ISO:
        stamps = stamps.fillna(parse(values.where(values.str.match(_ISO_DAY, na=False)), ISO))
    bad = stamps.isna().to_numpy() & ~values.isna().to_numpy()
    return stamps, bad


def categories(column: pd.Series, missing: tuple[str, ...], decimal: str = ".") -> npt.NDArray[np.object_]:
    """Return the cells as Python text (object array), None where missing; 3.0 is the category 3, as pandas reads it."""
    point = "[.,]" if decimal == "," else "[.]"
    cells = texts(column, missing, decimal)
    shortened = pc.replace_substring_regex(cells, rf"^([+-]?\d+){point}0+$", r"\1")
    values: npt.NDArray[np.object_] = shortened.dictionary_encode().to_pandas().astype(object).to_numpy(copy=True)
    values[pd.isna(values)] = None
    return values


def holds_numbers(column: pd.Series) -> bool:
    """Whether some cell of the column is a number, not the text of one."""
    return any(_is_number(each) for each in _objects(column))


def survives_as_number(text: str, decimal: str) -> bool:
    """Whether a category is still itself after pandas.read_csv took it for a number: 12 is, 012 and 1.10 are not."""
    pointed = text.replace(decimal, ".")
    if re.fullmatch(r"0|-?[1-9]\d*", text):
        return True
    return re.match(NUMBER, pointed) is None or _number_text(float(pointed), decimal) == text


@cache
def _marker_set(missing: tuple[str, ...]) -> pa.Array:
    return pa.array(["", *missing], type=pa.large_string())


def _numbers_of_texts(cells: pa.Array, decimal: str) -> tuple[Floats, Mask]:
    """Return the numbers that texts say, and a mask of those that say none."""
    pointed = _with_point(cells, decimal)
    try:
        return _floats(pointed), np.zeros(len(cells), dtype=np.bool_)
    except pa.ArrowInvalid:
        durations = pc.fill_null(pc.match_substring_regex(cells, _DURATION), False)
        if pc.any(durations).as_py():
            pointed = pc.if_else(durations, _seconds(cells, durations), pointed)
        fits = pc.fill_null(pc.match_substring_regex(pointed, NUMBER), True)
        kept = pc.if_else(fits, pc.replace_substring_regex(pointed, r"^\+", ""), pa.scalar(None, pa.large_string()))
        return _floats(kept), ~fits.to_numpy(zero_copy_only=False)


def _with_point(cells: pa.Array, decimal: str) -> pa.Array:
    """Return texts with a point for their decimal mark."""
    if decimal == ".":
        return cells
    # A point is then no decimal mark: 1.234 could be a thousand.
    pointed = pc.match_substring(cells, ".")
    cells = pc.if_else(pointed, pa.scalar("not a number", type=pa.large_string()), cells)
    return pc.replace_substring(cells, decimal, ".")


def _seconds(cells: pa.Array, durations: pa.Array) -> pa.Array:
    """Return the seconds of durations as text, null for other cells."""
    values = cells.to_pandas().where(durations.to_pandas())
    seconds = pd.to_timedelta(values).dt.total_seconds()
    return pa.array([None if math.isnan(each) else repr(each) for each in seconds.tolist()], type=pa.large_string())


def _floats(cells: pa.Array) -> Floats:
    values: Floats = pc.cast(cells, pa.float64()).to_numpy(zero_copy_only=False)
    return values


@cache
def _as_numbers(missing: tuple[str, ...], decimal: str) -> tuple[float, ...]:
    found = []
    for marker in missing:
        try:
            found.append(float(marker.replace(decimal, ".")))
        except ValueError:
            continue
    return tuple(value for value in found if not math.isnan(value))


def _objects(column: pd.Series) -> list[object]:
    """Return the cells as Python objects, None where missing; a float32 is the shortest decimal that says it."""
    dtype = column.dtype
    if is_date_typed(column):
        stamps = [None if pd.isna(each) else each for each in column.astype(object)]
        whole = all(each is None or each == pd.Timestamp(each).normalize() for each in stamps)
        return [each.strftime("%Y-%m-%d") if whole and each is not None else each for each in stamps]
    if pd.api.types.is_float_dtype(dtype) and dtype.itemsize < 8:
        narrow = column.to_numpy(dtype=np.dtype(f"f{dtype.itemsize}"), na_value=np.nan)
        return [float(str(each)) for each in narrow]
    values = column.astype(object)
    return list(values.where(values.notna(), None))


def _is_number(value: object) -> bool:
    return (isinstance(value, int | np.number) and not isinstance(value, bool)) or (
        isinstance(value, float) and not math.isnan(value)
    )


def _number_text(value: float, decimal: str) -> str | None:
    if math.isnan(value):
        return None
    return str(int(value)) if value.is_integer() else repr(value).replace(".", decimal)


def _cell_text(value: object, decimal: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float | np.floating):
        return _number_text(float(value), decimal)
    if isinstance(value, Decimal):
        return str(value).replace(".", decimal)
    if isinstance(value, datetime.timedelta):
        return str(pd.Timedelta(value))
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(value)


def quoted(text: object) -> str:
    """Return a cell in quotes as messages show it, its head where it is long."""
    said = str(text)
    return repr(said if len(said) <= LONGEST_SHOWN else f"{said[: LONGEST_SHOWN - 1]}…")


def quoted_list(texts: Sequence[object], most: int = 3) -> str:
    """Return the first few of some texts in quotes, and how many more there are."""
    return ", ".join(map(quoted, texts[:most])) + (f" and {len(texts) - most} more" if len(texts) > most else "")
