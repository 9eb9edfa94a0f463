"""What is predicted: the task, the labels and their numbers, the scale of a regression target.

Called by `study.data.opening` with the target of all rows: the split needs it, and nothing else of the
test rows is looked at.
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
LARGEST = 1e150  # its square is still a number


@dataclass(frozen=True, eq=False)
class Target:
    """The target of some rows. codes: (m,), the class numbers as float64, or the values of a regression.

    rows: (m,) row numbers in the source, of those that have a target. classes: () for regression. task_reason: why
    this is the task.
    """

    task: Task
    codes: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    task_reason: str = ""

    @property
    def default_metric(self) -> str:
        """The metric that serves the task: rmse, accuracy, or balanced_accuracy where a class is rare."""
        if self.task == "regression":
            return "rmse"
        counts = np.bincount(self.codes.astype(np.int64), minlength=len(self.classes))
        return "balanced_accuracy" if counts.min() < RARE_SHARE * counts.sum() else "accuracy"

    @property
    def metric_reason(self) -> str:
        """Why the default metric is not the usual one of the task; "" where it is."""
        if self.default_metric != "balanced_accuracy":
            return ""
        counts = np.bincount(self.codes.astype(np.int64), minlength=len(self.classes))
        rarest = int(counts.argmin())
        share = 100 * counts[rarest] / counts.sum()
        return f"the rarest class, {cells.quoted(self.classes[rarest])}, has {share:.1f}% of the rows"


def read_target(
    column: pd.Series, spec: DataSpec, label: str, decimal: str, class_names: tuple[str, ...] = ()
) -> Target:
    """Find the task (unless the spec sets it) and read the target.

    Raises:
        UserError: if no cell has a value, for a single class or value, a class with one row, text or infinity
            in a regression target, or a log of what is not above -1.
    """
    name = str(column.name)
    found = _read_cells(column, spec, decimal)
    if _are_codes(found.words, spec):
        found = replace(found, numbers=None)
    if not found.present.any():
        raise UserError(f"{label}: the target {name!r} has no value in any row; name another [data] target")
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
    """Return Y (n_y, m), float32, of the codes (m,)."""
    if scale is not None:
        return np.ascontiguousarray(scale.from_units(codes)[None, :], dtype=np.float32)
    if task == "binary":
        return np.ascontiguousarray(codes[None, :], dtype=np.float32)
    Y = np.zeros((n_classes, len(codes)), dtype=np.float32)
    Y[codes.astype(np.int64), np.arange(len(codes))] = 1.0
    return Y


def fit_scale(codes: npt.NDArray[np.float64], log1p: bool) -> TargetScale:
    """Return the scale of the targets of train, (m,) in their own unit."""
    raw = np.log1p(codes) if log1p else codes
    deviation = float(raw.std())
    return TargetScale(mean=float(raw.mean()), scale=deviation if deviation > 0 else 1.0, log1p=log1p)


def codes_of(column: pd.Series, spec: DataSpec, decimal: str, label: str, target: Target) -> Target:
    """Return the target of further rows (a test file), read as the first ones were.

    Raises:
        UserError: for labels that are not among the classes, or text in a regression target.
    """
    found = _read_cells(column, spec, decimal)
    rows = np.flatnonzero(found.present).astype(np.int64)
    if len(rows) == 0:
        raise UserError(f"{label}: the target {column.name!r} has no value in any row of the test set")
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
        if set(labels) <= set(indices):  # the source names its classes: labels are their numbers
            number_of = indices
    unknown = sorted(set(labels) - set(number_of))
    if unknown:
        raise UserError(
            f"{label}: the test set has the class {cells.quoted_list(unknown)}, which train does not have; "
            f"spell classes there as in train: {cells.quoted_list(target.classes)}"
        )
    codes = np.array([number_of[each] for each in labels], dtype=np.float64)
    return Target(target.task, codes, rows, target.classes, ())


def left_out_by_marker(column: pd.Series, absent: npt.NDArray[np.bool_]) -> dict[str, int]:
    """Return how many of the absent cells of a target have each text that marks a missing cell, but for empty ones."""
    texts = cells.texts(column.iloc[np.flatnonzero(absent)], ()).drop_null()
    return {str(each["values"]): int(each["counts"]) for each in texts.value_counts().to_pylist()}


def _describe_left_out(column: pd.Series, absent: npt.NDArray[np.bool_], name: str, *, classes: bool) -> str:
    """Return a note on the rows that are left out since their target is missing."""
    found = left_out_by_marker(column, absent)
    left = int(absent.sum())
    share = f"{left:,} of {counted(len(absent), 'row')} {agree(left, 'is', 'are')} left out"
    if not found:
        return f"target {name!r}: {share}, whose cell is empty"
    said = ", ".join(f"{cells.quoted(marker)} in {count:,}" for marker, count in found.items())
    usual = classes and any(marker in TARGET_MARKERS for marker in found)
    remedy = f"; [data] keep_na = [{json.dumps(name, ensure_ascii=False)}] makes it a class" if usual else ""
    return f"target {name!r}: {share}, whose cell marks a missing value ({said}){remedy}"


@dataclass(frozen=True, eq=False)
class _Cells:
    """The cells of a target.

    present: which of them have a value. numbers: what they say, None where one is no number. words: their text; of a
    column of numbers there is none.
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
    """Whether labels are digits of which some begin with a zero: 007 and 7 are two classes, and no quantities."""
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
        why = f"{distinct} different {'whole numbers' if whole else 'numbers'}; set [data] task if it is not so"
    if distinct == 1:
        raise UserError(f"{label}: the target {name!r} has one class in all rows: there is nothing to learn")
    if spec.task is not None:
        if spec.task == "binary" and distinct != 2:
            raise UserError(f"{label}: [data] task is binary and the target {name!r} has {distinct} classes")
        return spec.task, "set"
    return "binary" if distinct == 2 else "multiclass", why


def _read_values(
    numbers: cells.Floats, rows: npt.NDArray[np.int64], spec: DataSpec, label: str, name: str, single: bool = False
) -> Target:
    values = numbers[rows]
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise UserError(f"{label}: the target {name!r} is infinite in row {rows[infinite[0]] + 1}; mend or remove it")
    if not single and values.min() == values.max():
        raise UserError(f"{label}: the target {name!r} is {values[0]:g} in all rows: there is nothing to learn")
    if np.abs(values).max() > LARGEST:
        raise UserError(f"{label}: the target {name!r} has values too large to standardize; bring it to another unit")
    low = np.flatnonzero(values <= -1.0)
    if spec.log_target and len(low):
        row, value = rows[low[0]] + 1, values[low[0]]
        raise UserError(f"{label}: log_target needs a target above -1, row {row} has {value:g}; remove log_target")
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
            f'is it an identifier? Name another target, or set task = "regression" for numbers'
        )
    if found.numbers is not None:  # 2 before 10
        order = np.argsort([float(each.replace(",", ".")) for each in names], kind="stable")
        names, codes = names[order], np.argsort(order)[codes]
    counts = np.bincount(codes, minlength=len(names))
    lonely = int(counts.argmin())
    if counts[lonely] < 2:
        raise UserError(
            f"{label}: class {cells.quoted(names[lonely])} of the target {name!r} has one row, "
            f"row {rows[codes == lonely][0] + 1}; "
            f'a class needs at least 2: remove or merge it, or set task = "regression" if these are quantities'
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
        f"{label}: the target {column.name!r} of a regression is no number in row {row + 1}: "
        f"{cells.quoted(column.iloc[row])}; {remedy}"
    )
