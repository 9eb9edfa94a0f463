"""Detect whether the first row of a table is a header."""

import re
from itertools import pairwise

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}([.,'’ \u00a0\u202f])\d{3}(\1\d{3})*")  # 1'250, 1,250,000
_YEAR = re.compile(r"(1[89]|20)\d\d")
_FEW = 3  # fewer numbers than this can be column names only if all of them are years


def is_number(cell: str) -> bool:
    """Whether a cell is a number, with a decimal point or comma."""
    return bool(NUMBER.fullmatch(cell) or COMMA_NUMBER.fullmatch(cell))


def has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns, by words or by numbers such as 0, 1, 2 or 2018, 2019."""
    rows = [[_without_marks(cell.strip()) for cell in row] for row in rows]
    first = rows[0]
    numbers = [cell for cell in first if is_number(cell)]
    if numbers:
        if len(numbers) >= _FEW and numbers == [str(index) for index in range(len(numbers))]:
            return True  # the default names of pandas
        return _numbers_name_columns(first, rows[1:])
    if "?" in first:
        return False
    if len(rows) == 1:
        return True
    # Words above words are a header unless every one of them also occurs as a value in its column.
    below = [{row[index].strip() for row in rows[1:] if index < len(row)} for index in range(len(first))]
    return not all(cell in values for cell, values in zip(first, below, strict=True))


def _numbers_name_columns(first: list[str], rows: list[list[str]]) -> bool:
    """Whether a row with numbers is a header: years, or a monotonic series unlike the values below it."""
    rows = [row for row in rows if len(row) == len(first)]
    places = [index for index, cell in enumerate(first) if is_number(cell)]
    labels = [_value(first[index]) for index in places]
    years = all(_YEAR.fullmatch(first[index]) for index in places)
    if not rows or len(set(first)) < len(first) or not (years or (len(labels) >= _FEW and _is_series(labels))):
        return False
    below = [[_value(row[index]) for row in rows if is_number(row[index].strip())] for index in range(len(first))]
    series = sum(_is_series([_value(row[index]) for index in places if is_number(row[index].strip())]) for row in rows)
    words = [index for index in range(len(first)) if index not in places]
    if any(re.search(r"[^\W\d]", first[index]) and len(below[index]) == len(rows) for index in words):
        return years or series * 4 <= len(rows)  # a word above a column of numbers
    return all(_is_far(label, below[index]) for label, index in zip(labels, places, strict=True))


def _is_series(values: list[float]) -> bool:
    return all(a < b for a, b in pairwise(values)) or all(a > b for a, b in pairwise(values))


def _is_far(label: float, values: list[float]) -> bool:
    """Whether a number is farther from the values below it than these are from one another."""
    if len(values) < _FEW:
        return False
    low, high = min(values), max(values)
    return max(low - label, label - high) > high - low


def _without_marks(cell: str) -> str:
    """Return a cell without thousands separators if it is not a number otherwise."""
    return re.sub(r"[^\d+-]", "", cell) if _GROUPED.fullmatch(cell) and not is_number(cell) else cell


def _value(cell: str) -> float:
    cell = cell.strip()
    return float(cell.replace(",", ".")) if is_number(cell) else float("nan")
