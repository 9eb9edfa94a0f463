"""The output of a transformer as a table: a dense DataFrame with one row for each input row, and unique names."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import scipy.sparse

from study.data import cells, memory
from study.data.frames import frame_of, is_table
from study.data.misfits import Kind
from study.text.formatting import counted

SHOWN = 10  # names in a message


class OutputError(Exception):
    """The output cannot be used. The message is what the transformer did, such as "returned no column"."""


def table_of(output: object, given: pd.DataFrame, names: Callable[[int], list[str]]) -> pd.DataFrame:
    """Return the output as a dense DataFrame with a plain index.

    Args:
        output: A DataFrame, an array or a sparse matrix.
        given: The input, whose index is plain.
        names: Returns the names of that many columns, for output without names.

    Raises:
        OutputError: If it is not a table with one row for each input row, or is too large.
    """
    index, output = getattr(output, "index", None), _dense(output)
    if isinstance(output, pd.Series):
        output = output.to_frame()
    if is_table(output):
        table = frame_of(output)
        columns = [str(name) for name in table.columns]
    else:
        array = np.asarray(output)
        if array.ndim != 2:
            raise OutputError(f"must return a table or an array (m, n), got {counted(array.ndim, 'dimension')}")
        table, columns = pd.DataFrame(array), names(array.shape[1])
    if len(table) != len(given):
        raise OutputError(
            f"must return one row for each input row, but returned {counted(len(table), 'row')} for "
            f"{counted(len(given), 'row')}"
        )
    if isinstance(index, pd.Index) and not index.equals(given.index) and set(index) == set(given.index):
        raise OutputError("must keep the order of the rows, but changed it")
    double = sorted({name for name in columns if columns.count(name) > 1}) if len(set(columns)) < len(columns) else []
    if double:
        raise OutputError(f"returned several columns with the same name: {listed(double)}; give each a unique name")
    if not columns:
        raise OutputError("must return at least one column")
    table = table.set_axis(columns, axis="columns").infer_objects()
    _check_cells(table)
    return table


def _dense(output: object) -> object:
    """Return sparse output as dense output.

    Raises:
        OutputError: If it does not fit into the memory.
    """
    is_matrix = scipy.sparse.issparse(output)
    is_frame = isinstance(output, pd.DataFrame) and any(isinstance(each, pd.SparseDtype) for each in output.dtypes)
    if not is_matrix and not is_frame:
        return output
    rows, columns = output.shape  # type: ignore[attr-defined]
    size, room = rows * columns * 8, min(memory.LARGEST, memory.available() // memory.COPIES)
    if size > room:
        raise OutputError(
            f"returned a sparse matrix of {counted(rows, 'row')} and {counted(columns, 'column')}, which needs "
            f"{size:,} bytes of memory as a dense matrix, but only {room:,} are available; return fewer columns"
        )
    if is_matrix:
        return output.toarray()  # type: ignore[attr-defined]
    return pd.DataFrame(output).apply(_dense_column)


def _dense_column(column: pd.Series) -> pd.Series:
    return column.sparse.to_dense() if isinstance(column.dtype, pd.SparseDtype) else column


def _check_cells(table: pd.DataFrame) -> None:
    """Check that cells are single, real values.

    Raises:
        OutputError: If they are not.
    """
    for position in np.flatnonzero([getattr(each, "kind", "O") in "Oc" for each in table.dtypes]):
        column = table.iloc[:, position]
        values = column.dropna().astype(object)
        if any(isinstance(each, complex | np.complexfloating) for each in values):
            raise OutputError(f"returned complex numbers in column {column.name!r}; return real numbers")
        nested = next((each for each in values if np.ndim(each) or isinstance(each, dict | set)), None)
        if nested is not None:
            raise OutputError(
                f"returned a {type(nested).__name__} in a cell of column {column.name!r}; return single values"
            )


def kind_of(column: pd.Series) -> Kind:
    """Return the kind that the type of a column says; for objects, what the values are."""
    if cells.is_truth_typed(column):
        return "boolean"
    if cells.is_number_typed(column) or cells.is_duration_typed(column):
        return "numeric"
    if cells.is_date_typed(column):
        return "date"
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "categorical"
    values = column.dropna()
    return "boolean" if len(values) and all(isinstance(each, bool | np.bool_) for each in values) else "categorical"


def find_infinite(table: pd.DataFrame, names: Sequence[str]) -> tuple[int, str] | None:
    """Return the row and the column of the first infinite number in these columns, or None."""
    numeric = [name for name in names if cells.is_number_typed(table[name])]
    infinite = np.isinf(table[numeric].to_numpy(dtype=np.float64, na_value=np.nan))
    if not infinite.any():
        return None
    row, place = np.argwhere(infinite)[0]
    return int(row), numeric[place]


def listed(names: Sequence[object]) -> str:
    """Return the first few names, and the number of the others."""
    shown = ", ".join(str(name) for name in list(names)[:SHOWN])
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown
