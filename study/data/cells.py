"""Cells to values: text, numbers, truth values, dates, whatever a column of a DataFrame holds.

The one place that knows what a missing cell is. Called by `kinds` (what is in a column), by the
transformer `CellReader` (all columns, for train, dev, test and prediction) and by `target`.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from study.data.dates import parse

MISSING_MARKERS = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "<NA>", "#N/A", "?")
TRUTH_WORDS: dict[str, float] = {
    "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "t": 1.0, "f": 0.0, "y": 1.0, "n": 0.0, "1": 1.0, "0": 0.0
}  # fmt: skip
TRUTH_PAIRS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})
LONGEST_SHOWN = 30

_NUMBER = r"^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|(?i:inf|infinity|nan))$"

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def is_number_typed(column: pd.Series) -> bool:
    """Whether the column holds numbers already (truth values are none)."""
    return bool(pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype))


def is_date_typed(column: pd.Series) -> bool:
    """Whether the column holds dates or times already."""
    if isinstance(column.dtype, pd.ArrowDtype):
        kind = column.dtype.pyarrow_dtype
        return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))
    return bool(pd.api.types.is_datetime64_any_dtype(column.dtype))


def texts(column: pd.Series, missing: tuple[str, ...]) -> pa.Array:
    """Return the cells as text without the space around them, null where missing.

    Numbers become what a file would say: 3.0 is "3". Truth values become "True" and "False".
    """
    if is_number_typed(column):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return pa.array([_number_text(each) for each in numbers.tolist()], type=pa.large_string())
    if isinstance(column.dtype, pd.ArrowDtype) and pa.types.is_large_string(column.dtype.pyarrow_dtype):
        array = pa.chunked_array(column.array.__arrow_array__()).combine_chunks()
    else:
        values = column.astype(object)
        values = values.where(values.notna(), None)
        cells = [each if each is None or isinstance(each, str) else _cell_text(each) for each in values]
        array = pa.array(cells, type=pa.large_string())
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks != 1 else array.chunk(0)
    array = pc.utf8_trim_whitespace(array)
    return pc.if_else(pc.is_in(array, value_set=_markers(missing)), pa.scalar(None, type=pa.large_string()), array)


def numbers(column: pd.Series, missing: tuple[str, ...], decimal: str) -> tuple[Floats, Mask]:
    """Return the cells as float64, NaN where missing or no number, and a mask of those that are no number."""
    if is_number_typed(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        if missing:
            values = np.where(np.isin(values, _as_numbers(missing)), np.nan, values)
        return values, np.zeros(len(values), dtype=np.bool_)
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan), np.zeros(len(column), dtype=np.bool_)
    cells = texts(column, missing)
    if decimal == ",":
        # A point is then no decimal mark: 1.234 could be a thousand.
        pointed = pc.match_substring(cells, ".")
        cells = pc.if_else(pointed, pa.scalar("not a number", type=pa.large_string()), cells)
        cells = pc.replace_substring(cells, ",", ".")
    try:
        return _floats(cells), np.zeros(len(cells), dtype=np.bool_)
    except pa.ArrowInvalid:
        fits = pc.fill_null(pc.match_substring_regex(cells, _NUMBER), True)
        kept = pc.if_else(fits, pc.replace_substring_regex(cells, r"^\+", ""), pa.scalar(None, pa.large_string()))
        return _floats(kept), ~fits.to_numpy(zero_copy_only=False)


def truths(column: pd.Series, missing: tuple[str, ...]) -> tuple[Floats, Mask]:
    """Return the cells as 0.0 and 1.0, NaN where missing or neither, and a mask of those that are neither."""
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan), np.zeros(len(column), dtype=np.bool_)
    cells = pc.utf8_lower(texts(column, missing))
    words = pa.array(list(TRUTH_WORDS), type=pa.large_string())
    place = pc.index_in(cells, value_set=words)
    values = pc.take(pa.array(list(TRUTH_WORDS.values())), place)
    unknown = pc.and_(pc.is_valid(cells), pc.is_null(place)).to_numpy(zero_copy_only=False)
    return values.to_numpy(zero_copy_only=False), unknown


def dates(column: pd.Series, missing: tuple[str, ...], form: str) -> tuple[pd.Series, Mask]:
    """Return the cells as datetime64 (UTC, without zone), NaT where missing or no date, and a mask of no dates.

    form: one of `dates.formats`.
    """
    if is_date_typed(column):
        stamps = pd.Series(pd.to_datetime(column.astype(object), utc=True)).dt.tz_localize(None)
        return stamps.reset_index(drop=True), np.zeros(len(column), dtype=np.bool_)
    cells = texts(column, missing)
    values = cells.to_pandas()
    stamps = parse(values, form)
    bad = stamps.isna().to_numpy() & ~values.isna().to_numpy()
    return stamps, bad


def categories(column: pd.Series, missing: tuple[str, ...]) -> npt.NDArray[Any]:
    """Return the cells as Python text (object array), None where missing; 3.0 is the category 3, as pandas reads it."""
    shortened = pc.replace_substring_regex(texts(column, missing), r"^([+-]?\d+)\.0+$", r"\1")
    cells: npt.NDArray[Any] = shortened.dictionary_encode().to_pandas().astype(object).to_numpy(copy=True)
    cells[pd.isna(cells)] = None
    return cells


@cache
def _markers(missing: tuple[str, ...]) -> pa.Array:
    return pa.array([*MISSING_MARKERS, *missing], type=pa.large_string())


def _floats(cells: pa.Array) -> Floats:
    values: Floats = pc.cast(cells, pa.float64()).to_numpy(zero_copy_only=False)
    return values


def _as_numbers(missing: tuple[str, ...]) -> list[float]:
    found = []
    for marker in missing:
        try:
            found.append(float(marker))
        except ValueError:
            continue
    return found


def _number_text(value: float) -> str | None:
    if math.isnan(value):
        return None
    return str(int(value)) if value.is_integer() else repr(value)


def quoted(text: object) -> str:
    """Return a cell in quotes as messages show it, its head where it is long."""
    said = str(text)
    return repr(said if len(said) <= LONGEST_SHOWN else f"{said[: LONGEST_SHOWN - 1]}…")


def quoted_list(texts: Sequence[object], most: int = 3) -> str:
    """Return the first few of some texts in quotes, and how many more there are."""
    return ", ".join(map(quoted, texts[:most])) + (f" and {len(texts) - most} more" if len(texts) > most else "")


def _cell_text(value: Any) -> str | None:
    if isinstance(value, float | np.floating):
        return _number_text(float(value))
    return str(value)
