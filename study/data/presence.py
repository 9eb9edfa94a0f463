"""Detect splits without examples of a class, for which some metrics are undefined or incomplete.

Only the label names of test rows are read.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from study.data import cells
from study.data.sources import RawTable
from study.data.target import Target, codes_of
from study.spec.data import DataSpec


def read_test_target(spec: DataSpec, raw: RawTable, test: pd.DataFrame, target: Target) -> Target:
    """Return the target of a test file. Raises the same errors as `codes_of`."""
    return codes_of(test[raw.target], spec, raw.decimal, f"{raw.label} [test]", target)


def note_absent_classes(
    spec: DataSpec, raw: RawTable, target: Target, parts: dict[str, npt.NDArray[np.int64]]
) -> tuple[str, ...]:
    """Return a note on each split that lacks a class. For regression, there are none.

    Raises:
        UserError: If the target of a test file cannot be read or contains classes that train does not have.
    """
    codes = {name: target.codes[examples] for name, examples in parts.items()}
    if raw.test is not None:
        codes["test"] = read_test_target(spec, raw, raw.test, target).codes
    if target.task == "regression":
        return ()
    if spec.folds:  # each row of train and dev is in dev once
        codes["dev"] = np.concatenate([codes.pop("train"), codes["dev"]])
    notes = []
    for part, found in codes.items():
        there = set(found.astype(int).tolist())
        absent = [name for code, name in enumerate(target.classes) if code not in there]
        if absent:
            what = "are undefined" if len(there) == 1 else "cover only the other classes"
            named = cells.quoted_list(absent)
            notes.append(f"{part} has no rows of class {named}, so balanced accuracy, F1 and AUC on {part} {what}")
    return tuple(notes)
