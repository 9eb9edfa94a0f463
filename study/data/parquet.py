"""Read Parquet files with pyarrow."""

import re
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from study.data.cells import NUMBER
from study.data.memory import Room
from study.data.tables import Table, unique
from study.errors import UserError
from study.spec.data import DataSpec
from study.text.formatting import counted

BATCH, FEW = 1 << 16, 1 << 6  # rows unpacked at a time
_NAMELESS = re.compile(r"__index_level_\d+__")  # the name that pandas gives to an unnamed index
_KEPT = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_timestamp, pa.types.is_duration)
_TEXTS = {
    *(pa.string(), pa.large_string(), pa.string_view()),
    *(pa.binary(), pa.large_binary(), pa.binary_view()),
}
_DAMAGED = (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError, pa.ArrowIndexError, OSError, ValueError)


def read_parquet(path: Path, _spec: DataSpec) -> Table:
    """Read a Parquet file. The columns keep their types.

    pandas stores the index of a frame after all columns. Here it becomes the first column, as with `reset_index`, so
    that it is not mistaken for the target. An unnamed index, such as row numbers left after a filter, is dropped.
    """
    try:
        # Use ParquetFile because read_table rejects duplicate column names.
        with pyarrow.parquet.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except _DAMAGED as error:
        raise UserError(f"{path.name} is not a Parquet file ({_reason(error)})") from error
    for column in schema:
        if pa.types.is_nested(column.type):
            raise _no_single_values(path, column.name, column.type)
    try:
        table = _read(path, schema, rows)
    except _DAMAGED as error:
        raise UserError(f"{path.name} could not be read ({_reason(error)}); save the file again") from error
    if table.num_rows == 0:
        raise UserError(f"{path.name} contains no rows")
    names, renamed = unique(tuple(table.column_names))
    notes = [f"duplicate column names were changed: {', '.join(renamed)}"] if renamed else []
    index = [name for name in (table.schema.pandas_metadata or {}).get("index_columns", ()) if name in names]
    nameless = [name for name in index if _NAMELESS.fullmatch(name) and len(names) > len(index)]
    if nameless:
        notes.append("the unnamed index of the saved frame was dropped")
    categories = _named_categories(schema)
    columns = {
        name: _plain(path, name, column, is_category=name in categories)
        for name, column in zip(names, table.columns, strict=True)
    }
    kept = [name for name in (*index, *(name for name in names if name not in index)) if name not in nameless]
    frame = pa.table({name: columns[name] for name in kept}).to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True)
    for name in kept:
        if pa.types.is_dictionary(columns[name].type):
            frame[name] = columns[name].to_pandas()
    return Table(frame.rename(columns=str), notes=tuple(notes))


def _read(path: Path, schema: pa.Schema, rows: int) -> pa.Table:
    """Read the rows in batches. Memory is checked first, because a few bytes can represent any number of rows."""
    width = sum(_width(column.type) for column in schema)
    Room(path).check(f"the table of {counted(rows, 'row')}", rows * width)
    texts = [column.name for column in schema if _is_text(column.type)]
    try:
        # Texts stay dictionary-encoded until their total size is known, so that repeated texts need little memory.
        return _read_batches(path, rows * width, BATCH, texts)
    except (pa.ArrowNotImplementedError, OSError):  # delta-encoded texts
        return _read_batches(path, rows * width, FEW)


def _read_batches(path: Path, size: int, batch_size: int, texts: list[str] | None = None) -> pa.Table:
    room = Room(path)
    room.take("the table", size)
    batches = []
    # The footer's statistics of columns are not read, because pyarrow aborts the process if they are damaged.
    with pyarrow.parquet.ParquetFile(path, read_dictionary=texts, page_checksum_verification=True) as file:
        for batch in file.iter_batches(batch_size=batch_size):
            room.take("the text", sum(_text_bytes(column) for column in batch.columns))
            batches.append(batch)
        return pa.Table.from_batches(batches, file.schema_arrow)


def _is_text(kind: pa.DataType) -> bool:
    return kind in _TEXTS


def _width(kind: pa.DataType) -> int:
    """Return the minimum number of bytes per value."""
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:  # text: only its offset
        return 8


def _text_bytes(column: pa.Array) -> int:
    """Return the number of bytes of the texts in a column without dictionary encoding."""
    if _is_text(column.type):
        return int(column.nbytes)
    if not pa.types.is_dictionary(column.type) or not _is_text(column.type.value_type):
        return 0
    lengths = pc.binary_length(column.dictionary).cast(pa.int64())
    return int(pc.sum(lengths.take(column.indices)).as_py() or 0)


def _plain(path: Path, name: str, column: pa.ChunkedArray, *, is_category: bool) -> pa.ChunkedArray:
    """Convert a column to a supported type: numbers, Boolean values, timestamps, durations, categories or text."""
    if is_category and not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    kind = column.type
    if pa.types.is_dictionary(kind):
        if is_category and _are_categories(column.unify_dictionaries()):
            return column.unify_dictionaries()
        column, kind = column.cast(kind.value_type), kind.value_type
    if any(is_kind(kind) for is_kind in _KEPT):
        return column
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("ms"))
    if pa.types.is_time(kind):
        column = pa.chunked_array([pa.array([each and str(each) for each in column.to_pylist()], pa.large_string())])
    try:
        return column.cast(pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise _no_single_values(path, name, kind) from error


def _named_categories(schema: pa.Schema) -> set[str]:
    """Return the names of columns that were saved as categories by pandas or another program."""
    columns = (schema.pandas_metadata or {}).get("columns", ())
    named = {each["name"] for each in columns if each.get("pandas_type") == "categorical"}
    return named | {field.name for field in schema if pa.types.is_dictionary(field.type)}


def _are_categories(column: pa.ChunkedArray) -> bool:
    """Whether all categories look like numbers, so that the values do not show that the column is categorical."""
    values = column.chunk(0).dictionary if column.num_chunks else pa.array([])
    if _is_text(values.type):
        return bool(pc.all(pc.match_substring_regex(values, NUMBER), min_count=1).as_py())
    return bool(pa.types.is_integer(values.type) or pa.types.is_floating(values.type))


def _no_single_values(path: Path, name: str, kind: pa.DataType) -> UserError:
    return UserError(f"{path.name}: column {name!r} contains {kind}, not single values; save the file without it")


def _reason(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
