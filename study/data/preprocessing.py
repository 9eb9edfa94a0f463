"""The transformer that travels with a model: a DataFrame of raw cells in, an (m, n_x) matrix out.

Built and fitted by `study.data.loading` on train alone; used again for dev, test and prediction. All of
it is scikit-learn's but `CellReader`, which turns text into typed columns and learns nothing.
"""

from collections import Counter
from typing import Any, Self

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
from study.errors import UserError, did_you_mean

RARE_ROWS = 5
RARE_FROM = 100
MAXIMUM_CATEGORIES = 50
MISSING_CATEGORY = "(missing)"
# Names of the features, and of what pandas calls them.
DATE_FIELDS = {"year": "year", "month": "month", "day": "day", "weekday": "day_of_week", "hour": "hour"}
SCALERS: dict[str, type[Any]] = {"standard": StandardScaler, "minmax": MinMaxScaler, "robust": RobustScaler}


class CellReader(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Raw cells to typed columns: numbers as float, truth values as 0 and 1, dates as five numbers, categories as text.

    columns: (name, kind, format of a date) of each column that is used; others are passed over. missing,
    decimal: markers of a missing cell and the decimal mark of text. A cell that does not fit its column's
    kind is missing. Raises UserError for a column that is not there and for infinity.
    """

    def __init__(
        self, columns: tuple[tuple[str, str, str], ...], missing: tuple[str, ...] = (), decimal: str = "."
    ) -> None:
        self.columns = columns
        self.missing = missing
        self.decimal = decimal

    def fit(self, _X: pd.DataFrame, _y: object = None) -> Self:
        """Learn nothing."""
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the typed columns of the frame, rows in the same order."""
        names = [name for name, _, _ in self.columns]
        absent = [name for name in names if name not in X.columns]
        if absent:
            raise UserError(
                f"the table has no column {absent[0]!r}; {did_you_mean(absent[0], [str(name) for name in X.columns])}"
            )
        plain = X[names]
        numeric = all(kind == "numeric" for _, kind, _ in self.columns)
        if numeric and not self.missing and _is_plain_float(plain):  # thousands of pixels, in one piece
            self._check_finite(plain.to_numpy(), names)
            return plain
        typed: dict[str, Any] = {}
        for name, kind, form in self.columns:
            typed.update(self._read(X[name], name, kind, form))
        return pd.DataFrame(typed, copy=False)

    def _read(self, column: pd.Series, name: str, kind: str, form: str) -> dict[str, Any]:
        if kind == "numeric":
            values, _ = cells.numbers(column, self.missing, self.decimal)
            self._check_finite(values[:, None], [name])
            return {name: values}
        if kind == "boolean":
            return {name: cells.truths(column, self.missing)[0]}
        if kind == "date":
            stamps, _ = cells.dates(column, self.missing, form)
            return {
                self.date_feature(name, field): getattr(stamps.dt, attribute).to_numpy(
                    dtype=np.float64, na_value=np.nan
                )
                for field, attribute in DATE_FIELDS.items()
            }
        return {name: pd.Series(cells.categories(column, self.missing), dtype=object)}

    def date_feature(self, name: str, field: str) -> str:
        """Return the name of a date's field, such as when_year, made to differ from the columns' own names."""
        feature, taken = f"{name}_{field}", {column for column, _, _ in self.columns}
        while feature in taken:
            feature += "_"
        return feature

    def _check_finite(self, values: npt.NDArray[Any], names: list[str]) -> None:
        # The sum is finite unless a value is not (or the sum overflows, and then the slow look finds nothing).
        if np.isfinite(np.nansum(values, dtype=np.float64)):
            return
        rows, columns = np.nonzero(np.isinf(values))
        if len(rows):
            raise UserError(
                f"column {names[int(columns[0])]!r}, row {int(rows[0]) + 1} of the table: the value is infinite"
            )


def fit(
    columns: tuple[Column, ...], train: pd.DataFrame, scale: str, missing: tuple[str, ...], decimal: str
) -> tuple[Pipeline, pd.DataFrame]:
    """Return the transformer, fitted on the raw rows of train, and these rows as typed columns.

    scale: standard, minmax, robust or none, for numbers and dates. Truth values, categories and the
    indicators of missing cells are 0 or 1. The typed rows are handed back so that nobody reads the cells twice.
    """
    reader = CellReader(tuple((each.name, each.kind, each.form) for each in columns), missing, decimal)
    typed = reader.transform(train)
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
    steps: list[tuple[str, Any, list[str]]] = []
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


def _is_plain_float(frame: pd.DataFrame) -> bool:
    return all(isinstance(dtype, np.dtype) and dtype.kind == "f" for dtype in set(frame.dtypes))
