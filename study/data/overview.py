"""A summary of the data before anything runs: columns, classes, parts and what should worry a person.

Called by `study plan` and by the draft of a spec. Statistics of columns are those of train and dev; the test rows
are counted, and compared cell by cell as read when duplicates are looked for, and that is all.
"""

import json
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from study.data import cells, data_warnings, kinds, loading, opening
from study.data.dataset import Dataset
from study.data.table_warning import TableWarning, some
from study.spec.data import DataSpec
from study.text.formatting import counted

# Candidates near the top of a search disagree on about this share of the examples.
DISAGREEMENT = 0.10
_WORDS = {"NA", "N/A", "n/a", "null", "NULL"}  # markers that may be a category, such as the code of a country


@dataclass(frozen=True)
class ColumnSummary:
    """A column of the source. kind: numeric, categorical, boolean, date, or why it is no feature.

    missing, distinct: cells without a value, and different values, in train and dev together. markers: how many of the
    missing cells have which text, such as NA; empty ones are not among them.
    """

    name: str
    kind: str
    missing: int
    distinct: int
    markers: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class DataSummary:
    """What `study plan` prints of the data.

    rows: in the source (a test file's apart). parts: examples by part; with folds "train and dev" together. folds:
    (train, dev) examples of each fold, () without. classes: examples by class, all parts; {} for regression. n_x, n_y:
    rows of X and Y after preprocessing. compared_on: dev examples that trials are compared on; with folds each of train
    and dev is one once. smallest_difference: what these can tell apart, in points of accuracy (0.02 is two percentage
    points), for regression as a share of the RMSE. task_reason: why this is the task. metric_reason: why the default
    metric is not the usual one of the task. decisions: what was found out or decided to read the table, a line each.
    """

    source: str
    rows: int
    target_name: str
    task: str
    default_metric: str
    columns: tuple[ColumnSummary, ...]
    classes: dict[str, int]
    parts: dict[str, int]
    n_x: int
    n_y: int
    compared_on: int
    smallest_difference: float
    warnings: tuple[TableWarning, ...] = field(
        metadata={"key": "cautions"}
    )  # as JSON has had it from the first version on
    notes: tuple[str, ...]
    fingerprint: str
    folds: tuple[tuple[int, int], ...] = ()
    metric_reason: str = ""
    task_reason: str = ""
    decisions: tuple[str, ...] = ()

    JSON_PROPERTIES: ClassVar[tuple[str, ...]] = ("split", "columns_by_kind", "missing_cells")

    @property
    def split(self) -> str:
        """The sizes of the parts that are used, in words."""
        sizes = ", ".join(f"{part} {m:,}" for part, m in self.parts.items() if m)
        if not self.folds:
            return sizes
        train, dev = ({sizes[place] for sizes in self.folds} for place in (0, 1))
        return f"{sizes}; {len(self.folds)} folds, each with train {_range(train)} and dev {_range(dev)}"

    @property
    def columns_by_kind(self) -> dict[str, int]:
        """Number of columns of each kind, the most frequent first."""
        counts: dict[str, int] = {}
        for column in self.columns:
            counts[column.kind] = counts.get(column.kind, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    @property
    def missing_cells(self) -> int:
        """Cells without a value in train and dev."""
        return sum(column.missing for column in self.columns)


def _range(numbers: set[int]) -> str:
    return f"{min(numbers):,}" if len(numbers) == 1 else f"{min(numbers):,} to {max(numbers):,}"


def smallest_difference(m: int, disagreement: float = DISAGREEMENT) -> float:
    """Return the smallest difference in accuracy that m examples can show at the 5% level, two-sided, paired.

    Both candidates answer the same m examples and disagree on a share d of them. The variance of the difference
    δ of the paired proportions is (d - δ²)/m (Agresti, Categorical Data Analysis, section on McNemar's test), so
    δ = z √((d - δ²)/m), that is δ = z √(d / (m + z²)) with z = 1.96. And the exact test needs at least 6
    examples, all decided one way (2 · 0.5⁶ < 0.05). For RMSE, where √2 · RMSE/√(2m) is the standard error of
    an unpaired difference under normal errors, the same expression with d = 1 - ρ, ρ the correlation of the
    squared errors, is its share of the RMSE.
    """
    z = 1.96
    return float(min(1.0, max(z * np.sqrt(disagreement / (m + z**2)), 6 / m)))


def summarize(spec: DataSpec, base: Path) -> DataSummary:
    """Read, split and prepare the data, and summarize them.

    Raises:
        UserError: for whatever `load` raises it for.
    """
    opened = opening.open_source(spec, base)
    dataset = loading.prepare(opened, opened.parts["train"], opened.parts["dev"])
    return describe(opened, dataset, loading.load_fold_datasets(spec, base) if spec.folds else ())


def describe(opened: opening.Opened, dataset: Dataset, folds: Sequence[Dataset] = ()) -> DataSummary:
    """Return the summary of data that have been loaded; folds: one dataset for each fold that the spec asks for."""
    raw, target = opened.raw, opened.target
    train, dev = opened.parts["train"], opened.parts["dev"]
    seen = opened.rows(np.sort(np.concatenate([train, dev])))
    kind_of = {column.name: column.kind for column in dataset_columns(dataset)}
    _, left_out = kinds.candidate_columns(raw.features, opened.spec, raw.label)
    columns = tuple(
        _summarize_column(raw.frame[name].take(seen), kind_of.get(name) or left_out.get(name, "no feature"), opened)
        for name in raw.features
    )
    parts = {name: len(examples) for name, examples in opened.parts.items()}
    if raw.test is not None:
        parts["test"] = len(raw.test)
    compared_on = parts["dev"] + (parts["train"] if opened.spec.folds else 0)
    if folds:
        parts = {"train and dev": parts.pop("train") + parts.pop("dev")} | parts
    smallest = smallest_difference(compared_on)
    return DataSummary(
        source=dataset.source,
        rows=len(raw.frame),
        target_name=raw.target,
        task=dataset.task,
        default_metric=dataset.default_metric,
        columns=columns,
        classes={name: int((target.codes == code).sum()) for code, name in enumerate(target.classes)},
        parts=parts,
        n_x=dataset.n_x,
        n_y=dataset.n_y,
        compared_on=compared_on,
        smallest_difference=smallest,
        warnings=data_warnings.find_data_warnings(opened, dataset, smallest),
        notes=dataset.notes,
        fingerprint=dataset.fingerprint,
        folds=tuple((each.train.m, each.dev.m) for each in folds),
        metric_reason=dataset.metric_reason,
        task_reason=target.task_reason,
        decisions=list_decisions(dataset, columns),
    )


def list_decisions(
    dataset: Dataset, columns: Sequence[ColumnSummary], *, without: Container[str] = ()
) -> tuple[str, ...]:
    """Return what was found out or decided to read the table, a line each; task and sizes are fields of their own.

    without: what else is left out, as `Finding.about` names it.
    """
    shown = [each for each in dataset.findings if each.about not in ("task", "sizes") and each.about not in without]
    return (*(finding.text for finding in shown), *_describe_markers(columns))


def _describe_markers(columns: Sequence[ColumnSummary]) -> list[str]:
    """Return a note on each text that marks missing cells, with the columns and how many cells of each."""
    found: dict[str, list[ColumnSummary]] = {}
    for column in columns:
        for marker in column.markers:
            found.setdefault(marker, []).append(column)
    notes = []
    for marker, marked in found.items():
        where = some([f"{column.name} ({counted(column.markers[marker], 'cell')})" for column in marked])
        words = [column.name for column in marked if column.kind == "categorical" and marker in _WORDS]
        remedy = f"; [data] keep_na = {json.dumps(words, ensure_ascii=False)} makes it a category" if words else ""
        notes.append(f"{marker!r} counts as missing in {where}{remedy}")
    return notes


def dataset_columns(dataset: Dataset) -> tuple[kinds.Column, ...]:
    """Return the columns that the preprocessing of a dataset reads, with their kinds."""
    reader = dataset.preprocessing.named_steps["cells"]
    return tuple(kinds.Column(name, kind, form) for name, kind, form in reader.columns)


def _summarize_column(column: pd.Series, kind: str, opened: opening.Opened) -> ColumnSummary:
    markers, found = opened.spec.markers(str(column.name)), dict[str, int]()
    if cells.is_number_typed(column):
        values: npt.NDArray[np.float64] = cells.numbers(column, markers, opened.raw.decimal)[0]
        missing = int(np.isnan(values).sum())
        distinct = len(np.unique(values[~np.isnan(values)]))
    else:
        texts = cells.texts(column, markers)
        missing = texts.null_count
        distinct = len(texts.unique()) - (missing > 0)
        if missing:
            marked = cells.texts(column, ()).filter(texts.is_null()).drop_null().value_counts().to_pylist()
            found = {str(each["values"]): int(each["counts"]) for each in marked}
    return ColumnSummary(str(column.name), kind, missing, distinct, found)
