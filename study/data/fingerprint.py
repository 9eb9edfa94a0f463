"""Fingerprints of tables: the SHA-256 of column names and values as read, which detects changes in the data.

Nothing is converted, so the sealed test rows can be fingerprinted too. The quoting of a file and its chunks in memory
have no effect.
"""

import hashlib
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Rows = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.generic]
Values: TypeAlias = "Numbers | pa.LargeStringArray"


def fingerprint(frame: pd.DataFrame, rows: Rows | None = None) -> str:
    """Return the hexadecimal SHA-256 of the column names and the values of all rows, or of `rows` in that order."""
    return fingerprints(frame, {"": rows})[""]


def fingerprints(frame: pd.DataFrame, parts: Mapping[str, Rows | None]) -> dict[str, str]:
    """Return the fingerprint of each split of a table. A split is an array of rows, or None for all rows."""
    names = repr([str(name) for name in frame.columns]).encode()
    digests = {part: hashlib.sha256(names) for part in parts}
    matrix = _matrix(frame)
    columns: list[Values] = [matrix] if matrix is not None else [_values(frame[name]) for name in frame.columns]
    for column in columns:
        for part, rows in parts.items():
            if isinstance(column, np.ndarray):
                _update(digests[part], column if rows is None else column[rows])
            else:
                _update_text(digests[part], column if rows is None else column.take(pa.array(rows)))
    return {part: digest.hexdigest() for part, digest in digests.items()}


def explain_change(recorded: Mapping[str, str], current: Mapping[str, str]) -> str:
    """Return the names of the splits whose fingerprints differ, such as "train and dev", or "" if none do."""
    changed = [part for part in sorted({*recorded, *current}) if recorded.get(part) != current.get(part)]
    return " and ".join(changed)


def _matrix(frame: pd.DataFrame) -> Numbers | None:
    """Return the frame as one array if all columns have the same NumPy number type, as in images, otherwise None."""
    types = set(frame.dtypes)
    if len(types) != 1 or not _is_number_type(next(iter(types))):
        return None
    matrix: Numbers = frame.to_numpy()
    return matrix


def _is_number_type(dtype: object) -> bool:
    return isinstance(dtype, np.dtype) and dtype.kind in "fiub"


def _values(column: pd.Series) -> Values:
    """Return a column as a NumPy array of numbers or as an Arrow array of text."""
    if _is_number_type(column.dtype):
        numbers: Numbers = column.to_numpy()
        return numbers
    if isinstance(column.dtype, pd.ArrowDtype):
        array = column.array.__arrow_array__()
        if not pa.types.is_large_string(array.type):
            array = pc.cast(array, pa.large_string())
    else:
        values = column.astype(object)
        array = pa.array([None if pd.isna(each) else str(each) for each in values], type=pa.large_string())
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks != 1 else array.chunk(0)
    return array


def _update_text(digest: "hashlib._Hash", array: pa.LargeStringArray) -> None:
    """Add the lengths of texts, -1 where missing, then their characters. Thus "ab", "c" differs from "a", "bc"."""
    gaps = array.null_count
    lengths, present = None, array
    if gaps:
        lengths = pc.fill_null(pc.binary_length(array), -1).to_numpy(zero_copy_only=False)
        present = array.drop_null()
    _, offsets, letters = present.buffers()
    if not len(present) or offsets is None:
        _update(digest, np.zeros(0, dtype=np.int64) if lengths is None else lengths)
        return
    ends = np.frombuffer(offsets, dtype=np.int64)[present.offset : present.offset + len(present) + 1]
    _update(digest, np.diff(ends) if lengths is None else lengths)
    if letters is not None:
        digest.update(memoryview(letters)[int(ends[0]) : int(ends[-1])])


def _update(digest: "hashlib._Hash", values: Numbers) -> None:
    """Add the type and shape of an array, then its bytes in little-endian order on any machine."""
    plain = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
    digest.update(f"{plain.dtype.str}{plain.shape}".encode())
    digest.update(plain.reshape(-1).view(np.uint8).data)
