"""Prepare datasets from a spec: read, split, detect column kinds, fit on train, and convert dev. Test rows stay raw."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline

from study.data import cells, features, kinds, time_column, transforms
from study.data.dataset import Dataset, Finding, Part, TargetScale
from study.data.fingerprint import fingerprint, fingerprints
from study.data.misfits import notes_on
from study.data.opening import Opened, Rows, cut, open_source
from study.data.presence import read_test_target
from study.data.sources import RawTable
from study.data.target import Target, fit_scale, to_outputs
from study.data.weights import read_weights
from study.errors import UserError
from study.spec.data import DataSpec


def load_dataset(spec: DataSpec, base: Path) -> Dataset:
    """Return the prepared train, dev and confirm parts. Everything is fitted on train only."""
    opened = open_source(spec, base)
    return prepare(opened, opened.parts["train"], opened.parts["dev"])


def load_combined_dataset(spec: DataSpec, base: Path) -> Dataset:
    """Return a dataset whose train combines train and dev, and whose dev is empty."""
    opened = open_source(spec, base)
    return prepare(opened, _together(opened), np.empty(0, dtype=np.int64), columns=_columns_of_train(opened))


def load_fold_datasets(spec: DataSpec, base: Path) -> tuple[Dataset, ...]:
    """Return one dataset for each fold of train and dev.

    If the split is by time, each fold trains on all rows before its dev.

    Raises:
        UserError: If the spec does not set folds, or a fold would be empty.
    """
    if spec.folds is None:
        raise UserError("[data] folds is not set; set it to a number such as 5")
    opened = open_source(spec, base)
    # Raise the same errors as `load`. Text that `load` accepts in dev must not make a single fold fail later.
    _columns_of_train(opened)
    both = _together(opened)
    generator = np.random.default_rng([spec.seed, spec.folds])
    number = spec.folds + (spec.time is not None)  # with a split by time, the first piece is never dev
    pieces = [both[piece] for piece in cut(opened, both, [1.0] * number, generator)]
    if any(len(piece) == 0 for piece in pieces):
        raise UserError(f"{opened.raw.label}: with [data] folds = {spec.folds}, a fold would be empty; use fewer folds")
    datasets = []
    for fold in range(spec.folds):
        if spec.time is not None:
            train, dev = np.sort(np.concatenate(pieces[: fold + 1])), pieces[fold + 1]
        else:
            train = np.sort(np.concatenate(pieces[:fold] + pieces[fold + 1 :]))
            dev = pieces[fold]
        datasets.append(prepare(opened, train, dev, strict=False))
    return tuple(datasets)


def open_test_part(spec: DataSpec, base: Path, *, combined: bool) -> Part:
    """Return the test rows, prepared in the same way as train. No other function converts them."""
    opened = open_source(spec, base)
    fitted = _fit(opened, _together(opened) if combined else opened.parts["train"], _columns_of_train(opened))
    raw, label = opened.raw, f"{opened.raw.label} [test]"
    if raw.test is None:
        test = opened.parts["test"]
        frame, codes, rows = opened.cells(test), opened.target.codes[test], opened.rows(test)
    else:
        target = read_test_target(spec, raw, raw.test, opened.target)
        frame, codes, rows = raw.test[raw.features].take(target.rows), target.codes, target.rows
    part = _part(opened, fitted, frame, codes, rows)
    notes_on(part.misfits, label)
    return part


def _columns_of_train(opened: Opened) -> kinds.Columns:
    """Return the column kinds detected from train. The final model uses them too, although it is also fitted on dev."""
    train = opened.parts["train"]
    return kinds.find_columns(
        opened.cells(train), opened.rows(train), opened.spec, opened.raw.decimal, opened.raw.label
    )


def _together(opened: Opened) -> Rows:
    return np.sort(np.concatenate([opened.parts["train"], opened.parts["dev"]]))


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Everything fitted on train: column kinds, transformer and target scale, together with the prepared train."""

    columns: kinds.Columns
    pipeline: Pipeline
    scale: TargetScale | None
    train: Part

    @property
    def transform(self) -> transforms.TransformStep | None:
        """The registered transformer of the spec, if there is one."""
        step: transforms.TransformStep | None = self.pipeline.named_steps.get("transform")
        return step

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on the columns."""
        return self.columns.notes if self.transform is None else (*self.columns.notes, *self.transform.notes)


def _fit(opened: Opened, train: Rows, columns: kinds.Columns | None = None, *, strict: bool = True) -> _Fitted:
    """Fit on train. If the column kinds are not given, they are detected from train."""
    spec, raw = opened.spec, opened.raw
    frame = opened.cells(train)
    rows = opened.rows(train)
    if columns is None:
        columns = kinds.find_columns(frame, rows, spec, raw.decimal, raw.label, strict=strict)
    codes, scaling = opened.target.codes[train], spec.scale or raw.scaling
    with np.errstate(over="ignore", invalid="ignore"):  # _matrix reports overflow
        if spec.transform is None:
            pipeline, typed = features.fit(columns.used, frame, scaling, spec, raw.decimal)
        else:
            y = _labels(opened.target, codes)
            pipeline, typed = transforms.fit(columns.used, frame, y, rows, scaling, spec, raw.decimal)
    del frame
    scale = fit_scale(codes, spec.log_target) if opened.target.task == "regression" else None
    X = _matrix(pipeline, typed, raw.label)
    Y = to_outputs(codes, opened.target.task, len(opened.target.classes), scale)
    return _Fitted(columns, pipeline, scale, Part(X, Y, rows, weight=read_weights(spec, raw, rows)))


def _labels(target: Target, codes: npt.NDArray[np.float64]) -> npt.NDArray[np.generic]:
    """Return the targets, (m,), as a transformer receives them: labels as text, or numbers in the unit of the table."""
    return np.array(target.classes)[codes.astype(np.int64)] if target.classes else codes


def _part(opened: Opened, fitted: _Fitted, frame: pd.DataFrame, codes: npt.NDArray[np.float64], rows: Rows) -> Part:
    """Convert the raw rows of a split in the same way as train."""
    spec, raw = opened.spec, opened.raw
    Y = to_outputs(codes, opened.target.task, len(opened.target.classes), fitted.scale)
    if len(rows) == 0:
        return Part(np.empty((fitted.train.X.shape[0], 0), dtype=np.float32), Y, rows)
    for column in fitted.columns.used:
        if not cells.is_number_typed(frame[column.name]) or len(fitted.columns.used) < 1000:
            kinds.check_cells(frame[column.name], column, rows, spec, raw.decimal, raw.label)
    typed, misfits = fitted.pipeline.named_steps["cells"].read(frame, rows)
    if fitted.transform is not None:
        typed = fitted.transform.apply(typed, rows, raw.label)
    return Part(_matrix(fitted.pipeline, typed, raw.label), Y, rows, misfits)


def _matrix(pipeline: Pipeline, typed: pd.DataFrame, label: str) -> npt.NDArray[np.float32]:
    """Return the matrix (n_x, m), float32, C-contiguous, of typed columns.

    Raises:
        UserError: If a value exceeds the range of float32.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        X = np.ascontiguousarray(pipeline.named_steps["columns"].transform(typed).T, dtype=np.float32)
    wrong = np.flatnonzero(~np.isfinite(X).all(axis=1))
    if len(wrong):
        name = features.feature_names(pipeline)[int(wrong[0])]
        raise UserError(f"{label}: {name!r} has values that are too large for float32; convert it to a larger unit")
    return X


def _findings(raw: RawTable, target: Target, sizes: dict[str, int], notes: Sequence[str]) -> tuple[Finding, ...]:
    """Return all findings in processing order. `notes` contains those from after the split."""
    parts = ", ".join(f"{name} {size}" for name, size in sizes.items())
    found = [
        Finding("file", f"{raw.label}: {raw.read_as}" if raw.read_as else ""),
        *(Finding("data", note) for note in raw.notes),
        Finding("target", raw.target_note),
        *(Finding("left_out", note) for note in target.notes),
        Finding("task", f"task: {target.task} ({target.task_reason})"),
        Finding("sizes", f"parts: {parts}"),
        *(Finding("data", note) for note in notes),
    ]
    return tuple(finding for finding in found if finding.text)


def prepare(
    opened: Opened, train: Rows, dev: Rows, *, columns: kinds.Columns | None = None, strict: bool = True
) -> Dataset:
    """Return the dataset of the given examples, with everything fitted on train.

    Args:
        opened: The source.
        train: Examples of train.
        dev: Examples of dev.
        columns: The column kinds, or None to detect them from train.
        strict: Whether numbers mixed with a little text are an error.
    """
    spec, raw, target = opened.spec, opened.raw, opened.target
    fitted = _fit(opened, train, columns, strict=strict)
    made = {
        name: _part(opened, fitted, opened.cells(examples), target.codes[examples], opened.rows(examples))
        for name, examples in {"dev": dev, **{k: v for k, v in opened.parts.items() if k == "confirm"}}.items()
    }
    parts = {**opened.parts, "train": train, "dev": dev}
    prints = fingerprints(raw.frame, {name: opened.rows(examples) for name, examples in parts.items()} | {"": None})
    whole = prints.pop("")
    if raw.test is not None:
        prints["test"] = fingerprint(raw.test)
        whole = fingerprint(pd.DataFrame({"source": [whole], "test": [prints["test"]]}))
    sizes = {name: len(rows) for name, rows in parts.items()}
    notes = [*opened.notes, *fitted.notes, *time_column.describe_times(spec, raw, target.rows)]
    notes += [f"{name}: {note}" for name, part in made.items() for note in part.notes]
    return Dataset(
        source=spec.source,
        task=target.task,
        train=fitted.train,
        dev=made["dev"],
        confirm=made.get("confirm"),
        classes=target.classes,
        feature_names=features.feature_names(fitted.pipeline),
        column_names=fitted.columns.names,
        target_name=raw.target,
        target_scale=fitted.scale,
        default_metric=target.default_metric,
        metric_reason=target.metric_reason,
        fingerprint=whole,
        part_fingerprints=prints,
        preprocessing=fitted.pipeline,
        dialect=raw.dialect,
        findings=_findings(raw, target, sizes, notes),
    )
