"""Detect the format of a text file: encoding, separator, quoting, header and decimal mark.

Only the head of the file is read into memory. Values that the spec sets are not detected.
"""

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from study.data.decimal_mark import describe_comma, find_decimal
from study.data.encodings import find_encoding, wrong_encoding
from study.data.header import COMMA_NUMBER, has_header, is_number
from study.data.lines import MAXIMUM_LINE_BYTES, CountedLines, Form
from study.errors import UserError
from study.spec.data import WHITESPACE, DataSpec

HEAD_BYTES = 1 << 18
HEAD_ROWS = 200
USUAL_SEPARATORS = (",", ";", "\t", "|")
ODD_SEPARATORS = ("~", "^", "\x01", "\x1f", "::")
SEPARATORS = (*USUAL_SEPARATORS, *ODD_SEPARATORS, " ", WHITESPACE)
SEPARATOR_WORDS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", " ": "space", WHITESPACE: "runs of spaces"}
COMMENT_MARKS = ("#", "%", "//", "!")
ROW_NAMES = "row_names"
_PREAMBLE = 30  # maximum number of rows before a header

_EXCEL_SEPARATOR = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """The format of a text file.

    Attributes:
        encoding: The encoding.
        form: How lines are split into cells.
        header: Whether a row names the columns.
        decimal: The decimal mark.
        skipped: Number of lines before the first row of values, including the header.
        names: Names of the columns.
        read_as: The detected values, such as "separator semicolon, decimal comma", or "" if the spec sets them all.
    """

    encoding: str
    form: Form
    header: bool
    decimal: str
    skipped: int
    names: tuple[str, ...]
    read_as: str


@dataclass(frozen=True)
class _Head:
    """The non-empty rows at the start of a file, and the number of lines up to the end of each."""

    rows: list[list[str]]
    ends: list[int]

    @property
    def width(self) -> int:
        """The most frequent number of cells per row."""
        return Counter(map(len, self.rows)).most_common(1)[0][0] if self.rows else 0


def find_dialect(path: Path, spec: DataSpec) -> Dialect:
    """Detect the format of a file. Values that the spec sets are used unchanged.

    Raises:
        UserError: If there is no line break in the first 8 MB, or the file is binary or in an unknown encoding.
    """
    _check_line_ends(path)
    encoding = codecs.lookup(spec.encoding or find_encoding(path)).name
    lines = list(io.StringIO(_head(path, encoding), newline=""))
    skipped, separator = _leading_lines(lines)
    if spec.skip_lines is not None:
        skipped = spec.skip_lines
    if spec.separator is not None:
        separator = spec.separator
    text = "".join(lines[skipped:])
    if not text.strip():
        raise UserError(f"{path.name} contains only empty lines")
    quote = _find_quote(text) if spec.quote is None else spec.quote
    if separator is None:
        separator = "\t" if path.suffix.lower() == ".tsv" and "\t" in text else _find_separator(lines[skipped:], quote)
    escape = spec.escape if spec.escape is not None else _find_escape(text, separator, quote)
    form = Form(separator, quote, escape)
    start = _find_start(lines, skipped, form, spec)
    other = {",": ".", ".": ","}.get(spec.thousands or "")
    decimal = spec.decimal or other or find_decimal(start.rows, separator)
    found = [
        f"encoding {encoding}" if spec.encoding is None else "",
        f"separator {SEPARATOR_WORDS.get(separator, repr(separator))}" if spec.separator is None else "",
        f"quote {quote or 'none'}" if spec.quote is None and quote != '"' else "",
        f"escape {escape}" if spec.escape is None and escape else "",
        ("header" if start.header else "no header (columns column_0, column_1, ...)") if spec.header is None else "",
        describe_comma(start.rows) if spec.decimal is None and decimal == "," else "",
        *start.remarks,
    ]
    read_as = ", ".join(part for part in found if part)
    return Dialect(encoding, form, start.header, decimal, start.skipped, start.names, read_as)


def _check_line_ends(path: Path) -> None:
    """Check that the first line is at most MAXIMUM_LINE_BYTES long.

    Raises:
        UserError: If it is longer.
    """
    with path.open("rb") as file:
        while block := file.read(HEAD_BYTES):
            if b"\n" in block or b"\r" in block:
                return
            if file.tell() >= MAXIMUM_LINE_BYTES:
                raise _no_line_ends(path)


def _no_line_ends(path: Path) -> UserError:
    return UserError(
        f"{path.name}: no line break in the first {MAXIMUM_LINE_BYTES >> 20} MB; a table must have one row per line"
    )


def _head(path: Path, encoding: str) -> str:
    """Return about HEAD_BYTES of complete lines from the start of the file, at least one."""
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
                if file.tell() >= 4 * MAXIMUM_LINE_BYTES:
                    raise _no_line_ends(path)
        except UnicodeDecodeError as error:
            raise wrong_encoding(path, encoding, error) from error
        except UnicodeError as error:
            raise UserError(f"{path.name} is not valid {encoding} ({error}); change [data] encoding") from error
    return text.removeprefix("\ufeff")


def _leading_lines(lines: list[str]) -> tuple[int, str | None]:
    """Return the number of comment lines before the table, and the separator if Excel's `sep=;` line declares one."""
    if lines and (match := _EXCEL_SEPARATOR.fullmatch(lines[0])):
        return 1, match[1]
    count = next((number for number, line in enumerate(lines) if line.strip() and not _mark(line)), len(lines))
    return (0 if count == len(lines) or not any(map(_mark, lines[:count])) else count), None


def _mark(line: str) -> str:
    """Return the comment mark at the start of a line, or "" if it is not a comment."""
    return next((mark for mark in COMMENT_MARKS if line.lstrip().startswith(mark)), "")


def _parse(lines: list[str], form: Form) -> _Head:
    """Return the first rows, and the number of lines up to the end of each."""
    head = _Head([], [])
    counted = CountedLines(iter(lines))
    rows = form.rows(counted)
    try:
        for row in rows:
            if row and row != [""]:
                head.rows.append(row)
                head.ends.append(counted.count)
            if len(head.rows) == HEAD_ROWS:
                break
    except csv.Error:  # a cell exceeds the limit of the csv module; the rows before it are enough
        pass
    return head


def _find_quote(text: str) -> str:
    """Return a single quote if it encloses cells and no double quote occurs, or else a double quote."""
    if '"' not in text and len(re.findall(r"(?:^|[,;\t|])\s?'[^'\n]*'(?=\s*(?:$|[,;\t|]))", text, re.MULTILINE)) >= 2:
        return "'"
    return '"'


def _find_escape(text: str, separator: str, quote: str) -> str:
    """Return a backslash if it precedes quotes within cells or marks empty cells as \\N, as in exports of databases."""
    parting = r"\s" if separator == WHITESPACE else re.escape(separator)
    end = rf"\s*(?:{parting}|[\r\n]|$)"
    if re.search(rf"(?:^|{parting})\\N(?:{parting}|$)", text, re.MULTILINE):
        return "\\"
    if quote and re.search(rf"\\{quote}(?:(?!{end})[^{quote}]|{quote}(?={end}))", text):
        return "\\"
    return ""


def _find_separator(lines: list[str], quote: str) -> str:
    """Return the separator that splits most rows into the same number of cells, at least two, or else a comma.

    Decimal commas may also split rows evenly, possibly into more cells, but not the names in a header. Therefore, a
    semicolon, a tab or a bar takes precedence if it splits evenly and leaves numbers such as 3,14. Spaces come last
    because they also occur within text.
    """
    best, best_score = ",", (False, False, 0.0, 0, 0)
    for separator in SEPARATORS:
        head = _parse(lines, Form(separator, quote))
        width = head.width
        if width < 2:
            continue
        widths = [len(row) for row in head.rows]
        numbers = any(COMMA_NUMBER.fullmatch(cell.strip()) for cell in chain(*head.rows))
        evenly = separator in (";", "\t", "|", " ", WHITESPACE) and len(set(widths)) == 1 and numbers
        # Rounding ignores a few deviating rows. Among equally consistent separators, the one with the most cells wins.
        share = round(widths.count(width) / len(widths), 1)
        rank = 2 if separator in USUAL_SEPARATORS else 1 if separator in ODD_SEPARATORS else 0
        score = (evenly, widths[0] == width, share, rank, width)
        if score > best_score:
            best, best_score = separator, score
    return best


@dataclass(frozen=True)
class _Start:
    """The start of a table.

    Attributes:
        header: Whether a row names the columns.
        names: Names of the columns.
        skipped: Number of lines before the first row of values.
        rows: Rows of the head, without the header.
        remarks: What was detected.
    """

    header: bool
    names: tuple[str, ...]
    skipped: int
    rows: list[list[str]]
    remarks: tuple[str, ...]


def _find_start(lines: list[str], skipped: int, form: Form, spec: DataSpec) -> _Start:
    """Find the names of the columns and the first line of values."""
    head = _commented_header(lines, skipped, form) if spec.header is not False else None
    if head is not None:
        skipped -= 1
    else:
        head = _parse(lines[skipped:], form)
    before = 0 if spec.skip_lines is not None else _preamble(head)
    lines_before = skipped + (head.ends[before - 1] if before else 0)
    ends, rows = head.ends[before:], head.rows[before:]
    first = [cell.strip() for cell in rows[0]]
    width = len(first)
    remarks = [f"lines skipped before the table: {lines_before}"] if lines_before and spec.skip_lines is None else []
    is_short = _lacks_a_cell(rows) and spec.header is not False
    header = spec.header
    if header is None:
        header = is_short or not _named_columns(spec).isdisjoint(first) or has_header(rows)
    if not header:
        return _Start(False, tuple(f"column_{index}" for index in range(width)), lines_before, rows, tuple(remarks))
    names = [cell or f"column_{index}" for index, cell in enumerate(first)]
    if is_short and not any(row[-1].strip() for row in rows[1:]):
        names.append(f"column_{width}")
    elif is_short:
        names.insert(0, ROW_NAMES)
        remarks.append(f"the unnamed first column is called {ROW_NAMES}")
    return _Start(True, tuple(names), skipped + ends[0], rows[1:], tuple(remarks))


def _commented_header(lines: list[str], skipped: int, form: Form) -> _Head | None:
    """Return the rows from the last comment line onward if it names the columns, such as "# x y z" above numbers."""
    if not skipped or not (mark := _mark(lines[skipped - 1])):
        return None
    names = lines[skipped - 1].lstrip()[len(mark) :].lstrip(" ")
    head = _parse([names, *lines[skipped:]], form)
    if not names.strip() or len(head.rows) < 2 or len(head.rows[0]) < 2 or len(head.rows[0]) != len(head.rows[1]):
        return None
    if any(is_number(cell.strip()) for cell in head.rows[0]) or not any(
        is_number(cell.strip()) for cell in head.rows[1]
    ):
        return None
    return head


def _preamble(head: _Head) -> int:
    """Return the number of rows before the header that do not belong to the table, such as a title and a date."""
    width = head.width
    before = next((index for index, row in enumerate(head.rows) if len(row) == width), 0)
    rest = head.rows[before:]
    if not 0 < before <= _PREAMBLE or width < 2 or len(rest) < 3 or any(len(row) != width for row in rest):
        return 0
    if _lacks_a_cell(head.rows) or any(is_number(cell.strip()) for cell in rest[0]) or not has_header(rest):
        return 0
    return before


def _lacks_a_cell(rows: list[list[str]]) -> bool:
    """Whether the first row has one name fewer than there are columns, as in files written by R with row names."""
    if len(rows) < 2 or any(is_number(cell.strip()) for cell in rows[0]):
        return False
    return all(len(row) == len(rows[0]) + 1 for row in rows[1:])


def _named_columns(spec: DataSpec) -> set[str]:
    """Return the columns that the spec names."""
    names = [spec.target, spec.group, spec.time, spec.weight]
    lists = (spec.numeric, spec.categorical, spec.boolean, spec.dates, spec.drop, spec.ignore)
    return {name for name in (*names, *chain(*lists)) if isinstance(name, str)}
