"""Numbers as people read them: things that are counted, single figures, and the figures of one column."""

import math
from collections.abc import Sequence

DIGITS = 4
_SMALL, _SCIENTIFIC = 1e-4, 1e12  # beyond these nobody counts the digits


def counted(number: int, thing: str) -> str:
    """Return "1 trial", "2 trials"; the last word of the thing is its noun."""
    return f"{number:,} {thing}{agree(number, '', 's')}"


def agree(number: float, one: str, more: str) -> str:
    """Return the form of a word that goes with so many things: `agree(number, "is", "are")`."""
    return one if number == 1 else more


def figures(values: Sequence[float | None], digits: int = DIGITS) -> list[str]:
    """Return the figures of a column with the same decimals, so that they compare at a glance; "" for None.

    digits: of the largest value, at most as many decimals. Where the largest and the smallest are too far apart for
    that, each figure has the decimals that it needs.
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
    """Return the figures of a column of differences, each with its sign."""
    return [text if text.startswith("-") or not text else f"+{text}" for text in figures(values, digits)]


def figure(value: float, digits: int = DIGITS) -> str:
    """Return a number with so many digits that count; thousands whole, with commas; the extremes as 1.2e-05."""
    if not math.isfinite(value) or not _SMALL <= abs(value) < _SCIENTIFIC:
        return f"{value:.{digits}g}"
    text = f"{value:,.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
