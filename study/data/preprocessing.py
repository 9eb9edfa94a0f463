"""The first step of the pipeline that is saved with a model: raw cells become typed columns.

The pipeline is fitted on train only, and reused for dev, test and prediction. The other steps are in
`study.data.transforms` and `study.data.features`.
"""

import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from study.data import cells
from study.data.kinds import Column
from study.data.misfits import Kind, Misfits, find_misfits, notes_on
from study.data.thousands import ungroup
from study.errors import DataWarning, UserError, did_you_mean
from study.spec.data import DataSpec
from study.spec.markers import MISSING_MARKERS

# Names of the features, and the corresponding attributes of pandas.
DATE_FIELDS = {"year": "year", "month": "month", "day": "day", "weekday": "day_of_week", "hour": "hour"}


class CellReader(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Convert raw cells to typed columns.

    Numbers become floats, Booleans 0 and 1, dates five numbers, and categories text. A cell that does not match the
    kind of its column becomes missing. `transform` and `read` raise UserError if a column is absent, if a value is
    infinite, or if a column contains numbers although it has categories, such as 012, that are changed by conversion to
    numbers.

    Attributes:
        columns: Name, kind and date format of each column that is used. Other columns are ignored.
        missing: Additional markers of missing cells, except for the columns in `bound`.
        decimal: The decimal mark in text.
        thousands: The thousands separator in text, or "".
        bound: All markers of missing cells, by column, for columns with their own markers.
        whole_dates: Whether dates remain dates.
        categories_: Categories seen by `fit`, by column.
    """

    # Models saved by earlier versions do not have these attributes.
    categories_: Mapping[str, Sequence[str]] = MappingProxyType({})
    thousands: str = ""
    bound: dict[str, tuple[str, ...]] | None = None
    whole_dates: bool = False

    def __init__(
        self,
        columns: tuple[tuple[str, Kind, str], ...],
        missing: tuple[str, ...] = (),
        decimal: str = ".",
        thousands: str = "",
        bound: dict[str, tuple[str, ...]] | None = None,
        whole_dates: bool = False,
    ) -> None:
        self.columns = columns
        self.missing = missing
        self.decimal = decimal
        self.thousands = thousands
        self.bound = bound
        self.whole_dates = whole_dates

    def fit(self, X: pd.DataFrame, _y: object = None) -> Self:
        """Learn the categories."""
        found = {
            name: cells.categories(ungroup(X[name], self.thousands, self.decimal), self._markers(name), self.decimal)
            for name, kind, _ in self.columns
            if kind == "categorical"
        }
        self.categories_ = {
            name: sorted({each for each in values if each is not None}) for name, values in found.items()
        }
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    @property
    def feature_names_in_(self) -> npt.NDArray[np.object_]:
        """Names of the columns that are used, in the order of training."""
        return np.array([name for name, _, _ in self.columns], dtype=object)

    @property
    def n_features_in_(self) -> int:
        """Number of columns that are used."""
        return len(self.columns)

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the typed columns of the frame, with rows in the same order, and warn about misfits.

        Raises:
            UserError: For the reasons above, or if no cell of a column can be read.
        """
        typed, misfits = self.read(X)
        for note in notes_on(misfits, "the table"):
            warnings.warn(note, DataWarning, stacklevel=2)
        return typed

    def read(
        self, X: pd.DataFrame, rows: npt.NDArray[np.int64] | None = None, where: str = "the table"
    ) -> tuple[pd.DataFrame, tuple[Misfits, ...]]:
        """Return the typed columns, and the misfits of each column that has any.

        Args:
            X: The raw cells.
            rows: Row numbers in the source, starting at 0. None uses positions in the frame.
            where: The name of the table in messages.
        """
        X = _with_text_names(X)
        names = [name for name, _, _ in self.columns]
        absent = [name for name in names if name not in X.columns]
        if absent:
            raise UserError(f"{where} has no column {absent[0]!r}; {did_you_mean(absent[0], list(X.columns))}")
        doubled = [name for name in X.columns[X.columns.duplicated()] if name in names]
        if doubled:
            raise UserError(f"{where} has more than one column named {doubled[0]!r}; keep only one of them")
        plain = X[names]
        numeric = all(kind == "numeric" for _, kind, _ in self.columns)
        own_markers = self.missing or self.bound
        if numeric and not own_markers and _is_plain_float(plain):  # a fast path for thousands of pixels
            _check_finite(plain.to_numpy(), names, where)
            return plain, ()
        typed: dict[str, pd.Series | cells.Floats] = {}
        misfits = []
        for name, kind, form in self.columns:
            values, bad = self._read_column(X[name], name, kind, form, where)
            if bad.any():
                misfits.append(find_misfits(X[name], kind, form, np.asarray(values), bad, rows))
            split = kind == "date" and not self.whole_dates
            typed |= self._date_fields(name, values) if split else {name: values}
        return pd.DataFrame(typed, copy=False), tuple(misfits)

    def _read_column(
        self, column: pd.Series, name: str, kind: Kind, form: str, where: str
    ) -> tuple[pd.Series | cells.Floats, cells.Mask]:
        """Return the values of a column, and a mask of its misfits."""
        column, markers = ungroup(column, self.thousands, self.decimal), self._markers(name)
        if kind == "numeric":
            values, bad = cells.numbers(column, markers, self.decimal)
            _check_finite(values[:, None], [name], where)
            return values, bad
        if kind == "boolean":
            return cells.truths(column, markers)
        if kind == "date":
            return cells.dates(column, markers, form, or_iso=True)
        if kind == "text":
            texts = cells.texts(column, markers, self.decimal).to_pandas().astype(object)
            return texts.where(texts.notna(), None), np.zeros(len(texts), dtype=np.bool_)
        return self._read_categories(column, name, where)

    def _read_categories(self, column: pd.Series, name: str, where: str) -> tuple[pd.Series, cells.Mask]:
        known = self.categories_.get(name, ())
        lost = first_lost(known, self.decimal)
        if lost and cells.holds_numbers(column):
            raise UserError(
                f"{where}: column {name!r} contains numbers, but train has the category {lost!r}, which is changed by "
                f"conversion to a number; read it as text: pandas.read_csv(..., dtype=str), or dtype={{{name!r}: str}}"
            )
        values = pd.Series(cells.categories(column, self._markers(name), self.decimal), dtype=object)
        if not known:
            return values, np.zeros(len(values), dtype=np.bool_)
        for truth in ("True", "False"):  # pandas converts true and TRUE to these
            spelled = [each for each in known if each.capitalize() == truth]
            if len(spelled) == 1:
                values = values.replace(truth, spelled[0])
        return values, (values.notna() & ~values.isin(known)).to_numpy()

    def _markers(self, name: str) -> tuple[str, ...]:
        """Return all markers of missing cells in a column."""
        return (self.bound or {}).get(name, (*MISSING_MARKERS, *self.missing))

    def _date_fields(self, name: str, stamps: pd.Series) -> dict[str, cells.Floats]:
        return {
            self.date_feature(name, field): getattr(stamps.dt, attribute).to_numpy(dtype=np.float64, na_value=np.nan)
            for field, attribute in DATE_FIELDS.items()
        }

    def date_feature(self, name: str, field: str) -> str:
        """Return the name of a date feature, such as when_year, which differs from all column names."""
        feature, taken = f"{name}_{field}", {column for column, _, _ in self.columns}
        while feature in taken:
            feature += "_"
        return feature


def make_reader(columns: tuple[Column, ...], spec: DataSpec, decimal: str, *, whole_dates: bool = False) -> CellReader:
    """Return the reader of these columns, unfitted; see `CellReader`."""
    return CellReader(
        tuple((each.name, each.kind, each.form) for each in columns),
        () if isinstance(spec.missing, dict) else spec.missing,
        decimal,
        spec.thousands or "",
        {each.name: spec.markers(each.name) for each in columns if spec.binds_markers(each.name)},
        whole_dates,
    )


def first_lost(categories: Sequence[str], decimal: str) -> str:
    """Return the first category that conversion to a number would change, such as 012 or 1.10, or "" if none."""
    return next((each for each in categories if not cells.survives_as_number(each, decimal)), "")


def _check_finite(values: npt.NDArray[np.generic], names: list[str], where: str) -> None:
    # A finite sum implies that all values are finite. If the sum itself overflows, the slower check finds nothing.
    if np.isfinite(np.nansum(values, dtype=np.float64)):
        return
    rows, columns = np.nonzero(np.isinf(values))
    if len(rows):
        raise UserError(f"{where}: column {names[int(columns[0])]!r}, row {int(rows[0]) + 1}: the value is infinite")


def _with_text_names(X: object) -> pd.DataFrame:
    """Return a table, given as a frame, columns or records, as a frame whose column names are strings."""
    frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(X)
    return frame if all(isinstance(name, str) for name in frame.columns) else frame.rename(columns=str)


def _is_plain_float(frame: pd.DataFrame) -> bool:
    return all(isinstance(dtype, np.dtype) and dtype.kind == "f" for dtype in set(frame.dtypes))
