"""Which mark the numbers of a text file have: a point, or a comma, which may group digits as well."""

import re

from study.data.header import COMMA_NUMBER

_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}((,\d{3}){2,}(\.\d*)?|,\d{3}\.\d*)")  # 1,234,567 or 1,234.5
_PERHAPS_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_POINT_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")
_POINT_NUMBER = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")


def find_decimal(rows: list[list[str]], separator: str) -> str:
    """Return a comma where cells such as 3,14 are found and none such as 3.14, nor such as 1,234,567."""
    if separator == ",":
        return "."
    cells = [cell.strip() for row in rows for cell in row]
    if any(_GROUPED.fullmatch(cell) for cell in cells):
        return "."
    commas = [cell for cell in cells if COMMA_NUMBER.fullmatch(cell)]
    points = [cell for cell in cells if _POINT_NUMBER.fullmatch(cell)]
    if all(map(_PERHAPS_GROUPED.fullmatch, commas)) and not all(map(_POINT_GROUPED.fullmatch, points)):
        return "."  # beside 0.5 the comma of 1,234 groups digits
    return "," if len(commas) > len(points) else "."


def describe_comma(rows: list[list[str]]) -> str:
    """Return a note on the decimal comma, with an example; where all could be thousands, how to say that they are."""
    cells = [cell.strip() for row in rows for cell in row]
    commas = [cell for cell in cells if COMMA_NUMBER.fullmatch(cell)]
    if not commas:
        return "decimal comma"
    said = f"decimal comma ({commas[0]} is read as {commas[0].replace(',', '.')}"
    if all(_PERHAPS_GROUPED.fullmatch(cell) for cell in commas):
        said += '; if the comma groups thousands, set [data] thousands = ","'
    return f"{said})"
