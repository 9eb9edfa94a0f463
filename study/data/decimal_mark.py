"""Detect the decimal mark of a text file. A comma may be a decimal mark or a thousands separator."""

import re

from study.data.header import COMMA_NUMBER

_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}((,\d{3}){2,}(\.\d*)?|,\d{3}\.\d*)")  # 1,234,567 or 1,234.5
_PERHAPS_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_POINT_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
_POINT_NUMBER = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")


def find_decimal(rows: list[list[str]], separator: str) -> str:
    """Return the decimal mark: a comma if there are cells such as 3,14 and none such as 3.14 or 1,234,567."""
    if separator == ",":
        return "."
    cells = [cell.strip() for row in rows for cell in row]
    if any(_GROUPED.fullmatch(cell) for cell in cells):
        return "."
    commas = [cell for cell in cells if COMMA_NUMBER.fullmatch(cell)]
    points = [cell for cell in cells if _POINT_NUMBER.fullmatch(cell)]
    if all(map(_PERHAPS_GROUPED.fullmatch, commas)) and not all(map(_POINT_GROUPED.fullmatch, points)):
        return "."  # in a file that also contains 0.5, the comma in 1,234 groups digits
    return "," if len(commas) > len(points) else "."


def describe_comma(rows: list[list[str]]) -> str:
    """Describe the decimal comma with an example, and mention [data] thousands if every comma could group digits."""
    cells = [cell.strip() for row in rows for cell in row]
    commas = [cell for cell in cells if COMMA_NUMBER.fullmatch(cell)]
    if not commas:
        return "decimal comma"
    description = f"decimal comma ({commas[0]} is read as {commas[0].replace(',', '.')}"
    if all(_PERHAPS_GROUPED.fullmatch(cell) for cell in commas):
        description += '; if the comma groups thousands, set [data] thousands = ","'
    return f"{description})"
