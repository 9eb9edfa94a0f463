"""A warning about a table, as `study plan`, a run and its report show it."""

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
    """One warning. subject: which kind; columns: the columns it is about; message: one line with the remedy.

    severe: whether results mean something else than they seem to, so that a run and its report say it again.
    """

    subject: Subject
    message: str
    columns: tuple[str, ...] = ()
    severe: bool = False


def some(names: list[str]) -> str:
    """Return the first eight names, and how many there are beside them."""
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
