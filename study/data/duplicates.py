"""Find equal rows of a table."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd


def equal_rows(frame: pd.DataFrame, columns: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return a number for each row, (m,), starting at 0. Rows with equal cells in `columns` have the same number.

    Cells are compared as read, not as numbers: 1.0 and 1 are different in a text file.
    """
    mixed = np.zeros(len(frame), dtype=np.uint64)
    for name in columns:
        codes, _ = pd.factorize(frame[name], use_na_sentinel=True)
        # A chain of splitmix64 steps (Steele, Lea, Flood 2014). Two rows collide with probability 2^-64.
        mixed = _splitmix64(mixed ^ codes.astype(np.int64).view(np.uint64))
    _, numbers = np.unique(mixed, return_inverse=True)
    return numbers.astype(np.int64)


def first_of_each(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the sorted indices, (k,), of the first row with each number."""
    return np.sort(np.unique(numbers, return_index=True)[1]).astype(np.int64)


def _splitmix64(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
