"""A summary of the data before anything runs: columns, classes, splits and warnings.

Column statistics come from train and dev. Test rows are only counted, and compared as read to find duplicates.
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

# The best candidates of a search disagree on about this share of the examples.
DISAGREEMENT = 0.10
_WORDS = {"NA", "N/A", "n/a", "null", "NULL"}  # markers that may be categories, such as country codes


@dataclass(frozen=True)
class ColumnSummary:
    """A summary of one column of the source, over train and dev.

    Attributes:
        name: Name of the column.
        kind: numeric, categorical, boolean or date, or the reason why the column is not a feature.
        missing: Number of missing cells.
        distinct: Number of distinct values.
        markers: Number of missing cells by marker, such as NA. Empty cells are not included.
    """

    name: str
    kind: str
    missing: int
    distinct: int
    markers: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class DataSummary:
    """A summary of the data, as `study plan` prints it.

    Attributes:
        source: The source, as written in the spec.
        rows: Number of rows in the source, without those of a test file.
        target_name: Name of the target column.
        task: The type of prediction.
        default_metric: The default metric of the task.
        columns: Summaries of the columns.
        classes: Number of examples by class in all splits; {} for regression.
        parts: Number of examples by part. With folds, "train and dev" is one entry.
        n_x: Number of rows of X, after preprocessing.
        n_x_encoded: Number of rows of X with each of the other encodings in the space, by their labels.
        n_y: Number of rows of Y.
        compared_on: Number of dev examples on which trials are compared. With folds, this is train and dev.
        smallest_difference: Smallest detectable difference on these examples, as a difference of accuracy (0.02 is two
            percentage points) or, for regression, as a fraction of the RMSE.
        warnings: Warnings about the data.
        notes: Everything detected and decided.
        fingerprint: Hexadecimal SHA-256 of the data.
        folds: Number of (train, dev) examples in each fold; () without folds.
        metric_reason: Why the default metric is not the usual one for the task, or "".
        task_reason: Why this task was chosen.
        decisions: What was detected or decided to read the table, one line each.
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
    warnings: tuple[TableWarning, ...] = field(metadata={"key": "cautions"})  # the JSON key of the first version
    notes: tuple[str, ...]
    fingerprint: str
    folds: tuple[tuple[int, int], ...] = ()
    metric_reason: str = ""
    task_reason: str = ""
    decisions: tuple[str, ...] = ()
    n_x_encoded: dict[str, int] = field(default_factory=dict)

    JSON_PROPERTIES: ClassVar[tuple[str, ...]] = ("split", "columns_by_kind", "missing_cells")

    @property
    def split(self) -> str:
        """A description of the sizes of the non-empty parts."""
        sizes = ", ".join(f"{part} {m:,}" for part, m in self.parts.items() if m)
        if not self.folds:
            return sizes
        train, dev = ({sizes[place] for sizes in self.folds} for place in (0, 1))
        return f"{sizes}; {len(self.folds)} folds, each with train {_range(train)} and dev {_range(dev)}"

    @property
    def columns_by_kind(self) -> dict[str, int]:
        """The number of columns of each kind, the most frequent kind first."""
        counts: dict[str, int] = {}
        for column in self.columns:
            counts[column.kind] = counts.get(column.kind, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    @property
    def missing_cells(self) -> int:
        """The number of missing cells in train and dev."""
        return sum(column.missing for column in self.columns)


def _range(numbers: set[int]) -> str:
    return f"{min(numbers):,}" if len(numbers) == 1 else f"{min(numbers):,} to {max(numbers):,}"


def smallest_difference(m: int, disagreement: float = DISAGREEMENT) -> float:
    """Return the smallest difference in accuracy that a paired two-sided test on m examples detects at the 5% level.

    Two candidates predict the same m examples and disagree on a fraction d of them. The variance of the difference δ
    of the paired proportions is (d - δ²)/m (Agresti, Categorical Data Analysis, section on McNemar's test). Hence
    δ = z √((d - δ²)/m), which gives δ = z √(d / (m + z²)) with z = 1.96. The exact test also needs at least 6
    examples that all favor the same candidate (2 · 0.5⁶ < 0.05). For RMSE, the standard error of an unpaired difference
    under normal errors is √2 · RMSE/√(2m). The same expression with d = 1 - ρ, where ρ is the correlation of the
    squared errors, is then the detectable difference as a fraction of the RMSE.
    """
    z = 1.96
    return float(min(1.0, max(z * np.sqrt(disagreement / (m + z**2)), 6 / m)))


def summarize(spec: DataSpec, base: Path) -> DataSummary:
    """Read, split, prepare and summarize the data.

    Raises:
        UserError: If there is a problem with the data.
    """
    opened = opening.open_source(spec, base)
    dataset = loading.prepare(opened, opened.parts["train"], opened.parts["dev"])
    return describe(opened, dataset, loading.load_fold_datasets(spec, base) if spec.folds else ())


def describe(opened: opening.Opened, dataset: Dataset, folds: Sequence[Dataset] = ()) -> DataSummary:
    """Return the summary of loaded data. `folds` contains one dataset for each fold of the spec."""
    raw, target = opened.raw, opened.target
    train, dev = opened.parts["train"], opened.parts["dev"]
    seen = opened.rows(np.sort(np.concatenate([train, dev])))
    kind_of = {column.name: column.kind for column in dataset_columns(dataset)}
    _, left_out = kinds.candidate_columns(raw.features, opened.spec, raw.label)
    columns = tuple(
        _summarize_column(raw.frame[name].take(seen), kind_of.get(name) or left_out.get(name, "not used"), opened)
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
        n_x_encoded={each.encoding.label: each.n_x for each in dataset.others},
        metric_reason=dataset.metric_reason,
        task_reason=target.task_reason,
        decisions=list_decisions(dataset, columns),
    )


def list_decisions(
    dataset: Dataset, columns: Sequence[ColumnSummary], *, without: Container[str] = ()
) -> tuple[str, ...]:
    """Return what was detected or decided to read the table, one line each, except for the task and the sizes.

    without: Further subjects to omit, as in `Finding.about`.
    """
    shown = [each for each in dataset.findings if each.about not in ("task", "sizes") and each.about not in without]
    return (*(finding.text for finding in shown), *describe_markers(columns))


def describe_markers(columns: Sequence[ColumnSummary], only: Container[str] | None = None) -> list[str]:
    """Return a note on each marker of missing cells, with the columns in which it occurs and the number of cells.

    only: The markers to describe; None describes all.
    """
    found: dict[str, list[ColumnSummary]] = {}
    for column in columns:
        for marker in column.markers:
            if only is None or marker in only:
                found.setdefault(marker, []).append(column)
    notes = []
    for marker, marked in found.items():
        where = some([f"{column.name} ({counted(column.markers[marker], 'cell')})" for column in marked])
        words = [column.name for column in marked if column.kind == "categorical" and marker in _WORDS]
        names = json.dumps(words, ensure_ascii=False)
        remedy = f"; if it is a category, set [data] keep_na = {names}" if words else ""
        notes.append(f"{marker!r} is treated as missing in {where}{remedy}")
    return notes


def dataset_columns(dataset: Dataset) -> tuple[kinds.Column, ...]:
    """Return the columns that are used by the preprocessing of a dataset, with their kinds."""
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
