"""Tables from text (.csv, .tsv) and Parquet files, read by pyarrow. Called by `study.data.sources`.

Text cells stay text: what a column holds is found out later, from the rows of train alone. Memory is
bounded by the file's size, and for a file that is no table by the first megabytes.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TextIO

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from study.data.dialect import MAXIMUM_LINE_BYTES, Dialect, find_dialect, reader_of, wrong_encoding
from study.errors import UserError
from study.spec.data import DataSpec

_NAMELESS = re.compile(r"__index_level_\d+__")  # what pandas calls an index without a name


@dataclass(frozen=True, eq=False)
class Table:
    """A table as read. dialect: the keys of `[data]` that read a second file of the same make."""

    frame: pd.DataFrame
    decimal: str = "."
    notes: tuple[str, ...] = ()
    dialect: dict[str, Any] = field(default_factory=dict)


def read_text(path: Path, spec: DataSpec) -> Table:
    """Read a text file; every column of the frame is text, as it stands in the file.

    Raises:
        UserError: for an empty or line-less file, another encoding, no rows, or ragged rows (with the line).
    """
    dialect = find_dialect(path, spec)
    names, renamed = _unique(dialect.names)
    try:
        table = pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(
                column_names=names, block_size=MAXIMUM_LINE_BYTES, encoding=dialect.encoding
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=dialect.separator,
                quote_char=dialect.quote or False,
                double_quote=True,
                newlines_in_values=bool(dialect.quote),
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.large_string() for name in names}, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise _explain(path, dialect, error) from error
    except UnicodeDecodeError as error:
        raise wrong_encoding(path, dialect.encoding, error) from error
    if dialect.header:
        table = table.slice(1)
    if table.num_rows == 0:
        raise UserError(f"{path.name}: there is a header and no rows")
    notes = [*dialect.notes]
    if renamed:
        notes.append(f"columns of equal name were renamed: {', '.join(renamed)}")
    return Table(
        table.combine_chunks().to_pandas(types_mapper=pd.ArrowDtype),
        decimal=dialect.decimal,
        notes=tuple(notes),
        dialect={
            "separator": dialect.separator,
            "quote": dialect.quote,
            "header": dialect.header,
            "decimal": dialect.decimal,
            "encoding": None if spec.encoding is None else dialect.encoding,
        },
    )


def read_parquet(path: Path, _spec: DataSpec) -> Table:
    """Read a Parquet file; the columns keep their types.

    pandas puts the index of a frame behind all columns. Here it comes first, as `reset_index` has it, so that it is not
    taken for the target; one without a name, what is left of the row numbers after a filter, is left out.
    """
    try:
        with pyarrow.parquet.ParquetFile(path) as file:  # where read_table takes no two columns of one name
            table = file.read()
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path.name}: this is not a Parquet file ({str(error).splitlines()[0]})") from error
    if table.num_rows == 0:
        raise UserError(f"{path.name}: there are no rows")
    names, renamed = _unique(tuple(table.column_names))
    notes = [f"columns of equal name were renamed: {', '.join(renamed)}"] if renamed else []
    index = [name for name in (table.schema.pandas_metadata or {}).get("index_columns", ()) if name in names]
    nameless = [name for name in index if _NAMELESS.fullmatch(name) and len(names) > len(index)]
    if nameless:
        notes.append("the index of the frame that was saved has no name, and is left out")
    columns = {name: _plain(path, name, column) for name, column in zip(names, table.columns, strict=True)}
    kept = [name for name in (*index, *(name for name in names if name not in index)) if name not in nameless]
    frame = pa.table({name: columns[name] for name in kept}).to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True)
    return Table(frame.rename(columns=str), notes=tuple(notes))


def _plain(path: Path, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as numbers, truth values, timestamps or text, which is all that later stages know."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_timestamp(kind):
        return column
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if pa.types.is_date(kind):
        return column.cast(pa.timestamp("ms"))
    try:
        return column.cast(pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(
            f"{path.name}: column {name!r} holds {kind}, not single values; write the file without it"
        ) from error


def _unique(names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return names that differ ("a", "a" becomes "a", "a.1", as pandas has it), and the new ones."""
    unique: list[str] = []
    renamed: list[str] = []
    given = set(names)
    taken: set[str] = set()
    for name in names:
        new, number = name, 0
        while new in taken or (number and new in given):
            number += 1
            new = f"{name}.{number}"
        if new != name:
            renamed.append(new)
        taken.add(new)
        unique.append(new)
    return unique, renamed


def _explain(path: Path, dialect: Dialect, error: pa.ArrowInvalid) -> UserError:
    """Return the error of a file that pyarrow could not parse, with the first ragged line if that is it."""
    if "UTF8" in str(error):
        return UserError(
            f"{path.name}: not in {dialect.encoding}; set [data] encoding, such as cp1252, or leave it out"
        )
    expected = len(dialect.names)
    for first, last, cells in _rows(path, dialect):
        if cells and len(cells) != expected and cells != [""]:
            where = f"line {first}" if first == last else f"the row from line {first} to {last}"
            hint = "" if first == last else "close its quotes, "
            return UserError(
                f"{path.name}: {where} has {len(cells)} cells where the first has {expected}; "
                f"mend the line, {hint}or set [data] separator or quote"
            )
    return UserError(f"{path.name}: cannot be read as a table ({str(error).splitlines()[0][:200]})")


def _rows(path: Path, dialect: Dialect) -> Iterator[tuple[int, int, list[str]]]:
    """Yield (number of its first line, of its last, cells) of each row, as far as the standard library reads them."""
    with path.open(encoding=dialect.encoding, errors="replace", newline="") as file:
        lines = _CountedLines(file)
        rows = reader_of(lines, dialect.separator, dialect.quote)
        while True:
            first = lines.count + 1
            try:
                cells = next(rows)
            except (StopIteration, csv.Error):  # csv.Error: a cell beyond all bounds; pyarrow's message has to do
                return
            yield first, lines.count, cells


class _CountedLines:
    """The lines of a file, no longer than MAXIMUM_LINE_BYTES, and how many were handed out."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.count = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self.file.readline(MAXIMUM_LINE_BYTES)
        if not line:
            raise StopIteration
        self.count += 1
        return line
