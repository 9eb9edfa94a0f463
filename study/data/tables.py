"""Read text files (.csv, .tsv) with pyarrow.

Cells stay text, because column kinds are detected later from the rows of train only. Memory use is bounded by the size
of the file, or by a few megabytes if the file is not a table.
"""

import contextlib
import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv

from study.data.dialect import Dialect, find_dialect
from study.data.encodings import is_valid, wrong_encoding
from study.data.lines import MAXIMUM_LINE_BYTES, CountedLines, RewrittenFile, short_lines
from study.data.memory import Room
from study.data.thousands import ungroup
from study.errors import UserError, first_line
from study.spec.data import DataSpec
from study.text.formatting import counted
from study.text.records import Json

_BYTES_A_CELL = 9  # bytes per cell of an Arrow column, in addition to the text


@dataclass(frozen=True, eq=False)
class Table:
    """A table as read.

    Attributes:
        frame: The cells.
        decimal: The decimal mark in text.
        read_as: The detected format of a text file.
        notes: Other findings, one line each.
        dialect: The keys of `[data]` with which another file of the same format can be read.
    """

    frame: pd.DataFrame
    decimal: str = "."
    read_as: str = ""
    notes: tuple[str, ...] = ()
    dialect: dict[str, Json] = field(default_factory=dict)


def read_text(path: Path, spec: DataSpec) -> Table:
    """Read a text file. Every column of the frame is unconverted text.

    Raises:
        UserError: If the file is empty, has no line breaks, no rows or ragged rows, or is in another encoding.
    """
    dialect = find_dialect(path, spec)
    names, renamed = unique(dialect.names)
    Room(path).check("the table", path.stat().st_size + _BYTES_A_CELL * len(names) * _count_lines(path))
    try:
        table = _read(path, dialect, names)
    except pa.ArrowInvalid as error:
        raise _explain(path, dialect, error) from error
    except UnicodeDecodeError as error:
        raise wrong_encoding(path, dialect.encoding, error) from error
    except UnicodeError as error:  # for example, UTF-16 without a byte order mark
        raise UserError(f"{path.name} is not valid {dialect.encoding} ({error}); change [data] encoding") from error
    if table.num_rows == 0:
        raise _no_rows(path)
    frame = table.combine_chunks().to_pandas(types_mapper=pd.ArrowDtype)
    if spec.thousands is not None:
        frame = frame.apply(ungroup, mark=spec.thousands, decimal=dialect.decimal)
    return Table(
        frame,
        decimal=dialect.decimal,
        read_as=dialect.read_as,
        notes=(f"duplicate column names were changed: {', '.join(renamed)}",) if renamed else (),
        dialect={
            "separator": dialect.form.separator,
            "quote": dialect.form.quote,
            "escape": dialect.form.escape,
            "header": dialect.header,
            "decimal": dialect.decimal,
            "thousands": spec.thousands,
            "encoding": None if spec.encoding is None else dialect.encoding,
            "skip_lines": spec.skip_lines,
        },
    )


def _read(path: Path, dialect: Dialect, names: list[str]) -> pa.Table:
    """Return the rows of values as text, with the given column names."""
    form = dialect.form
    with contextlib.ExitStack() as closing:
        if form.is_rewritten:
            rewritten = RewrittenFile(path, dialect.encoding, form, dialect.skipped)
            source: RewrittenFile | Path = closing.enter_context(rewritten)
            skipped, encoding = 0, "utf8"
        else:
            source, skipped, encoding = path, dialect.skipped, dialect.encoding
        return pyarrow.csv.read_csv(
            source,
            read_options=pyarrow.csv.ReadOptions(
                column_names=names, block_size=MAXIMUM_LINE_BYTES, encoding=encoding, skip_rows=skipped
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=form.character,
                quote_char=form.quote or False,
                double_quote=True,
                escape_char=form.escape or False,
                newlines_in_values=bool(form.quote),
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.large_string() for name in names}, strings_can_be_null=False
            ),
        )


def _count_lines(path: Path) -> int:
    lines = returns = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            lines += block.count(b"\n")
            returns += block.count(b"\r")
    return max(lines, returns)


def _no_rows(path: Path) -> UserError:
    return UserError(f"{path.name} contains a header but no rows")


def unique(names: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return unique names ("a", "a" becomes "a", "a.1", as in pandas), and the names that were changed."""
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
    """Return the error for a file that pyarrow could not parse, with the first ragged line if there is one."""
    if dialect.encoding == "utf-8" and not is_valid(path, dialect.encoding):
        return UserError(
            f"{path.name} is not valid {dialect.encoding}; set [data] encoding to the right one, such as cp1252, or "
            "remove the key to detect it"
        )
    expected = len(dialect.names)
    count = 0
    for first, last, cells in _rows(path, dialect):
        if not cells or cells == [""]:
            continue
        count += 1
        if len(cells) != expected:
            where = f"line {first}" if first == last else f"the row on lines {first} to {last}"
            hint = "" if first == last else "close its quotes, "
            return UserError(
                f"{path.name}: {where} has {counted(len(cells), 'cell')}, but the first row has {expected}; "
                f"fix the line, {hint}or set [data] separator or quote"
            )
    if count == 0:
        return _no_rows(path)
    return UserError(f"{path.name} could not be read as a table ({first_line(error)[:200]})")


def _rows(path: Path, dialect: Dialect) -> Iterator[tuple[int, int, list[str]]]:
    """Yield (first line number, last line number, cells) of each row until the csv module fails."""
    with path.open(encoding=dialect.encoding, errors="replace", newline="") as file:
        lines = CountedLines(short_lines(file))
        for _ in range(dialect.skipped):
            next(lines, None)
        rows = dialect.form.rows(lines)
        while True:
            first = lines.count + 1
            try:
                cells = next(rows)
            except (StopIteration, csv.Error):  # csv.Error: a cell is too long, and only pyarrow's message is available
                return
            yield first, lines.count, cells
