"""Read the column that `[data] weight` names: the weights of the training rows in the cost."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from study.data import cells
from study.data.sources import RawTable
from study.errors import UserError
from study.spec.data import DataSpec

Rows = npt.NDArray[np.int64]


def read_weights(spec: DataSpec, raw: RawTable, rows: Rows) -> npt.NDArray[np.float32] | None:
    """Return the weights of the given rows, (1, m), with mean 1, or None if there is no weight column.

    Raises:
        UserError: If a weight is missing, not a number or negative, or all weights are 0.
    """
    if spec.weight is None:
        return None
    column = raw.frame[spec.weight].take(rows)
    weights, not_numbers = cells.numbers(column, spec.markers(spec.weight), raw.decimal)
    with np.errstate(invalid="ignore"):
        wrong = np.flatnonzero(not_numbers | ~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        value = column.iloc[wrong[0]]
        cell = "no value" if pd.isna(value) or value == "" else cells.quoted(value)
        raise UserError(
            f"{raw.label}: row {rows[wrong[0]] + 1} of the weight column {spec.weight!r} has {cell}; "
            "weights must be numbers that are at least 0"
        )
    if not weights.any():
        raise UserError(
            f"{raw.label}: all weights in {spec.weight!r} are 0 on the training set; at least one must be above 0"
        )
    relative: npt.NDArray[np.float32] = (weights / weights.mean()).astype(np.float32).reshape(1, -1)
    return relative
