"""Convert a DataFrame or arrays in memory to a file, and to keys of `[data]` for types that the file cannot express.

A DataFrame is written as CSV by pandas. Types that text cannot express become keys: categories become `categorical`,
Boolean values `boolean`, and timestamps `dates`. A string such as "NA" stays a string, which also requires a key.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from engine.state import write_whole
from study.data import cells
from study.data.arrays import feature_names
from study.data.column_types import kinds_of
from study.data.frames import frame_of, is_table
from study.errors import UserError, did_you_mean
from study.text.formatting import counted

TARGET = "target"
DIGITS = 16  # number of digits of the SHA-256 in the name of a file
# The format of the CSV file, so that nothing needs to be detected when it is read.
WRITTEN: dict[str, object] = {
    "separator": ",",
    "quote": '"',
    "escape": "",
    "header": True,
    "decimal": ".",
    "encoding": "utf-8",
    "skip_lines": 0,
}
_ROLES = ("group", "time", "weight")
_LISTS = ("numeric", "categorical", "boolean", "dates", "drop", "ignore", "keep_na")
_SINGLE = (str, bytes, int, float, complex, np.generic)


@dataclass(frozen=True, eq=False)
class MemoryFile:
    """The content of a file with data that were in memory.

    Attributes:
        content: the bytes of the file.
        suffix: suffix of the name of the file.
        target: the column to predict; None if the target is guessed, or if the labels are a separate array.
        options: keys of `[data]` that describe the file.
    """

    content: bytes
    suffix: str
    target: str | None
    options: Mapping[str, object]

    @property
    def name(self) -> str:
        """The name of the file: the first digits of the SHA-256 of its content."""
        return f"{hashlib.sha256(self.content).hexdigest()[:DIGITS]}{self.suffix}"

    def write(self, folder: Path) -> Path:
        """Write the file to a folder atomically unless it already exists, and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.name
        if not path.exists():
            write_whole(path, self.content)
        return path


def file_of(data: object, target: object, given: Mapping[str, object]) -> MemoryFile:
    """Return data in memory as a file.

    Args:
        data: a pandas or polars DataFrame, or any other table that Arrow or pandas can read; or a pair (X, y).
        target: the name of the column to predict, or its position; None for a pair, or for a guess.
        given: other keys of `[data]`, which take precedence.

    Raises:
        UserError: If the data is not a table of single values, or does not contain the target.
    """
    if isinstance(data, tuple):
        return _file_of_pair(data, target, given)
    frame = _named(frame_of(data))
    _check_columns(list(frame.columns), given)
    return _csv_of(frame, None if target is None else _find_target(list(frame.columns), target), given)


def _file_of_pair(data: tuple[object, ...], target: object, given: Mapping[str, object]) -> MemoryFile:
    """Return a pair (X, y) as a file: a matrix as CSV, images as .npz."""
    if len(data) != 2:
        raise UserError(f"data: a tuple must be a pair (X, y), got {counted(len(data), 'element')}")
    if target is not None and not isinstance(target, str):
        raise UserError(f"target: with a pair (X, y), must be a name for y or be omitted, got {target!r}")
    X, y = data[0], _vector(data[1])
    if is_table(X):
        frame = _named(frame_of(X))
    else:
        array = _array(X)
        if array.ndim > 2:
            return _npz_of(array, y, target)
        names = list(feature_names(array.shape[1], images=False))
        frame = pd.DataFrame(array, columns=names)
        frame = frame.infer_objects() if array.dtype == object else frame
    name = target or str(getattr(data[1], "name", None) or TARGET)
    if name in frame.columns:
        raise UserError(f"target: X also has a column {name!r}; use target= to give y another name")
    _check_lengths(len(frame), len(y))
    _check_columns([*frame.columns, name], given)
    return _csv_of(frame.assign(**{name: y}), name, given)


def _npz_of(X: "np.ndarray", y: pd.Series, target: str | None) -> MemoryFile:
    if target is not None:
        raise UserError("target: labels of images have no name; omit target")
    _check_lengths(len(X), len(y))
    labels = y.to_numpy()
    file = io.BytesIO()
    np.savez(file, X=X, y=labels.astype(str) if labels.dtype == object else labels)
    return MemoryFile(file.getvalue(), ".npz", None, {})


def _check_lengths(examples: int, labels: int) -> None:
    if examples != labels:
        raise UserError(f"data: X has {counted(examples, 'row')} and y has {counted(labels, 'row')}; they must match")


def _array(X: object) -> "np.ndarray":
    if hasattr(X, "toarray"):
        raise UserError("data: X is a sparse matrix; pass a dense one, X.toarray()")
    try:
        array = np.asarray(X)
    except ValueError:
        raise UserError("data: X must be a matrix; its rows differ in length") from None
    if array.ndim < 2:
        raise UserError(
            f"data: X must have at least 2 dimensions, got {array.ndim}; for one column, use X.reshape(-1, 1)"
        )
    _refuse_complex("X", array.dtype)
    return array


def _vector(y: object) -> pd.Series:
    """Return labels as a column."""
    if isinstance(y, pd.Series):
        return y.reset_index(drop=True)
    array = np.asarray(y if not hasattr(y, "to_numpy") else y.to_numpy())
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise UserError(f"data: y must have 1 dimension, got {array.ndim}; a study predicts one target")
    _refuse_complex("y", array.dtype)
    return pd.Series(array).infer_objects()


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose column names are text, as in its CSV file.

    Raises:
        UserError: If column names have several levels or are not unique, or there are too few columns or rows.
    """
    if isinstance(frame.columns, pd.MultiIndex):
        raise UserError(
            f"data: column names have {frame.columns.nlevels} levels, such as {frame.columns[0]!r}; "
            "give each column a single name"
        )
    names = [str(name).strip() or f"column_{index}" for index, name in enumerate(frame.columns)]
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise UserError(
            f"data: column names must be unique, got {counted(len(double), 'repeated name')}: {_list(double)}"
        )
    if len(frame) == 0:
        raise UserError("data: the table has no rows")
    return frame.set_axis(names, axis="columns")


def _find_target(columns: Sequence[str], target: object) -> str:
    """Return the name of the target column."""
    if isinstance(target, int) and not isinstance(target, bool) and str(target) not in columns:
        if not -len(columns) <= target < len(columns):
            raise UserError(
                f"target: position {target} is out of range for {counted(len(columns), 'column')}; "
                f"use 0 to {len(columns) - 1}, or -1 for the last"
            )
        return columns[target]
    if str(target) not in columns:
        raise UserError(f"target: column {target!r} not found; {did_you_mean(str(target), columns)}")
    return str(target)


def _check_columns(columns: Sequence[str], given: Mapping[str, object]) -> None:
    """Check that the columns that keys of `[data]` name exist.

    Raises:
        UserError: If one of them does not exist.
    """
    for key in (*_ROLES, *_LISTS):
        names = given.get(key)
        for name in names if isinstance(names, list | tuple) else [names] if isinstance(names, str) else []:
            if name not in columns:
                argument = key if key in _ROLES else f'data_options["{key}"]'
                raise UserError(f"{argument}: column {name!r} not found; {did_you_mean(str(name), columns)}")


def _csv_of(frame: pd.DataFrame, target: str | None, given: Mapping[str, object]) -> MemoryFile:
    if len(frame.columns) < 2:
        raise UserError("data: the table has only one column; a study needs a target and at least one other column")
    columns = {str(name): _plain(frame[name]) for name in frame.columns}
    frame = pd.DataFrame(columns)
    try:
        content = frame.to_csv(index=False, lineterminator="\n").encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"data: {error.object[error.start : error.end]!a} is a lone surrogate, not a character; remove it"
        ) from None
    return MemoryFile(content, ".csv", target, WRITTEN | kinds_of(frame, target, given))


def _plain(column: pd.Series) -> pd.Series:
    """Return a column that a CSV file can represent.

    Raises:
        UserError: If its cells are complex numbers, or not single values.
    """
    name, dtype = str(column.name), column.dtype
    if isinstance(dtype, pd.SparseDtype):
        return column.sparse.to_dense()
    if isinstance(dtype, pd.ArrowDtype) and pa.types.is_nested(dtype.pyarrow_dtype):
        raise _nested(name, str(dtype.pyarrow_dtype), 0, "")
    _refuse_complex(f"column {name!r}", dtype)
    if not pd.api.types.is_object_dtype(dtype):
        return column
    for row, value in enumerate(column):
        if isinstance(value, complex | np.complexfloating):
            _refuse_complex(f"column {name!r}", np.dtype(complex))
        if not isinstance(value, _SINGLE) and (np.ndim(value) or isinstance(value, dict | set | frozenset)):
            raise _nested(name, type(value).__name__, row + 1, repr(value))
    return column


def _nested(name: str, kind: str, row: int, value: str) -> UserError:
    where = f" (row {row}: {cells.quoted(value)})" if row else ""
    return UserError(
        f"data: column {name!r} contains values of type {kind}, not single values{where}; "
        f"split the column into several, or drop it"
    )


def _refuse_complex(what: str, dtype: object) -> None:
    if getattr(dtype, "kind", "") == "c":
        raise UserError(
            f"data: {what} contains complex numbers; pass the real and imaginary parts, or the magnitude, as columns"
        )


def _list(names: Sequence[str]) -> str:
    return cells.quoted_list(names, 5)
