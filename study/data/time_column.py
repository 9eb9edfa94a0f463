"""Read the column that `[data] time` names as numbers."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from study.data import cells, kinds
from study.data.sources import RawTable
from study.errors import UserError
from study.spec.data import DataSpec

Rows = npt.NDArray[np.int64]


def read_times(spec: DataSpec, raw: RawTable, rows: Rows) -> npt.NDArray[np.float64]:
    """Return the time column of the given rows as numbers that increase with time."""
    assert spec.time is not None  # noqa: S101 - for the type checker
    column, markers = raw.frame[spec.time].take(rows), spec.markers(spec.time)
    values, bad = cells.numbers(column, markers, raw.decimal) if not cells.is_date_typed(column) else (None, None)
    if values is None or bad is None or bad.any():
        form = kinds.date_format(column, spec, raw.label, rows, key="time")
        stamps, _ = cells.dates(column, markers, form)
        values = (stamps - pd.Timestamp(0)).dt.total_seconds().to_numpy(dtype=np.float64, na_value=np.nan)
    empty = np.flatnonzero(~np.isfinite(values))
    if len(empty):
        raise UserError(f"{raw.label}: the time column {spec.time!r} has no value in row {rows[empty[0]] + 1}; add one")
    return values


def describe_times(spec: DataSpec, raw: RawTable, rows: Rows) -> list[str]:
    """Return a note on how the time column is read as dates.

    The list is empty if the column contains numbers, or if it is also a feature, which has its own note.

    Args:
        spec: The `[data]` table.
        raw: The table.
        rows: All rows that are split.
    """
    if spec.time is None or spec.time in spec.dates or cells.is_date_typed(raw.frame[spec.time]):
        return []
    column = raw.frame[spec.time].take(rows)
    if not cells.numbers(column, spec.markers(spec.time), raw.decimal)[1].any():
        return []
    return kinds.date_notes(column, spec, kinds.date_format(column, spec, raw.label, rows, key="time"))
