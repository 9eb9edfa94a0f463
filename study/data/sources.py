"""Read the source of a spec as one raw table, without any conversion of cells.

Only this module distinguishes the kinds of sources.
"""

import os
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.error import URLError

import numpy.typing as npt
import pandas as pd

from study.data import arrays, parquet, synthetic, tables
from study.data.memory import answered
from study.errors import UserError, did_you_mean, first_line
from study.spec.data import DataSpec
from study.spec.extensions import SOURCES
from study.text.formatting import counted
from study.text.records import Json

TARGET_NAMES = ("target", "label", "labels", "outcome", "response", "class", "y")


@dataclass(frozen=True, eq=False)
class RawTable:
    """The content of a source as read: one row per example, with features and target.

    Attributes:
        frame: The table.
        target: Name of the target column.
        label: Name of the source in messages.
        test: Rows of a test file, with the same columns as frame, or None.
        class_names: Names of the labels 0, 1, ... if the source has them.
        decimal: Decimal mark of text cells.
        scaling: Default scaling of numbers.
        read_as: The detected format of a text file.
        target_note: How the target was chosen, or "" if the spec names it.
        notes: Other findings.
        dialect: The keys of `[data]` that describe the format of a text file.
    """

    frame: pd.DataFrame
    target: str
    label: str
    test: pd.DataFrame | None = None
    class_names: tuple[str, ...] = ()
    decimal: str = "."
    scaling: str = "standard"
    read_as: str = ""
    target_note: str = ""
    notes: tuple[str, ...] = ()
    dialect: dict[str, Json] = field(default_factory=dict)

    @property
    def features(self) -> list[str]:
        """Names of all columns except the target."""
        return [name for name in self.frame.columns if name != self.target]


def read_source(spec: DataSpec, base: Path) -> RawTable:
    """Read the source (and the test file) of a spec.

    Raises:
        UserError: If a file does not exist or cannot be read, or the target is not in it.
    """
    if spec.kind == "sklearn":
        return _read_sklearn(spec)
    if spec.kind == "synthetic":
        X, y, features, target = synthetic.generate(spec)
        return RawTable(_frame_of(X, features, y, target), target, spec.source)
    if spec.kind == "openml":
        return _read_openml(spec)
    if spec.kind == "registered":
        return _read_registered(spec, base)
    path = find_file(spec.source, base, key="source")
    test_path = None if spec.test is None else find_file(spec.test, base, key="test")
    read = _read_arrays if spec.kind == "arrays" else _read_table
    with answered(path):
        return read(spec, path, test_path)


def find_file(name: str, base: Path, key: str) -> Path:
    """Return the path of a file that the spec names.

    Raises:
        UserError: If it is not a readable, non-empty file. The message suggests a similar name in its folder.
    """
    path = base / Path(name).expanduser()
    if path.is_dir():
        raise UserError(f"[data] {key}: {path} is a folder; specify a file in it")
    if not path.exists():
        beside = [entry.name for entry in path.parent.iterdir() if entry.is_file()] if path.parent.is_dir() else []
        remedy = did_you_mean(path.name, beside) if 0 < len(beside) <= 20 else "paths are relative to the spec"
        raise UserError(f"[data] {key}: file {path} not found; {remedy}")
    if not path.is_file() or not os.access(path, os.R_OK):
        raise UserError(
            f"[data] {key}: {path} could not be read; check that it is a file and that you have permission to read it"
        )
    if path.stat().st_size == 0:
        raise UserError(f"[data] {key}: {path} is empty")
    return path


def choose_target(columns: list[str], target: str | int | None, label: str) -> tuple[str, str]:
    """Return the name of the target column and a note on how it was chosen ("" if it was named).

    Args:
        columns: Names of all columns.
        target: A name, a position (negative from the end), or None for a guess: a column with a typical name, or else
            the last column.
        label: The name of the source in messages.

    Raises:
        UserError: If there is no column with that name or position.
    """
    if isinstance(target, int):
        if not -len(columns) <= target < len(columns):
            raise UserError(
                f"{label}: [data] target must be a position from 0 to {len(columns) - 1}, or -1 for the last of "
                f"{counted(len(columns), 'column')}, got {target}"
            )
        return columns[target], f"target: column {target}, named {columns[target]!r}"
    if target is not None:
        if target not in columns:
            raise UserError(f"{label}: [data] target: column {target!r} not found; {did_you_mean(target, columns)}")
        return target, ""
    by_lower = {name.lower(): name for name in reversed(columns)}
    for telling in TARGET_NAMES:
        # In a table with x and z, y is a coordinate.
        if telling in by_lower and not (telling == "y" and {"x", "z"} <= set(by_lower)):
            return by_lower[telling], f"target: {by_lower[telling]!r}, from its name (set [data] target to change it)"
    return columns[-1], f"target: {columns[-1]!r}, the last column (set [data] target to change it)"


def _frame_of(X: npt.ArrayLike, features: tuple[str, ...], y: npt.ArrayLike, target: str) -> pd.DataFrame:
    frame = pd.DataFrame(X, columns=list(features))
    frame[target] = y
    return frame


def _read_sklearn(spec: DataSpec) -> RawTable:
    from sklearn import datasets

    name = spec.source.partition(":")[2]
    if name == "california_housing":
        try:
            with warnings.catch_warnings(action="ignore"):  # "Retry downloading", which the error below covers
                bunch = datasets.fetch_california_housing(n_retries=1)
        except (URLError, OSError) as error:
            raise _no_network(spec.source, error) from error
    elif name == "diabetes":
        bunch = datasets.load_diabetes(scaled=False)  # original units, because scaling is fitted on train
    else:
        bunch = getattr(datasets, f"load_{name}")()
    features = tuple(str(feature).replace(" ", "_") for feature in bunch.feature_names)
    names = tuple(str(each) for each in getattr(bunch, "target_names", ()))
    if name in ("california_housing", "diabetes"):
        target = names[0] if names else "progression"
        return RawTable(_frame_of(bunch.data, features, bunch.target, target), target, spec.source)
    frame = _frame_of(bunch.data, features, bunch.target, "class")
    pixels = name == "digits"  # pixels share one range; dividing each by its own deviation would amplify noise
    return RawTable(frame, "class", spec.source, class_names=names, scaling="minmax" if pixels else "standard")


def _read_openml(spec: DataSpec) -> RawTable:
    from sklearn.datasets import fetch_openml

    name, _, version = spec.source.partition(":")[2].rpartition("@")
    try:
        with warnings.catch_warnings(action="ignore"):
            bunch = fetch_openml(name, version=int(version), as_frame=True, parser="auto", n_retries=1)
    except (URLError, OSError) as error:
        raise _no_network(spec.source, error) from error
    except ValueError as error:
        raise UserError(f"[data] source: {spec.source}: {first_line(error)}") from error
    frame = bunch.frame.rename(columns=str)
    default = None if bunch.target is None else str(getattr(bunch.target, "name", None) or bunch.target.columns[0])
    target, note = choose_target(list(frame.columns), default if spec.target is None else spec.target, spec.source)
    return RawTable(frame, target, spec.source, target_note=note)


def _read_registered(spec: DataSpec, base: Path) -> RawTable:
    scheme, _, rest = spec.source.partition(":")
    try:
        frame = SOURCES[scheme].read(rest, base)
    except (OSError, ValueError) as error:
        reason = first_line(error)
        raise UserError(f"[data] source: {spec.source}: {reason}") from error
    frame = frame.rename(columns=str).reset_index(drop=True)
    if len(frame.columns) < 2:
        raise UserError(f"[data] source: {spec.source}: a table must have a target and at least one other column")
    target, note = choose_target(list(frame.columns), spec.target, spec.source)
    return RawTable(frame, target, spec.source, target_note=note)


def _no_network(source: str, error: Exception) -> UserError:
    reason = first_line(error)
    return UserError(
        f"[data] source: {source} could not be downloaded ({reason}); "
        f"try again with a network connection, or use a local file"
    )


def _read_arrays(spec: DataSpec, path: Path, test_path: Path | None) -> RawTable:
    loaded = arrays.read_arrays(path, x=spec.x, y=spec.y)
    features = arrays.feature_names(loaded.X.shape[1], loaded.images)
    raw = RawTable(
        _frame_of(loaded.X, features, loaded.y, "label"),
        "label",
        path.name,
        class_names=loaded.class_names,
        scaling="none" if loaded.images else "standard",
        read_as=loaded.read_as,
        notes=loaded.notes,
    )
    if not spec.has_test_file:
        return raw
    x, y = spec.test_x, spec.test_y
    apart = arrays.read_arrays(test_path or path, x=x, y=y, role="test", fallback=(spec.x, spec.y))
    if apart.X.shape[1] != loaded.X.shape[1]:
        raise UserError(
            f"[data] test: {(test_path or path).name} has {counted(apart.X.shape[1], 'feature')} per example, but "
            f"{path.name} has {loaded.X.shape[1]}"
        )
    return replace(raw, test=_frame_of(apart.X, features, apart.y, "label"))


def read_cells(file: Path, spec: DataSpec) -> tables.Table:
    """Read a table that may have no target column.

    Raises:
        UserError: If the file does not exist or is not a table.
    """
    suffix = file.suffix.lower()
    if suffix not in (".csv", ".tsv", ".txt", ".parquet"):
        raise UserError(f"{file}: a table for prediction must be a .csv, .tsv or .parquet file")
    if not file.is_file():
        beside = [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []
        raise UserError(f"{file}: no such file; {did_you_mean(file.name, beside)}")
    if file.stat().st_size == 0:
        raise UserError(f"{file} is empty")
    with answered(file):
        return parquet.read_parquet(file, spec) if suffix == ".parquet" else tables.read_text(file, spec)


def _read_table(spec: DataSpec, path: Path, test_path: Path | None) -> RawTable:
    read = parquet.read_parquet if spec.kind == "parquet" else tables.read_text
    table = read(path, spec)
    columns = [str(name) for name in table.frame.columns]
    if len(columns) < 2:
        raise UserError(
            f"{path.name} has only one column, {columns[0]!r}, but needs a target and at least one feature; "
            f"if the wrong separator was detected, set [data] separator"
        )
    target, note = choose_target(columns, spec.target, path.name)
    raw = RawTable(
        table.frame,
        target,
        path.name,
        decimal=table.decimal,
        read_as=table.read_as,
        target_note=note,
        notes=table.notes,
        dialect=table.dialect,
    )
    if test_path is None:
        return raw
    # Use the same dialect for both, so that two files without a header are read in the same way.
    apart = read(test_path, spec.model_copy(update=table.dialect))
    if set(apart.frame.columns) != set(columns):
        different = sorted(set(columns).symmetric_difference(apart.frame.columns))
        raise UserError(
            f"[data] test: {test_path.name} and {path.name} have different columns: {', '.join(different[:5])}"
        )
    return replace(raw, test=apart.frame[columns])
