"""The record of a warning about a table."""

from dataclasses import dataclass
from typing import Literal

Subject = Literal[
    "duplicates",
    "repeats_target",
    "sums_to_target",
    "product_is_target",
    "rows_left_out",
    "grouped_digits",
    "code",
    "no_feature",
    "constant",
    "mostly_missing",
    "identifier",
    "same_column",
    "rare_class",
    "small_dev",
]


@dataclass(frozen=True)
class TableWarning:
    """A warning about a table.

    Attributes:
        subject: The kind of warning.
        message: One line with the problem and the remedy.
        columns: The columns concerned.
        severe: Whether the results would be misleading. A run and its report repeat severe warnings.
    """

    subject: Subject
    message: str
    columns: tuple[str, ...] = ()
    severe: bool = False


def some(names: list[str]) -> str:
    """Return the first eight names, and the number of the remaining ones."""
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
