"""Convert cells of any DataFrame column to text, numbers, Boolean values or dates.

Only this module decides which cells are missing. A typed cell has the meaning that pandas would give it in a CSV file,
so a frame and its CSV and Parquet files have the same values.
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
_DURATION = r"^-?\d+ days?( [+-]?\d{2}:\d{2}:\d{2}(\.\d+)?)?$"  # the format of pandas
_ISO_DAY = r"^\d{4}-\d{2}-\d{2}"

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def is_number_typed(column: pd.Series) -> bool:
    """Whether the column has a numeric dtype. Boolean values and durations do not count as numbers."""
    return bool(pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype))


def is_truth_typed(column: pd.Series) -> bool:
    """Whether the column has a Boolean dtype. Categories of Boolean values do not count."""
    return bool(pd.api.types.is_bool_dtype(column.dtype)) and not isinstance(column.dtype, pd.CategoricalDtype)


def is_date_typed(column: pd.Series) -> bool:
    """Whether the column has a date or time dtype."""
    if isinstance(column.dtype, pd.ArrowDtype):
        kind = column.dtype.pyarrow_dtype
        return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))
    return bool(pd.api.types.is_datetime64_any_dtype(column.dtype))


def is_duration_typed(column: pd.Series) -> bool:
    """Whether the column has a duration dtype."""
    if isinstance(column.dtype, pd.ArrowDtype):
        return bool(pa.types.is_duration(column.dtype.pyarrow_dtype))
    return bool(pd.api.types.is_timedelta64_dtype(column.dtype))


def texts(column: pd.Series, missing: tuple[str, ...], decimal: str = ".") -> pa.Array:
    """Return the cells as text without surrounding whitespace, null where missing.

    Numbers are formatted as in a file with the given decimal mark, and 3.0 becomes "3". Booleans become "True" and
    "False".

    Args:
        column: The cells.
        missing: All markers of a missing cell, as returned by `DataSpec.markers`. Empty cells are always missing.
        decimal: The decimal mark.
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
    """Return the cells as float64, NaN where missing or not a number, and a mask of the cells that are not numbers.

    Durations are converted to seconds. A marker that is a number matches all its spellings.
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
    """Return the cells as 0.0 and 1.0, NaN where missing or neither, and a mask of the cells that are neither."""
    if is_truth_typed(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan), np.zeros(len(column), dtype=np.bool_)
    cells = pc.utf8_lower(texts(column, missing))
    words = pa.array(list(TRUTH_WORDS), type=pa.large_string())
    place = pc.index_in(cells, value_set=words)
    values = pc.take(pa.array(list(TRUTH_WORDS.values())), place)
    unknown = pc.and_(pc.is_valid(cells), pc.is_null(place)).to_numpy(zero_copy_only=False)
    return values.to_numpy(zero_copy_only=False), unknown


def dates(column: pd.Series, missing: tuple[str, ...], form: str, *, or_iso: bool = False) -> tuple[pd.Series, Mask]:
    """Return the cells as datetime64 (UTC, naive), NaT where missing or not a date, and a mask of the non-dates.

    Args:
        column: The cells.
        missing: All markers of a missing cell.
        form: One of `dates.formats`.
        or_iso: Whether to accept ISO dates such as 2024-12-31, which are unambiguous, in addition to the format.
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
    """Return the cells as strings in an object array, None where missing. 3.0 becomes the category "3"."""
    point = "[.,]" if decimal == "," else "[.]"
    cells = texts(column, missing, decimal)
    shortened = pc.replace_substring_regex(cells, rf"^([+-]?\d+){point}0+$", r"\1")
    values: npt.NDArray[np.object_] = shortened.dictionary_encode().to_pandas().astype(object).to_numpy(copy=True)
    values[pd.isna(values)] = None
    return values


def holds_numbers(column: pd.Series) -> bool:
    """Whether any cell of the column is a number rather than text that looks like one."""
    return any(_is_number(each) for each in _objects(column))


def survives_as_number(text: str, decimal: str) -> bool:
    """Whether a category is unchanged if pandas.read_csv parses it as a number: true for 12, false for 012 and 1.10."""
    pointed = text.replace(decimal, ".")
    if re.fullmatch(r"0|-?[1-9]\d*", text):
        return True
    return re.match(NUMBER, pointed) is None or _number_text(float(pointed), decimal) == text


@cache
def _marker_set(missing: tuple[str, ...]) -> pa.Array:
    return pa.array(["", *missing], type=pa.large_string())


def _numbers_of_texts(cells: pa.Array, decimal: str) -> tuple[Floats, Mask]:
    """Return the texts as numbers, and a mask of the texts that are not numbers."""
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
    """Return the texts with their decimal mark replaced by a point."""
    if decimal == ".":
        return cells
    # A point is then not a decimal mark: 1.234 could mean 1,234.
    pointed = pc.match_substring(cells, ".")
    cells = pc.if_else(pointed, pa.scalar("not a number", type=pa.large_string()), cells)
    return pc.replace_substring(cells, decimal, ".")


def _seconds(cells: pa.Array, durations: pa.Array) -> pa.Array:
    """Return durations in seconds, as text, and null for other cells."""
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
    """Return the cells as Python objects, None where missing. A float32 becomes its shortest decimal representation."""
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
    """Return a cell in quotes for a message, truncated if it is long."""
    shown = str(text)
    return repr(shown if len(shown) <= LONGEST_SHOWN else f"{shown[: LONGEST_SHOWN - 1]}…")


def quoted_list(texts: Sequence[object], most: int = 3) -> str:
    """Return the first few texts in quotes, and the number of the remaining ones."""
    return ", ".join(map(quoted, texts[:most])) + (f" and {len(texts) - most} more" if len(texts) > most else "")
