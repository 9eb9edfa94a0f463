"""Detect numbers with grouped digits, such as 1,250, and read them as 1250 if the spec sets the separator."""

import re
from functools import cache

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from study.data import cells

MOST_TEXT = 0.2  # maximum share of other text in a column of numbers
MARKS = (",", ".", "'", " ")
# The characters that count as each mark, including non-breaking spaces and the typographic apostrophe.
_WRITTEN = {",": ",", ".": r"\.", "'": "['’]", " ": "[ \u00a0\u202f]"}


@cache
def _pattern(mark: str, decimal: str) -> str:
    return rf"^\s*[+-]?[1-9]\d{{0,2}}({_WRITTEN[mark]}\d{{3}})+({re.escape(decimal)}\d*)?\s*$"


def ungroup(column: pd.Series, mark: str, decimal: str) -> pd.Series:
    """Return a column without thousands separators in its text cells. Other cells are unchanged."""
    if not mark or _holds_no_text(column):
        return column
    pattern, written = _pattern(mark, decimal), _WRITTEN[mark]
    if not _is_arrow_text(column):  # a frame from the user, in which a column may mix text and numbers
        plain = [
            re.sub(written, "", cell) if isinstance(cell, str) and re.search(pattern, cell) else cell
            for cell in column.astype(object)
        ]
        return pd.Series(plain, index=column.index, name=column.name, dtype=object)
    texts = pa.array(column, type=pa.large_string(), from_pandas=True)
    grouped = pc.match_substring_regex(texts, pattern)
    if not pc.any(grouped).as_py():
        return column
    plain = pc.if_else(grouped, pc.replace_substring_regex(texts, written, ""), texts)
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([plain])), index=column.index, name=column.name)


def _is_arrow_text(column: pd.Series) -> bool:
    kind = column.dtype.pyarrow_dtype if isinstance(column.dtype, pd.ArrowDtype) else None
    return kind is not None and (pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _holds_no_text(column: pd.Series) -> bool:
    typed = (cells.is_number_typed, cells.is_truth_typed, cells.is_date_typed, cells.is_duration_typed)
    return any(is_typed(column) for is_typed in typed)


def grouping_mark(text: str, decimal: str) -> str | None:
    """Return the thousands separator of one cell, or None if it has none."""
    return next((mark for mark in MARKS if mark != decimal and re.search(_pattern(mark, decimal), text)), None)


def find_mark(column: pd.Series, markers: tuple[str, ...], decimal: str) -> str | None:
    """Return the thousands separator of a text column that contains mostly numbers, or None if there is none."""
    if _holds_no_text(column):
        return None
    texts = cells.texts(column, markers)
    wrong = int(cells.numbers(column, markers, decimal)[1].sum())
    for mark in MARKS:
        grouped = pc.match_substring_regex(texts, _pattern(mark, decimal))
        if mark == decimal or not pc.any(grouped).as_py():
            continue
        otherwise = pc.and_(pc.match_substring_regex(texts, rf"\d{_WRITTEN[mark]}\d"), pc.invert(grouped))
        if pc.any(otherwise).as_py():
            continue
        left = int(cells.numbers(ungroup(column, mark, decimal), markers, decimal)[1].sum())
        if left < wrong and left <= MOST_TEXT * (len(texts) - texts.null_count):
            return mark
    return None


def hint(text: str, decimal: str) -> str:
    """Return the remedy for a cell that is not a number because its digits are grouped, or "" for other cells."""
    mark = grouping_mark(text, decimal)
    return "" if mark is None else f'if {text.strip()} is a number, set [data] thousands = "{mark}"'
