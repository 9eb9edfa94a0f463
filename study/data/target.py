"""Read the target: the task, the class labels and their numbers, and the scale of a regression target.

The target is read for all rows because the split depends on it. Nothing else of the test rows is used.
"""

import json
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from study.data import cells, thousands
from study.data.dataset import FloatArray, TargetScale, Task
from study.errors import UserError
from study.spec.data import DataSpec
from study.spec.markers import TARGET_MARKERS
from study.text.formatting import agree, counted

MAXIMUM_CLASSES_OF_NUMBERS = 20
MAXIMUM_CLASSES = 1000
RARE_SHARE = 0.10
LARGEST = 1e150  # its square is still finite


@dataclass(frozen=True, eq=False)
class Target:
    """The target of the rows that have one.

    Attributes:
        task: The type of prediction.
        codes: Class numbers as float64, or regression targets, (m,).
        rows: Row numbers in the source, (m,).
        classes: Names of the classes; () for regression.
        notes: What was detected, one line each.
        task_reason: Why this task was chosen.
    """

    task: Task
    codes: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    task_reason: str = ""

    @property
    def default_metric(self) -> str:
        """The default metric: rmse, accuracy, or balanced_accuracy if a class is rare."""
        if self.task == "regression":
            return "rmse"
        counts = np.bincount(self.codes.astype(np.int64), minlength=len(self.classes))
        return "balanced_accuracy" if counts.min() < RARE_SHARE * counts.sum() else "accuracy"

    @property
    def metric_reason(self) -> str:
        """Why the default metric is not the usual one for the task, or "" if it is."""
        if self.default_metric != "balanced_accuracy":
            return ""
        counts = np.bincount(self.codes.astype(np.int64), minlength=len(self.classes))
        rarest = int(counts.argmin())
        share = 100 * counts[rarest] / counts.sum()
        return f"the rarest class, {cells.quoted(self.classes[rarest])}, has {share:.1f}% of the rows"


def read_target(
    column: pd.Series, spec: DataSpec, label: str, decimal: str, class_names: tuple[str, ...] = ()
) -> Target:
    """Read the target, and infer the task unless the spec sets it.

    Raises:
        UserError: If all cells are missing or equal, a class has only one row, a regression target contains text or
            infinity, or log_target is set for values that are not above -1.
    """
    name = str(column.name)
    found = _read_cells(column, spec, decimal)
    if _are_codes(found.words, spec):
        found = replace(found, numbers=None)
    if not found.present.any():
        raise UserError(f"{label}: the target {name!r} has no values; set [data] target to another column")
    rows = np.flatnonzero(found.present).astype(np.int64)
    if found.numbers is None and (spec.task == "regression" or (spec.task is None and spec.log_target)):
        raise _text_in_regression(column, spec, decimal, label)
    task, why = _find_task(found, spec, label, name)
    if task == "regression" and found.numbers is not None:
        target = _read_values(found.numbers, rows, spec, label, name)
    else:
        target = _read_labels(found, rows, label, name, class_names, task)
    notes: tuple[str, ...] = ()
    if len(rows) < len(found.present):
        notes = (_describe_left_out(column, ~found.present, name, classes=bool(target.classes)),)
    return replace(target, notes=notes, task_reason=why)


def to_outputs(codes: npt.NDArray[np.float64], task: Task, n_classes: int, scale: TargetScale | None) -> FloatArray:
    """Convert codes, (m,), to Y, (n_y, m), float32."""
    if scale is not None:
        return np.ascontiguousarray(scale.from_units(codes)[None, :], dtype=np.float32)
    if task == "binary":
        return np.ascontiguousarray(codes[None, :], dtype=np.float32)
    Y = np.zeros((n_classes, len(codes)), dtype=np.float32)
    Y[codes.astype(np.int64), np.arange(len(codes))] = 1.0
    return Y


def fit_scale(codes: npt.NDArray[np.float64], log1p: bool) -> TargetScale:
    """Return the standardization fitted on the targets of train, (m,), in original units."""
    raw = np.log1p(codes) if log1p else codes
    deviation = float(raw.std())
    return TargetScale(mean=float(raw.mean()), scale=deviation if deviation > 0 else 1.0, log1p=log1p)


def codes_of(column: pd.Series, spec: DataSpec, decimal: str, label: str, target: Target) -> Target:
    """Return the target of a test file, read in the same way as the target of the source.

    Raises:
        UserError: If it contains unknown labels, or text in a regression target.
    """
    found = _read_cells(column, spec, decimal)
    rows = np.flatnonzero(found.present).astype(np.int64)
    if len(rows) == 0:
        raise UserError(f"{label}: the target {column.name!r} has no values in the test set; add values")
    if target.task == "regression":
        if found.numbers is None:
            raise _text_in_regression(column, spec, decimal, label)
        read = _read_values(found.numbers, rows, spec, label, str(column.name), single=True)
        return Target("regression", read.codes, rows, (), ())
    if _are_codes(found.words, spec):
        found = replace(found, numbers=None)
    labels = _label_texts(found, rows)
    number_of = {name: float(code) for code, name in enumerate(target.classes)}
    if not set(labels) <= set(number_of):
        indices = {str(code): float(code) for code in range(len(target.classes))}
        if set(labels) <= set(indices):  # the source has class names, and the test file has class numbers
            number_of = indices
    unknown = sorted(set(labels) - set(number_of))
    if unknown:
        raise UserError(
            f"{label}: the test set contains classes that train does not have: {cells.quoted_list(unknown)}; "
            f"the classes of train are {cells.quoted_list(target.classes)}"
        )
    codes = np.array([number_of[each] for each in labels], dtype=np.float64)
    return Target(target.task, codes, rows, target.classes, ())


def left_out_by_marker(column: pd.Series, absent: npt.NDArray[np.bool_]) -> dict[str, int]:
    """Return the number of missing target cells by marker. Empty cells are not included."""
    texts = cells.texts(column.iloc[np.flatnonzero(absent)], ()).drop_null()
    return {str(each["values"]): int(each["counts"]) for each in texts.value_counts().to_pylist()}


def _describe_left_out(column: pd.Series, absent: npt.NDArray[np.bool_], name: str, *, classes: bool) -> str:
    """Return a note on the rows that are excluded because their target is missing."""
    found = left_out_by_marker(column, absent)
    left = int(absent.sum())
    share = f"{left:,} of {counted(len(absent), 'row')} {agree(left, 'is', 'are')} excluded"
    whose = agree(left, "its", "their")
    if not found:
        return f"target {name!r}: {share} because {whose} target is empty"
    listed = ", ".join(f"{cells.quoted(marker)} in {count:,}" for marker, count in found.items())
    usual = classes and any(marker in TARGET_MARKERS for marker in found)
    remedy = (
        f"; if this marker is a class, set [data] keep_na = [{json.dumps(name, ensure_ascii=False)}]" if usual else ""
    )
    return f"target {name!r}: {share} because {whose} target is marked as missing ({listed}){remedy}"


@dataclass(frozen=True, eq=False)
class _Cells:
    """The cells of a target.

    Attributes:
        present: Mask of the cells that are not missing.
        numbers: The cells as numbers, or None if any of them is not a number.
        words: The cells as text; empty for a numeric column.
    """

    present: cells.Mask
    numbers: cells.Floats | None
    words: npt.NDArray[np.object_]


def _read_cells(column: pd.Series, spec: DataSpec, decimal: str) -> _Cells:
    markers = spec.markers(str(column.name), target=True)
    if cells.is_number_typed(column):
        values, _ = cells.numbers(column, markers, decimal)
        return _Cells(~np.isnan(values), values, np.empty(0, dtype=object))
    words = cells.categories(column, markers)
    if cells.is_truth_typed(column):
        return _Cells(~pd.isna(words), None, words)
    values, bad = cells.numbers(column, markers, decimal)
    return _Cells(~pd.isna(words), None if bad.any() else values, words)


def _are_codes(words: npt.NDArray[np.object_], spec: DataSpec) -> bool:
    """Whether labels are codes: digits, some with leading zeros, such as 007 and 7, which are different classes."""
    if spec.task == "regression" or (spec.task is None and spec.log_target):
        return False
    different = {word for word in words if word is not None}
    few = spec.task is not None or len(different) <= MAXIMUM_CLASSES_OF_NUMBERS
    return few and all(map(str.isdecimal, different)) and any(word[0] == "0" and len(word) > 1 for word in different)


def _find_task(found: _Cells, spec: DataSpec, label: str, name: str) -> tuple[Task, str]:
    if spec.task == "regression" or (spec.task is None and spec.log_target):
        return "regression", "set" if spec.task else "log_target is set"
    if found.numbers is None:
        distinct = len({word for word in found.words if word is not None})
        why = counted(distinct, "different label")
    else:
        values = found.numbers[~np.isnan(found.numbers)]
        different = np.unique(values)
        distinct = len(different)
        whole = bool(np.isfinite(different).all() and (different == np.round(different)).all())
        if spec.task is None and not (whole and distinct <= MAXIMUM_CLASSES_OF_NUMBERS):
            kind = "whole numbers" if whole else "numbers"
            return "regression", f"{distinct} different {kind}; set [data] task if they are classes"
        why = f"{distinct} different {'whole numbers' if whole else 'numbers'}; set [data] task if this is wrong"
    if distinct == 1:
        raise UserError(f"{label}: the target {name!r} has only one class; set [data] target to another column")
    if spec.task is not None:
        if spec.task == "binary" and distinct != 2:
            raise UserError(
                f'{label}: the target {name!r} has {distinct} classes, but [data] task is "binary"; use "multiclass"'
            )
        return spec.task, "set"
    return "binary" if distinct == 2 else "multiclass", why


def _read_values(
    numbers: cells.Floats, rows: npt.NDArray[np.int64], spec: DataSpec, label: str, name: str, single: bool = False
) -> Target:
    values = numbers[rows]
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise UserError(
            f"{label}: the target {name!r} is infinite in row {rows[infinite[0]] + 1}; correct it or remove the row"
        )
    if not single and values.min() == values.max():
        raise UserError(
            f"{label}: the target {name!r} is {values[0]:g} in all rows; set [data] target to another column"
        )
    if np.abs(values).max() > LARGEST:
        raise UserError(
            f"{label}: the target {name!r} has values that are too large to standardize; convert it to a larger unit"
        )
    low = np.flatnonzero(values <= -1.0)
    if spec.log_target and len(low):
        row, value = rows[low[0]] + 1, values[low[0]]
        raise UserError(
            f"{label}: [data] log_target requires targets above -1, got {value:g} in row {row}; remove log_target"
        )
    return Target("regression", values, rows, (), ())


def _read_labels(
    found: _Cells,
    rows: npt.NDArray[np.int64],
    label: str,
    name: str,
    class_names: tuple[str, ...],
    task: Task,
) -> Target:
    labels = _label_texts(found, rows)
    names, codes = np.unique(labels, return_inverse=True)
    if len(names) > MAXIMUM_CLASSES:
        raise UserError(
            f"{label}: the target {name!r} has {len(names)} classes, more than {MAXIMUM_CLASSES}; "
            "if the target is an identifier, set [data] target to another column; if it is a number, set task = "
            '"regression"'
        )
    if found.numbers is not None:  # sort 2 before 10
        order = np.argsort([float(each.replace(",", ".")) for each in names], kind="stable")
        names, codes = names[order], np.argsort(order)[codes]
    counts = np.bincount(codes, minlength=len(names))
    rarest = int(counts.argmin())
    if counts[rarest] < 2:
        raise UserError(
            f"{label}: class {cells.quoted(names[rarest])} of the target {name!r} has only one row, "
            f"row {rows[codes == rarest][0] + 1}, but a class must have at least two; "
            f'remove or merge it, or set [data] task = "regression" if the labels are quantities'
        )
    classes = tuple(str(each) for each in names)
    if class_names and classes == tuple(str(index) for index in range(len(class_names))):
        classes = class_names
    return Target(task, codes.astype(np.float64), rows, classes, ())


def _label_texts(found: _Cells, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
    return found.words[rows] if found.numbers is None else cells.categories(pd.Series(found.numbers[rows]), ())


def _text_in_regression(column: pd.Series, spec: DataSpec, decimal: str, label: str) -> UserError:
    markers = spec.markers(str(column.name), target=True)
    row = int(np.flatnonzero(cells.numbers(column.astype(object), markers, decimal)[1])[0])
    remedy = thousands.hint(str(column.iloc[row]), decimal) or "correct it, or leave the cell empty"
    return UserError(
        f"{label}: the regression target {column.name!r} is not a number in row {row + 1}: "
        f"{cells.quoted(column.iloc[row])}; {remedy}"
    )
