"""Prepare datasets from a spec: read, split, detect column kinds, fit on train, and convert dev. Test rows stay raw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline

from study.data import cells, features, kinds, time_column, transforms
from study.data.dataset import Dataset, Finding, Part, TargetScale
from study.data.fingerprint import fingerprint, fingerprints
from study.data.memory import check_encoding
from study.data.misfits import notes_on
from study.data.opening import Opened, Rows, cut, open_source
from study.data.presence import read_test_target
from study.data.sources import RawTable
from study.data.target import Target, fit_scale, to_outputs
from study.data.weights import read_weights
from study.errors import UserError
from study.spec.data import DataSpec
from study.spec.encoding import STANDARD, Encoding

Encodings = Sequence[Encoding]


def load_dataset(spec: DataSpec, base: Path, encodings: Encodings = (STANDARD,)) -> Dataset:
    """Return the prepared train, dev and confirm parts. Everything is fitted on train only."""
    opened = open_source(spec, base)
    return prepare(opened, opened.parts["train"], opened.parts["dev"], encodings=encodings)


def load_combined_dataset(spec: DataSpec, base: Path, encodings: Encodings = (STANDARD,)) -> Dataset:
    """Return a dataset whose train combines train and dev, and whose dev is empty."""
    opened = open_source(spec, base)
    columns, none = _columns_of_train(opened), np.empty(0, dtype=np.int64)
    return prepare(opened, _together(opened), none, columns=columns, encodings=encodings)


def load_fold_datasets(spec: DataSpec, base: Path, encodings: Encodings = (STANDARD,)) -> tuple[Dataset, ...]:
    """Return one dataset for each fold of train and dev.

    If the split is by time, each fold trains on all rows before its dev.

    Raises:
        UserError: If the spec does not set folds, or a fold would be empty.
    """
    if spec.folds is None:
        raise UserError("[data] folds is not set; set it to a number such as 5")
    opened = open_source(spec, base)
    # Raise the same errors as `load`. Text that `load` accepts in dev must not make a single fold fail later.
    columns = _columns_of_train(opened)
    if spec.transform is None:
        _check_encodings(opened, columns.used, encodings)
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
        datasets.append(prepare(opened, train, dev, strict=False, encodings=encodings))
    return tuple(datasets)


def open_test_part(spec: DataSpec, base: Path, *, combined: bool, encoding: Encoding = STANDARD) -> Part:
    """Return the test rows, prepared in the same way as train. No other function converts them."""
    opened = open_source(spec, base)
    train = _together(opened) if combined else opened.parts["train"]
    fitted = _fit(opened, train, _columns_of_train(opened), encodings=(encoding,))
    raw, label = opened.raw, f"{opened.raw.label} [test]"
    if raw.test is None:
        test = opened.parts["test"]
        frame, codes, rows = opened.cells(test), opened.target.codes[test], opened.rows(test)
    else:
        target = read_test_target(spec, raw, raw.test, opened.target)
        frame, codes, rows = raw.test[raw.features].take(target.rows), target.codes, target.rows
    part = _part(opened, fitted, frame, codes, rows)[encoding]
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
    """Everything fitted on train: column kinds, target scale, and a transformer and the prepared train by encoding."""

    columns: kinds.Columns
    pipelines: Mapping[Encoding, Pipeline]
    scale: TargetScale | None
    train: Mapping[Encoding, Part]

    @property
    def common(self) -> Pipeline:
        """One of the pipelines, whose steps before the encoder are those of all."""
        return next(iter(self.pipelines.values()))

    @property
    def transform(self) -> transforms.TransformStep | None:
        """The registered transformer of the spec, if there is one."""
        step: transforms.TransformStep | None = self.common.named_steps.get("transform")
        return step

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on the columns."""
        return self.columns.notes if self.transform is None else (*self.columns.notes, *self.transform.notes)


def _fit(
    opened: Opened,
    train: Rows,
    columns: kinds.Columns | None = None,
    *,
    strict: bool = True,
    encodings: Encodings = (STANDARD,),
) -> _Fitted:
    """Fit on train. If the column kinds are not given, they are detected from train."""
    spec, raw = opened.spec, opened.raw
    frame = opened.cells(train)
    rows = opened.rows(train)
    if columns is None:
        columns = kinds.find_columns(frame, rows, spec, raw.decimal, raw.label, strict=strict)
    codes, scaling = opened.target.codes[train], spec.scale or raw.scaling
    with np.errstate(over="ignore", invalid="ignore"):  # _matrix reports overflow
        if spec.transform is None:
            if strict:
                _check_encodings(opened, columns.used, encodings)
            pipelines, typed = features.fit(columns.used, frame, scaling, spec, raw.decimal, encodings)
        else:
            y = _labels(opened.target, codes)
            pipelines, typed = transforms.fit(columns.used, frame, y, rows, scaling, spec, raw.decimal, encodings)
    del frame
    scale = fit_scale(codes, spec.log_target) if opened.target.task == "regression" else None
    Y = to_outputs(codes, opened.target.task, len(opened.target.classes), scale)
    weight = read_weights(spec, raw, rows)
    made = {
        encoding: Part(_matrix(pipeline, typed, raw.label, encoding), Y, rows, weight=weight)
        for encoding, pipeline in pipelines.items()
    }
    fitted = _Fitted(columns, pipelines, scale, made)
    if fitted.transform is not None:
        _check_encodings(opened, fitted.transform.columns, encodings)
    return fitted


def _labels(target: Target, codes: npt.NDArray[np.float64]) -> npt.NDArray[np.generic]:
    """Return the targets, (m,), as a transformer receives them: labels as text, or numbers in the unit of the table."""
    return np.array(target.classes)[codes.astype(np.int64)] if target.classes else codes


def _check_encodings(opened: Opened, columns: Sequence[kinds.Column], encodings: Encodings) -> None:
    """Check that there are numbers to encode.

    Raises:
        UserError: If there are none, or if the source has arrays instead of columns.
    """
    names = [encoding.name for encoding in encodings if encoding != STANDARD]
    transform = opened.spec.transform
    arrays, numeric = opened.spec.kind == "arrays", any(column.kind == "numeric" for column in columns)
    if names and ((arrays and transform is None) or not numeric):
        place = opened.raw.label if transform is None else f"the output of transform {transform!r}"
        raise UserError(
            f"[space] encoding: {names[0]!r} applies to numeric columns, and {place} has "
            f'{"arrays" if arrays and transform is None else "none"}; use encoding = "standard"'
        )


def _part(
    opened: Opened, fitted: _Fitted, frame: pd.DataFrame, codes: npt.NDArray[np.float64], rows: Rows
) -> dict[Encoding, Part]:
    """Convert the raw rows of a split in the same way as train."""
    spec, raw = opened.spec, opened.raw
    Y = to_outputs(codes, opened.target.task, len(opened.target.classes), fitted.scale)
    if len(rows) == 0:
        return {
            encoding: Part(np.empty((train.X.shape[0], 0), dtype=np.float32), Y, rows)
            for encoding, train in fitted.train.items()
        }
    for column in fitted.columns.used:
        if not cells.is_number_typed(frame[column.name]) or len(fitted.columns.used) < 1000:
            kinds.check_cells(frame[column.name], column, rows, spec, raw.decimal, raw.label)
    typed, misfits = fitted.common.named_steps["cells"].read(frame, rows)
    if fitted.transform is not None:
        typed = fitted.transform.apply(typed, rows, raw.label)
    return {
        encoding: Part(_matrix(pipeline, typed, raw.label, encoding), Y, rows, misfits)
        for encoding, pipeline in fitted.pipelines.items()
    }


def _matrix(pipeline: Pipeline, typed: pd.DataFrame, label: str, encoding: Encoding) -> npt.NDArray[np.float32]:
    """Return the matrix (n_x, m), float32, C-contiguous, of typed columns.

    Raises:
        UserError: If a value exceeds the range of float32, or there is not enough memory for an encoding.
    """
    if encoding != STANDARD:
        check_encoding(encoding, len(typed), len(features.feature_names(pipeline)))
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
    opened: Opened,
    train: Rows,
    dev: Rows,
    *,
    columns: kinds.Columns | None = None,
    strict: bool = True,
    encodings: Encodings = (STANDARD,),
) -> Dataset:
    """Return the dataset of the given examples, with everything fitted on train.

    Args:
        opened: The source.
        train: Examples of train.
        dev: Examples of dev.
        columns: The column kinds, or None to detect them from train.
        strict: Whether numbers mixed with a little text are an error.
        encodings: The encodings of numbers; the dataset has the first, and refers to datasets with the others.
    """
    spec, raw, target = opened.spec, opened.raw, opened.target
    fitted = _fit(opened, train, columns, strict=strict, encodings=encodings)
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
    notes += [f"{name}: {note}" for name, part in made.items() for note in part[encodings[0]].notes]

    def encoded(encoding: Encoding) -> dict[str, Any]:
        pipeline = fitted.pipelines[encoding]
        return {
            "encoding": encoding,
            "train": fitted.train[encoding],
            "dev": made["dev"][encoding],
            "confirm": made["confirm"][encoding] if "confirm" in made else None,
            "feature_names": features.feature_names(pipeline),
            "preprocessing": pipeline,
        }

    dataset = Dataset(
        source=spec.source,
        task=target.task,
        classes=target.classes,
        column_names=fitted.columns.names,
        target_name=raw.target,
        target_scale=fitted.scale,
        default_metric=target.default_metric,
        metric_reason=target.metric_reason,
        fingerprint=whole,
        part_fingerprints=prints,
        dialect=raw.dialect,
        findings=_findings(raw, target, sizes, notes),
        **encoded(encodings[0]),
    )
    return replace(dataset, others=tuple(replace(dataset, **encoded(encoding)) for encoding in encodings[1:]))
