"""Cells that do not fit their column: which they are, and what is said of them.

What is no number in a column of numbers counts as missing, and a category that train did not have is none of the known
ones. Both change what a model answers, so both are said; a column of which no cell can be read is refused.
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

Kind = Literal["numeric", "categorical", "boolean", "date"]

_IS_NO = {"numeric": "no number", "boolean": "neither true nor false", "date": "no date"}
_IS_NOT = {
    "numeric": "is not a number",
    "boolean": "is neither true nor false",
    "date": "is not a date",
    "categorical": "is a category that train did not have",
}
_ARE_NOT = {
    "numeric": "are not numbers",
    "boolean": "are neither true nor false",
    "date": "are not dates",
    "categorical": "are categories that train did not have",
}
_MOMENT = pd.Timestamp("2024-12-31 23:59")


@dataclass(frozen=True)
class Misfits:
    """The cells of one column that do not fit it.

    Attributes:
        column: its name.
        kind, form: what it is, and the format of a date.
        count: how many there are.
        present: how many cells of the column have a value.
        row: of the first one, counted from 1.
        value: of the first one, in quotes.
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
        """Whether no cell of the column can be read. An unseen category can: it is one of the others."""
        return self.kind != "categorical" and self.count == self.present

    @property
    def is_no(self) -> str:
        """What one of the cells is not, such as "no number"."""
        return _IS_NO[self.kind]

    @property
    def description(self) -> str:
        """How many there are, and the first, such as "income: 2 of 20 cells are not numbers (row 1: '$38')"."""
        first = f"(row {self.row}: {self.value})"
        said = agree(self.count, _IS_NOT[self.kind], _ARE_NOT[self.kind])
        return f"{self.column}: {self.count} of {counted(self.present, 'cell')} {said} {first}"

    @property
    def note(self) -> str:
        """The description, and what becomes of the cells."""
        if self.kind == "categorical":
            return self.description
        return f"{self.description} and {agree(self.count, 'counts', 'count')} as missing"

    @property
    def remedy(self) -> str:
        """How cells of this kind are written."""
        if self.kind == "numeric":
            return "write plain numbers, such as 1234.5"
        if self.kind == "boolean":
            return "write true or false, yes or no, 1 or 0"
        example = f"{_MOMENT.strftime(self.form)}, as train does, or " if "%" in self.form else ""
        return f"write dates as {example}2024-12-31"


def find_misfits(
    column: pd.Series,
    kind: Kind,
    form: str,
    values: npt.NDArray[np.generic],
    bad: npt.NDArray[np.bool_],
    rows: npt.NDArray[np.int64] | None = None,
) -> Misfits:
    """Return the misfits of a column that has some.

    Args:
        column: as it was read.
        kind, form: of the column.
        values: what was made of the cells, missing where they have no value or do not fit.
        bad: which cells do not fit.
        rows: their numbers in the source, from 0; None counts them in the column.
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
        UserError: no cell of a column can be read.
    """
    whole = [each for each in misfits if each.is_whole]
    if whole:
        others = ", ".join(each.column for each in whole[1:])
        more = f" (the same goes for {others})" if others else ""
        raise UserError(f"{where}: {whole[0].description}{more}; {whole[0].remedy}")
    return tuple(each.note for each in misfits)
