"""Tables of other libraries, such as polars and Arrow, as pandas DataFrames."""

import numpy as np
import pandas as pd
import pyarrow as pa

from study.data.arrays import feature_names
from study.errors import UserError
from study.text.formatting import counted


def rows_of(data: object) -> pd.DataFrame:
    """Return the rows of a table, or of a matrix (m, n) with the columns x_0, x_1, …, as a DataFrame.

    Raises:
        UserError: If data is neither a table nor a matrix.
    """
    if isinstance(data, pd.DataFrame):
        return data
    if is_table(data):
        return frame_of(data)
    array = np.asarray(data)
    if array.ndim != 2:
        raise UserError(
            f"data: must be a DataFrame or a 2-dimensional array, got an array with {counted(array.ndim, 'dimension')}"
        )
    return pd.DataFrame(array, columns=list(feature_names(array.shape[1], images=False)))


def is_table(data: object) -> bool:
    """Whether data is a table with named columns."""
    if isinstance(data, pd.DataFrame | np.ndarray):
        return isinstance(data, pd.DataFrame)
    return any(hasattr(data, name) for name in ("__arrow_c_stream__", "to_pandas", "__dataframe__"))


def frame_of(data: object) -> pd.DataFrame:
    """Return a table as a pandas DataFrame with a plain index.

    Raises:
        UserError: If data is not a table.
    """
    if isinstance(data, pd.DataFrame):
        frame = data
    elif hasattr(data, "__arrow_c_stream__"):  # polars, pyarrow, duckdb
        frame = _of_arrow(data)
    elif hasattr(data, "to_pandas"):
        frame = data.to_pandas()
    elif hasattr(data, "__dataframe__"):
        frame = pd.api.interchange.from_dataframe(data)
    else:
        raise UserError(
            f"data: must be a DataFrame, a pair (X, y) of arrays or the path of a table, got {type(data).__name__}"
        )
    if not isinstance(frame, pd.DataFrame):
        raise UserError(f"data: must be a table with columns, got {type(data).__name__}; pass a DataFrame")
    return frame.reset_index(drop=True)


def _of_arrow(data: object) -> object:
    """Return an Arrow table, or an object that exports one, as a DataFrame with its types; other data unchanged."""
    try:
        table = pa.table(data)
    except pa.ArrowInvalid:  # for example, a single column
        return data
    columns = [_of_arrow_column(column) for column in table.columns]
    return (
        pd.concat(columns, axis="columns").set_axis(table.column_names, axis="columns") if columns else pd.DataFrame()
    )


def _of_arrow_column(column: pa.ChunkedArray) -> pd.Series:
    kind = column.type
    if pa.types.is_dictionary(kind):
        plain = pa.large_string() if _is_text(kind.value_type) else kind.value_type
        values = [chunk.dictionary.cast(plain).take(chunk.indices) for chunk in column.chunks]
        return _of_arrow_column(pa.chunked_array(values, plain)).astype("category")
    if _is_text(kind):  # the only Arrow type of text that pandas supports here
        column = column.cast(pa.large_string())
    return column.to_pandas(types_mapper=pd.ArrowDtype)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
