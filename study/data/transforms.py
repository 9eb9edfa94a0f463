"""A registered scikit-learn transformer as a step of the pipeline, between the cell reader and the encoder.

It receives typed columns, and is fitted on train only. Its output is encoded and scaled as if the table had had these
columns.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline

from study.data import kinds
from study.data.dates import ISO
from study.data.features import fit_columns
from study.data.misfits import Kind
from study.data.preprocessing import CellReader, make_reader
from study.data.transform_output import OutputError, find_infinite, kind_of, listed, table_of
from study.errors import UserError, first_line
from study.spec.data import DataSpec
from study.spec.encoding import STANDARD, Encoding
from study.spec.extensions import TRANSFORMS, Transform
from study.text.formatting import counted

Rows = npt.NDArray[np.int64]
_TRAIN = "train"
_NAMES = {"numeric": "numbers", "boolean": "Boolean values", "date": "dates", "categorical": "text", "text": "text"}


class TransformStep(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Apply a transformer to typed columns, and check and convert its output.

    The transformer receives a DataFrame with numbers and Boolean values as floats, dates as datetime64, text as str,
    and NaN or NaT for missing cells.

    Args:
        name: The registered name, for messages.
        transformer: The transformer, unfitted. `fit_transform` fits it.
        booleans: Names of the columns that are Boolean in the table. If they remain 0 and 1, they remain Boolean.

    Attributes:
        reader_: The reader of the columns that are used, with their kinds.
        names_: Names of all columns of the output.
        left_out_: Columns of the output that are not used, with the reason.
    """

    def __init__(self, name: str, transformer: Any, booleans: tuple[str, ...] = ()) -> None:
        self.name = name
        self.transformer = transformer
        self.booleans = booleans

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        """Fit the transformer."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: pd.DataFrame, y: object = None, rows: Rows | None = None) -> pd.DataFrame:
        """Fit the transformer on train, and return its output for train as typed columns.

        Args:
            X: Typed columns.
            y: The targets, (m,): labels as text, or numbers in the unit of the table.
            rows: Row numbers in the source, for messages.

        Raises:
            UserError: If the transformer fails, or its output cannot be used.
        """
        given = _as_given(X)
        with self._errors(given, _TRAIN):
            if hasattr(self.transformer, "fit_transform"):
                output = self.transformer.fit_transform(given, y)
            else:
                output = self.transformer.fit(given, y).transform(given)
            table = table_of(output, given, self._output_names)
        self.names_ = list(table.columns)
        self._find_columns(table)
        return self._typed(table, rows)

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the output of the transformer as typed columns; raises the same errors as `fit_transform`."""
        return self.apply(X)

    def apply(self, X: pd.DataFrame, rows: Rows | None = None, where: str = "the table") -> pd.DataFrame:
        """Do the same as `transform`, for rows with these numbers in the source, and a place for messages."""
        given = _as_given(X)
        with self._errors(given, where):
            table = table_of(self.transformer.transform(given), given, self._output_names)
        names = list(table.columns)
        if names != self.names_:
            raise self._error(f"returned the columns {listed(names)} for {where}, but {listed(self.names_)} for train")
        for name, kind, _ in self.reader_.columns:
            found = kind_of(table[name])
            fits = found == kind or kind == "categorical" or {found, kind} == {"numeric", "boolean"}
            if not fits and table[name].notna().any():
                raise self._error(
                    f"returned {_NAMES[found]} in column {name!r} for {where}, but {_NAMES[kind]} for train"
                )
        return self._typed(table, rows)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "reader_")

    @property
    def columns(self) -> tuple[kinds.Column, ...]:
        """The columns of the output that are used, with their kinds."""
        return tuple(kinds.Column(name, kind, form) for name, kind, form in self.reader_.columns)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided about the output, one line each."""
        notes = [f"transform {self.name!r} returned {counted(len(self.names_), 'column')}"]
        if self.left_out_:
            why = ", ".join(f"{name} ({why})" for name, why in self.left_out_.items())
            notes.append(f"columns of transform {self.name!r} not used as features: {why}")
        return tuple(notes)

    def _output_names(self, columns: int) -> list[str]:
        """Return the names that the transformer gives to its columns, or else names with numbers."""
        try:
            names = [str(name) for name in self.transformer.get_feature_names_out()]
        except Exception:  # noqa: BLE001 - many transformers have no names, and raise anything
            return [f"{self.name}_{index}" for index in range(columns)]
        if len(names) != columns:
            raise OutputError(
                f"returned {counted(columns, 'column')}, but get_feature_names_out returned "
                f"{counted(len(names), 'name')}; they must match"
            )
        return names

    def _find_columns(self, table: pd.DataFrame) -> None:
        """Find the kind of each column from its type, and which columns are used."""
        columns, self.left_out_ = list[tuple[str, Kind, str]](), dict[str, str]()
        for name in table.columns:
            kind, why = self._kind_in_train(table[name])
            if why:
                self.left_out_[name] = why
            else:
                columns.append((name, kind, ISO if kind == "date" else ""))
        if not columns:
            why = ", ".join(f"{name} ({why})" for name, why in list(self.left_out_.items())[:3])
            raise self._error(f"returned no usable column: {why}")
        no_markers: dict[str, tuple[str, ...]] = {name: () for name, kind, _ in columns if kind != "numeric"}
        self.reader_ = CellReader(tuple(columns), bound=no_markers or None)

    def _kind_in_train(self, column: pd.Series) -> tuple[Kind, str]:
        """Return the kind of a column, and the reason why it is not used, or ""."""
        kind = kind_of(column)
        if column.isna().all():
            return kind, "no values in train"
        if kind == "numeric" and column.name in self.booleans and column.dropna().isin((0, 1)).all():
            return "boolean", ""
        if kind == "categorical" and not isinstance(column.dtype, pd.CategoricalDtype):
            present, distinct = int(column.notna().sum()), int(column.nunique())
            if kinds.identifies(distinct, present):
                return kind, f"{counted(distinct, 'different text')} in {counted(present, 'cell')}"
        return kind, ""

    def _typed(self, table: pd.DataFrame, rows: Rows | None) -> pd.DataFrame:
        """Return the output as typed columns.

        Raises:
            UserError: If a number is infinite.
        """
        found = find_infinite(table, [name for name, kind, _ in self.reader_.columns if kind == "numeric"])
        if found is not None:
            row, name = found[0] if rows is None else int(rows[found[0]]), found[1]
            raise self._error(f"returned an infinite value in column {name!r}, row {row + 1}")
        return self.reader_.read(table)[0]

    @contextmanager
    def _errors(self, given: pd.DataFrame, where: str) -> Iterator[None]:
        """Run a call of the transformer; turn an error of it into one that names it.

        Raises:
            UserError: If the block raises an error.
        """
        try:
            with _seeded():
                yield
        except OutputError as error:
            raise self._error(f"{error} (on {where})") from None
        except Exception as error:
            words = first_line(error)
            received = listed([f"{name} ({_NAMES[kind_of(given[name])]})" for name in given.columns])
            raise self._error(
                f"failed on {where} ({type(error).__name__}: {words});\nthe transform receives the columns {received}"
            ) from error

    def _error(self, what: str) -> UserError:
        return UserError(f"[data] transform: {self.name!r} {what}")


def fit(
    columns: tuple[kinds.Column, ...],
    train: pd.DataFrame,
    y: npt.NDArray[np.generic],
    rows: Rows,
    scale: str,
    spec: DataSpec,
    decimal: str,
    encodings: Sequence[Encoding] = (STANDARD,),
) -> tuple[dict[Encoding, Pipeline], pd.DataFrame]:
    """Return a pipeline for each encoding, fitted on the raw rows of train, and these rows after the transformer.

    Args:
        columns: The columns of the table that the transformer receives.
        train: The raw rows of train.
        y: Their targets.
        rows: Their numbers in the source.
        scale: Scaling of numbers and dates: standard, minmax, robust or none.
        spec: The `[data]` table, which names the transformer.
        decimal: The decimal mark.
        encodings: The encodings of the numbers that the transformer returns.
    """
    name = str(spec.transform)
    reader = make_reader(columns, spec, decimal, whole_dates=True).fit(train)
    booleans = tuple(each.name for each in columns if each.kind == "boolean")
    step = TransformStep(name, unfitted(TRANSFORMS[name]), booleans)
    typed = step.fit_transform(reader.read(train)[0], y, rows)
    pipelines = {}
    for encoding in encodings:
        encoder = fit_columns(step.columns, step.reader_, typed, scale, encoding)
        pipelines[encoding] = Pipeline([("cells", reader), ("transform", step), ("columns", encoder)])
    return pipelines, typed


def unfitted(transform: Transform) -> Any:
    """Return the transformer of a transform, unfitted.

    Raises:
        UserError: If it cannot be made, or is not a transformer.
    """
    place = f"[data] transform: {transform.name!r}"
    try:
        transformer = transform.make()
    except Exception as error:
        words = first_line(error)
        raise UserError(f"{place} could not be created ({type(error).__name__}: {words})") from error
    for method in ("fit", "transform", "get_params"):
        if isinstance(transformer, type) or not hasattr(transformer, method):
            raise UserError(f"{place} must be a scikit-learn transformer, but {transformer!r} has no {method}")
    return transformer


@contextmanager
def _seeded() -> Iterator[None]:
    """Seed NumPy's global generator for the duration of the block, and restore its state.

    Transformers without a `random_state` use it. The same study must give the same results.
    """
    state = np.random.get_state()  # noqa: NPY002 - scikit-learn uses the global generator
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _as_given(typed: pd.DataFrame) -> pd.DataFrame:
    """Return typed columns as transformers expect them: with a plain index, and NaN for missing text."""
    texts = [name for name in typed.columns if pd.api.types.is_object_dtype(typed[name].dtype)]
    filled = {name: typed[name].where(typed[name].notna(), np.nan) for name in texts}
    return typed.assign(**filled).reset_index(drop=True)
