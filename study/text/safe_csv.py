"""Guard the text of tables against being read as formulas by a spreadsheet."""

import re

import pandas as pd

_FORMULA = re.compile(r"[=+\-@\t\r\n]")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def guard_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """Prefix ' to each text and each column name that a spreadsheet would evaluate as a formula.

    Numbers are unchanged, including those stored as text.
    """
    text = table.select_dtypes(exclude="number")  # mapping numbers would change their precision
    return table.assign(**{name: text[name].map(_guard) for name in text}).rename(columns=_guard)


def _guard(cell: object) -> object:
    is_formula = isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell)
    return f"'{cell}" if is_formula else cell
