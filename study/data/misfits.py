"""Misfits: cells that do not match the kind of their column, and the messages about them.

Text in a numeric column is treated as missing, and a category that train does not have is treated as unknown. Both
affect predictions, so both are reported. A column in which no cell can be read is an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from study.data import cells
from study.errors import UserError
from study.text.formatting import agree, counted

Kind = Literal["numeric", "categorical", "boolean", "date", "text"]  # text is only for a transform

_IS_NOT = {
    "numeric": "is not a number",
    "boolean": "is neither true nor false",
    "date": "is not a date",
    "categorical": "is a category that train does not have",
}
_ARE_NOT = {
    "numeric": "are not numbers",
    "boolean": "are neither true nor false",
    "date": "are not dates",
    "categorical": "are categories that train does not have",
}
_MOMENT = pd.Timestamp("2024-12-31 23:59")


@dataclass(frozen=True)
class Misfits:
    """The misfits of one column.

    Attributes:
        column: Name of the column.
        kind: Kind of the column.
        form: Format of a date.
        count: Number of misfits.
        present: Number of cells in the column that are not missing.
        row: Row of the first misfit, starting at 1.
        value: The first misfit, in quotes.
    """

    column: str
    kind: Kind
    form: str
    count: int
    present: int
    row: int
    value: str

    @property
    def is_whole(self) -> bool:
        """Whether no cell of the column can be read. Unknown categories can always be read."""
        return self.kind != "categorical" and self.count == self.present

    @property
    def is_not(self) -> str:
        """What is wrong with one of the cells, such as "is not a number"."""
        return _IS_NOT[self.kind]

    @property
    def description(self) -> str:
        """The number of misfits and the first one, such as "income: 2 of 20 cells are not numbers (row 1: '$38')"."""
        first = f"(row {self.row}: {self.value})"
        problem = agree(self.count, _IS_NOT[self.kind], _ARE_NOT[self.kind])
        return f"{self.column}: {self.count} of {counted(self.present, 'cell')} {problem} {first}"

    @property
    def note(self) -> str:
        """The description, and how the cells are treated."""
        if self.kind == "categorical":
            return self.description
        return f"{self.description} and {agree(self.count, 'is', 'are')} treated as missing"

    @property
    def remedy(self) -> str:
        """How to write cells of this kind."""
        if self.kind == "numeric":
            return "write plain numbers, such as 1234.5"
        if self.kind == "boolean":
            return "write true or false, yes or no, 1 or 0"
        example = f"{_MOMENT.strftime(self.form)}, the format of train, or " if "%" in self.form else ""
        return f"write dates as {example}2024-12-31"


def find_misfits(
    column: pd.Series,
    kind: Kind,
    form: str,
    values: npt.NDArray[np.generic],
    bad: npt.NDArray[np.bool_],
    rows: npt.NDArray[np.int64] | None = None,
) -> Misfits:
    """Return the misfits of a column that contains at least one.

    Args:
        column: The cells as read.
        kind: Kind of the column.
        form: Format of a date.
        values: The converted cells, missing for missing cells and misfits.
        bad: Mask of the misfits.
        rows: Row numbers in the source, starting at 0. None uses positions in the column.
    """
    first = int(np.flatnonzero(bad)[0])
    return Misfits(
        column=str(column.name),
        kind=kind,
        form=form,
        count=int(bad.sum()),
        present=int((bad | ~pd.isna(values)).sum()),
        row=first + 1 if rows is None else int(rows[first]) + 1,
        value=cells.quoted(column.iloc[first]),
    )


def notes_on(misfits: Sequence[Misfits], where: str) -> tuple[str, ...]:
    """Return a note on each column with misfits.

    Raises:
        UserError: If no cell of a column can be read.
    """
    whole = [each for each in misfits if each.is_whole]
    if whole:
        others = ", ".join(each.column for each in whole[1:])
        more = f" (also affected: {others})" if others else ""
        raise UserError(f"{where}: {whole[0].description}{more}; {whole[0].remedy}")
    return tuple(each.note for each in misfits)
