"""Format counts, single numbers, and columns of numbers."""

import math
from collections.abc import Sequence

DIGITS = 4
_SMALL, _SCIENTIFIC = 1e-4, 1e12  # use scientific notation outside this range


def counted(number: int, thing: str) -> str:
    """Return a count with its noun, such as "1 trial" or "2 trials". The last word is pluralized."""
    return f"{number:,} {thing}{agree(number, '', 's')}"


def agree(number: float, one: str, more: str) -> str:
    """Return the form of a word that agrees with a number, as in `agree(number, "is", "are")`."""
    return one if number == 1 else more


def figures(values: Sequence[float | None], digits: int = DIGITS) -> list[str]:
    """Format the numbers of a column with the same number of decimals; None becomes "".

    Args:
        values: numbers of the column.
        digits: significant digits of the largest value, and maximum number of decimals. If the smallest value is much
            smaller than the largest, each number has its own number of decimals.
    """
    finite = [abs(value) for value in values if value is not None and math.isfinite(value) and value]
    if not finite:
        return ["" if value is None else f"{value:.{digits}f}" for value in values]
    largest, smallest = max(finite), min(finite)
    if largest >= _SCIENTIFIC or smallest < largest * 10.0**-digits or largest < 10.0**-digits:
        return ["" if value is None else figure(value, digits) for value in values]
    decimals = min(digits, max(0, digits - 1 - math.floor(math.log10(largest))))
    if largest <= 1:
        decimals = digits
    return ["" if value is None else f"{value:,.{decimals}f}" for value in values]


def signed(values: Sequence[float | None], digits: int = DIGITS) -> list[str]:
    """Format the numbers of a column of differences, each with its sign."""
    return [text if text.startswith("-") or not text else f"+{text}" for text in figures(values, digits)]


def figure(value: float, digits: int = DIGITS) -> str:
    """Format a number with `digits` significant digits and commas, or as 1.2e-05 if it is very small or large."""
    if not math.isfinite(value) or not _SMALL <= abs(value) < _SCIENTIFIC:
        return f"{value:.{digits}g}"
    text = f"{value:,.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def duration(seconds: float) -> str:
    """Return a duration in words, such as "40 seconds", "3 minutes" or "2.5 hours"."""
    if seconds < 120:
        return counted(round(seconds), "second")
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def byte_count(count: float) -> str:
    """Return a number of bytes in a suitable unit."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def plain(value: object) -> str:
    """Return a cell of a table: a number with four significant digits, another value as text, and "" for None."""
    if value is None:
        return ""
    return figure(value) if isinstance(value, float) else str(value)


def p_value(p: float) -> str:
    """Return "= 0.021", or "< 0.001"."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
