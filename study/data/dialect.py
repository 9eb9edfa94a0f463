"""How a text file is written: encoding, separator, quoting, header and decimal mark, found from its head.

Called by `study.data.tables` with what the spec has set already. Never holds more than the head in memory.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from study.errors import UserError
from study.spec.data import DataSpec

HEAD_BYTES = 1 << 18
MAXIMUM_LINE_BYTES = 1 << 23
HEAD_ROWS = 200
SEPARATORS = (",", ";", "\t", "|", " ")
SEPARATOR_WORDS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space"}
ENCODINGS = ("utf-8", "cp1252")

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+")
_POINT_NUMBER = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Dialect:
    """How a text file is written. names: of the columns; notes: what was found out, one line each."""

    encoding: str
    separator: str
    quote: str
    header: bool
    decimal: str
    names: tuple[str, ...]
    notes: tuple[str, ...]


def find_dialect(path: Path, spec: DataSpec) -> Dialect:
    """Return how the file is written; what the spec sets is taken as it is.

    Raises:
        UserError: for a file without line ends in its first 8 MB, with binary content, or in no known encoding.
    """
    _check_line_ends(path)
    encoding = spec.encoding or _find_encoding(path)
    text = _head(path, encoding)
    quote = _find_quote(text) if spec.quote is None else spec.quote
    separator = spec.separator
    if separator is None:
        separator = "\t" if path.suffix.lower() == ".tsv" and "\t" in text else _find_separator(text, quote)
    rows = _parse(text, separator, quote)
    if not rows:
        raise UserError(f"{path.name}: there is nothing but empty lines")
    width = len(rows[0])
    header = _has_header(rows) if spec.header is None else spec.header
    decimal = spec.decimal or _find_decimal(rows, separator)
    if header:
        names = tuple(cell.strip() or f"column_{index}" for index, cell in enumerate(rows[0]))
    else:
        names = tuple(f"column_{index}" for index in range(width))
    found = [
        f"encoding {encoding}" if spec.encoding is None else "",
        f"separator {SEPARATOR_WORDS.get(separator, repr(separator))}" if spec.separator is None else "",
        f"quote {quote or 'none'}" if spec.quote is None and quote != '"' else "",
        ("header" if header else "no header: columns are column_0, column_1, ...") if spec.header is None else "",
        "decimal comma" if spec.decimal is None and decimal == "," else "",
    ]
    said = ", ".join(part for part in found if part)
    return Dialect(encoding, separator, quote, header, decimal, names, (f"{path.name}: {said}",) if said else ())


def wrong_encoding(path: Path, encoding: str, error: UnicodeDecodeError) -> UserError:
    """Return the error of a text file that is in another encoding than was said."""
    return UserError(
        f"{path.name}: not in {encoding} (byte 0x{error.object[error.start]:02x} is none of its characters); "
        f"set [data] encoding, such as cp1252 or utf-16"
    )


def _find_encoding(path: Path) -> str:
    """Return utf-8, utf-16 or cp1252: the first that the whole file is valid in, read a megabyte at a time."""
    with path.open("rb") as file:
        start = file.read(4096)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if b"\0" in start:
        raise UserError(f"{path.name}: this is binary, not text (a zero byte in its head); set [data] encoding if not")
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    for encoding in ENCODINGS:
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    decoder.decode(block)
                decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    raise UserError(f"{path.name}: neither in {' nor in '.join(ENCODINGS)}; set [data] encoding")


def _check_line_ends(path: Path) -> None:
    """Raise UserError unless a line ends in the first MAXIMUM_LINE_BYTES, or the file does."""
    with path.open("rb") as file:
        while block := file.read(HEAD_BYTES):
            if b"\n" in block or b"\r" in block:
                return
            if file.tell() >= MAXIMUM_LINE_BYTES:
                raise UserError(
                    f"{path.name}: no line ends in the first {MAXIMUM_LINE_BYTES >> 20} MB; a table has one row a line"
                )


def _head(path: Path, encoding: str) -> str:
    """Return the first whole lines of the file, about HEAD_BYTES of them and at least one."""
    size = path.stat().st_size
    with path.open("rb") as file:
        decoder = codecs.getincrementaldecoder(encoding)()
        text = ""
        try:
            while block := file.read(HEAD_BYTES):
                text += decoder.decode(block)
                last = max(text.rfind("\n"), text.rfind("\r"))
                if last >= 0 and file.tell() < size:
                    return text[: last + 1]
        except UnicodeDecodeError as error:
            raise wrong_encoding(path, encoding, error) from error
    return text


def reader_of(lines: Iterable[str], separator: str, quote: str) -> Iterator[list[str]]:
    """Return the standard library's reader of such lines; quote "" is none."""
    if quote:
        return csv.reader(lines, delimiter=separator, quotechar=quote)
    return csv.reader(lines, delimiter=separator, quotechar=None, quoting=csv.QUOTE_NONE)


def _parse(text: str, separator: str, quote: str) -> list[list[str]]:
    """Return the cells of the first rows, empty lines left out."""
    reader = reader_of(io.StringIO(text, newline=""), separator, quote)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if row and row != [""]:
                rows.append(row)
            if len(rows) == HEAD_ROWS:
                break
    except csv.Error:  # a cell longer than the module takes: what came before it is enough
        pass
    return rows


def _find_quote(text: str) -> str:
    """Return ' where it encloses cells and " encloses none, else "."""
    if '"' not in text and len(re.findall(r"(?:^|[,;\t|])\s?'[^'\n]*'(?=\s*(?:$|[,;\t|]))", text, re.MULTILINE)) >= 2:
        return "'"
    return '"'


def _find_separator(text: str, quote: str) -> str:
    """Return the separator that cuts most rows into the same number of cells, at least two; else a comma.

    Decimal commas cut evenly, too: into more cells perhaps, but not the names of a header. So a semicolon, a tab or a
    bar comes first where it cuts evenly and leaves numbers such as 3,14.
    """
    best, best_score = ",", (False, False, 0.0, 0)
    for separator in SEPARATORS:
        rows = _parse(text, separator, quote)
        widths = Counter(len(row) for row in rows)
        if not widths:
            continue
        width, count = widths.most_common(1)[0]
        evenly = (
            separator in ";\t|" and len(widths) == 1 and any(_COMMA_NUMBER.fullmatch(c.strip()) for c in chain(*rows))
        )
        # Nearly all rows agree or they do not; among those that agree the most cells win.
        score = (evenly, len(rows[0]) == width, round(count / widths.total(), 1), width)
        if width > 1 and score > best_score:
            best, best_score = separator, score
    return best


def _has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: no number in it, or nothing but 0, 1, 2, ... as pandas writes."""
    first = [cell.strip() for cell in rows[0]]
    numbers = [cell for cell in first if _NUMBER.fullmatch(cell) or _COMMA_NUMBER.fullmatch(cell)]
    if numbers:
        return len(numbers) > 2 and numbers == [str(index) for index in range(len(numbers))]
    if "?" in first:
        return False
    if len(rows) == 1:
        return True
    # Words above words: a header unless each of them is found again as a value below it.
    below = [{row[index].strip() for row in rows[1:] if index < len(row)} for index in range(len(first))]
    return not all(cell in values for cell, values in zip(first, below, strict=True))


def _find_decimal(rows: list[list[str]], separator: str) -> str:
    """Return a comma where cells such as 3,14 are found and none such as 3.14."""
    if separator == ",":
        return "."
    cells = [cell.strip() for row in rows for cell in row]
    commas = sum(bool(_COMMA_NUMBER.fullmatch(cell)) for cell in cells)
    points = sum(bool(_POINT_NUMBER.fullmatch(cell)) for cell in cells)
    return "," if commas > points else "."
