"""The transformer that travels with a model: a DataFrame of raw cells in, an (m, n_x) matrix out.

Built and fitted by `study.data.loading` on train alone; used again for dev, test and prediction. All of
it is scikit-learn's but `CellReader`, which turns cells into typed columns.
"""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, RobustScaler, StandardScaler

from study.data import cells
from study.data.kinds import Column
from study.data.misfits import Kind, Misfits, find_misfits, notes_on
from study.data.thousands import ungroup
from study.errors import DataWarning, UserError, did_you_mean
from study.spec.data import DataSpec
from study.spec.markers import MISSING_MARKERS

RARE_ROWS = 5
RARE_FROM = 100
MAXIMUM_CATEGORIES = 50
MISSING_CATEGORY = "(missing)"
# Names of the features, and of what pandas calls them.
DATE_FIELDS = {"year": "year", "month": "month", "day": "day", "weekday": "day_of_week", "hour": "hour"}
SCALERS: dict[str, type[TransformerMixin]] = {
    "standard": StandardScaler,
    "minmax": MinMaxScaler,
    "robust": RobustScaler,
}


class CellReader(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Raw cells to typed columns: numbers as float, truth values as 0 and 1, dates as five numbers, categories as text.

    columns: (name, kind, format of a date) of each column that is used; others are passed over. missing: more markers
    of a missing cell, but for the columns in bound, which has all of theirs. decimal, thousands: marks in numbers that
    are text. A cell that does not fit its column's kind is missing. categories_: of each column of categories, those
    that `fit` saw.

    Raises UserError for a column that is not there, for infinity, and for numbers in a column whose categories
    cannot be told from numbers, such as 012.
    """

    # Models that were kept by an earlier version do not have these.
    categories_: Mapping[str, Sequence[str]] = MappingProxyType({})
    thousands: str = ""
    bound: dict[str, tuple[str, ...]] | None = None

    def __init__(
        self,
        columns: tuple[tuple[str, Kind, str], ...],
        missing: tuple[str, ...] = (),
        decimal: str = ".",
        thousands: str = "",
        bound: dict[str, tuple[str, ...]] | None = None,
    ) -> None:
        self.columns = columns
        self.missing = missing
        self.decimal = decimal
        self.thousands = thousands
        self.bound = bound

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

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the typed columns of the frame, rows in the same order; warn of cells that do not fit.

        Raises:
            UserError: as above, and for a column of which no cell can be read.
        """
        typed, misfits = self.read(X)
        for note in notes_on(misfits, "the table"):
            warnings.warn(note, DataWarning, stacklevel=2)
        return typed

    def read(
        self, X: pd.DataFrame, rows: npt.NDArray[np.int64] | None = None, where: str = "the table"
    ) -> tuple[pd.DataFrame, tuple[Misfits, ...]]:
        """Return the typed columns, and the misfits of the columns that have some.

        rows: the numbers of the rows in the source, from 0; None counts them in the frame. where: what messages call
        the table.
        """
        X = _with_text_names(X)
        names = [name for name, _, _ in self.columns]
        absent = [name for name in names if name not in X.columns]
        if absent:
            raise UserError(f"{where} has no column {absent[0]!r}; {did_you_mean(absent[0], list(X.columns))}")
        doubled = [name for name in X.columns[X.columns.duplicated()] if name in names]
        if doubled:
            raise UserError(f"{where} has two columns {doubled[0]!r}; leave the right one")
        plain = X[names]
        numeric = all(kind == "numeric" for _, kind, _ in self.columns)
        own_markers = self.missing or self.bound
        if numeric and not own_markers and _is_plain_float(plain):  # thousands of pixels, in one piece
            _check_finite(plain.to_numpy(), names, where)
            return plain, ()
        typed: dict[str, pd.Series | cells.Floats] = {}
        misfits = []
        for name, kind, form in self.columns:
            values, bad = self._read_column(X[name], name, kind, form, where)
            if bad.any():
                misfits.append(find_misfits(X[name], kind, form, np.asarray(values), bad, rows))
            typed |= self._date_fields(name, values) if kind == "date" else {name: values}
        return pd.DataFrame(typed, copy=False), tuple(misfits)

    def _read_column(
        self, column: pd.Series, name: str, kind: Kind, form: str, where: str
    ) -> tuple[pd.Series | cells.Floats, cells.Mask]:
        """Return the values of a column, and a mask of the cells that do not fit."""
        column, markers = ungroup(column, self.thousands, self.decimal), self._markers(name)
        if kind == "numeric":
            values, bad = cells.numbers(column, markers, self.decimal)
            _check_finite(values[:, None], [name], where)
            return values, bad
        if kind == "boolean":
            return cells.truths(column, markers)
        if kind == "date":
            return cells.dates(column, markers, form, or_iso=True)
        return self._read_categories(column, name, where)

    def _read_categories(self, column: pd.Series, name: str, where: str) -> tuple[pd.Series, cells.Mask]:
        known = self.categories_.get(name, ())
        lost = first_lost(known, self.decimal)
        if lost and cells.holds_numbers(column):
            raise UserError(
                f"{where}: column {name!r} holds numbers, and train has the category {lost!r}, which a number cannot "
                f"hold; read it as text: pandas.read_csv(..., dtype=str), or dtype={{{name!r}: str}}"
            )
        values = pd.Series(cells.categories(column, self._markers(name), self.decimal), dtype=object)
        if not known:
            return values, np.zeros(len(values), dtype=np.bool_)
        for truth in ("True", "False"):  # what pandas makes of true and TRUE
            spelled = [each for each in known if each.capitalize() == truth]
            if len(spelled) == 1:
                values = values.replace(truth, spelled[0])
        return values, (values.notna() & ~values.isin(known)).to_numpy()

    def _markers(self, name: str) -> tuple[str, ...]:
        """Return all markers of a missing cell in a column."""
        return (self.bound or {}).get(name, (*MISSING_MARKERS, *self.missing))

    def _date_fields(self, name: str, stamps: pd.Series) -> dict[str, cells.Floats]:
        return {
            self.date_feature(name, field): getattr(stamps.dt, attribute).to_numpy(dtype=np.float64, na_value=np.nan)
            for field, attribute in DATE_FIELDS.items()
        }

    def date_feature(self, name: str, field: str) -> str:
        """Return the name of a date's field, such as when_year, made to differ from the columns' own names."""
        feature, taken = f"{name}_{field}", {column for column, _, _ in self.columns}
        while feature in taken:
            feature += "_"
        return feature


def fit(
    columns: tuple[Column, ...], train: pd.DataFrame, scale: str, spec: DataSpec, decimal: str
) -> tuple[Pipeline, pd.DataFrame]:
    """Return the transformer, fitted on the raw rows of train, and these rows as typed columns.

    spec: says what marks a missing cell and groups digits. scale: standard, minmax, robust or none, for numbers and
    dates. Truth values, categories and the indicators of missing cells are 0 or 1. The typed rows are handed back so
    that nobody reads the cells twice.
    """
    reader = CellReader(
        tuple((each.name, each.kind, each.form) for each in columns),
        () if isinstance(spec.missing, dict) else spec.missing,
        decimal,
        spec.thousands or "",
        {each.name: spec.markers(each.name) for each in columns if spec.binds_markers(each.name)},
    ).fit(train)
    typed, _ = reader.read(train)
    numeric = [each.name for each in columns if each.kind == "numeric"]
    dates = [reader.date_feature(each.name, field) for each in columns if each.kind == "date" for field in DATE_FIELDS]
    booleans = [each.name for each in columns if each.kind == "boolean"]
    categories = [each.name for each in columns if each.kind == "categorical"]
    # One indicator a column that misses cells in train; of a date, its year stands for all five.
    watched = [
        *numeric,
        *booleans,
        *(reader.date_feature(each.name, "year") for each in columns if each.kind == "date"),
    ]
    gaps = [name for name, gap in zip(watched, typed[watched].isna().any(axis=0), strict=True) if gap]
    steps: list[tuple[str, TransformerMixin, list[str]]] = []
    if numeric or dates:
        steps.append(("numbers", _numbers(scale), [*numeric, *dates]))
    if booleans:
        steps.append(("truths", SimpleImputer(strategy="most_frequent", keep_empty_features=True), booleans))
    if gaps:
        steps.append(("gaps", MissingIndicator(features="all", error_on_new=False), gaps))
    if categories:
        steps.append(("categories", _categories(len(typed)), categories))
    transformer = ColumnTransformer(steps, remainder="drop", sparse_threshold=0.0)
    transformer.fit(typed)
    return Pipeline([("cells", reader), ("columns", transformer)]), typed


def first_lost(categories: Sequence[str], decimal: str) -> str:
    """Return the first category that is another one after it was read as a number, such as 012 or 1.10; "" if none."""
    return next((each for each in categories if not cells.survives_as_number(each, decimal)), "")


def feature_names(pipeline: Pipeline) -> tuple[str, ...]:
    """Return the names of the columns of the matrix, plain where they differ, else with the step in front."""
    full = [str(name) for name in pipeline.named_steps["columns"].get_feature_names_out()]
    plain = [name.partition("__")[2] for name in full]
    counts = Counter(plain)
    return tuple(short if counts[short] == 1 else long for short, long in zip(plain, full, strict=True))


def _numbers(scale: str) -> Pipeline:
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    if scale == "none":
        return Pipeline([("impute", imputer)])
    return Pipeline([("impute", imputer), ("scale", SCALERS[scale]())])


def _categories(examples: int) -> Pipeline:
    # Rare ones share one column with those never seen; few rows are too few to call anything rare.
    rare = RARE_ROWS if examples >= RARE_FROM else 1
    return Pipeline(
        [
            ("impute", SimpleImputer(strategy="constant", fill_value=MISSING_CATEGORY, missing_values=None)),
            (
                "encode",
                OneHotEncoder(
                    handle_unknown="infrequent_if_exist",
                    min_frequency=rare,
                    max_categories=MAXIMUM_CATEGORIES,
                    sparse_output=False,
                    dtype=np.float32,
                ),
            ),
        ]
    )


def _check_finite(values: npt.NDArray[np.generic], names: list[str], where: str) -> None:
    # The sum is finite unless a value is not (or the sum overflows, and then the slow look finds nothing).
    if np.isfinite(np.nansum(values, dtype=np.float64)):
        return
    rows, columns = np.nonzero(np.isinf(values))
    if len(rows):
        raise UserError(f"{where}: column {names[int(columns[0])]!r}, row {int(rows[0]) + 1}: the value is infinite")


def _with_text_names(X: object) -> pd.DataFrame:
    """Return a table, which may come as columns or records by name as well, whose columns are named by text."""
    frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(X)
    return frame if all(isinstance(name, str) for name in frame.columns) else frame.rename(columns=str)


def _is_plain_float(frame: pd.DataFrame) -> bool:
    return all(isinstance(dtype, np.dtype) and dtype.kind == "f" for dtype in set(frame.dtypes))
