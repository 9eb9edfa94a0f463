"""Tables whose text a spreadsheet does not take for formulas."""

import re

import pandas as pd

_FORMULA = re.compile(r"[=+\-@\t\r\n]")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def guard_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with ' before each text, and each name of a column, that a spreadsheet would calculate.

    Numbers stay as they are, those that are kept as text too.
    """
    text = table.select_dtypes(exclude="number")  # to map numbers would change their precision
    return table.assign(**{name: text[name].map(_guard) for name in text}).rename(columns=_guard)


def _guard(cell: object) -> object:
    is_formula = isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell)
    return f"'{cell}" if is_formula else cell
