"""The last step of preprocessing: typed columns become an (m, n_x) matrix. It is fitted on train only."""

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, RobustScaler, StandardScaler

from study.data.kinds import Column
from study.data.preprocessing import DATE_FIELDS, CellReader, make_reader
from study.spec.data import DataSpec

RARE_ROWS = 5
RARE_FROM = 100
MAXIMUM_CATEGORIES = 50
MISSING_CATEGORY = "(missing)"
SCALERS: dict[str, type[TransformerMixin]] = {
    "standard": StandardScaler,
    "minmax": MinMaxScaler,
    "robust": RobustScaler,
}


def fit(
    columns: tuple[Column, ...], train: pd.DataFrame, scale: str, spec: DataSpec, decimal: str
) -> tuple[Pipeline, pd.DataFrame]:
    """Return the transformer fitted on the raw rows of train, and these rows as typed columns.

    The typed rows are returned to avoid reading the cells twice. Booleans, categories and indicators of missing
    cells become 0 or 1.

    Args:
        columns: The columns to use.
        train: The raw rows of train.
        scale: Scaling of numbers and dates: standard, minmax, robust or none.
        spec: The `[data]` table, which sets the markers of missing cells and the thousands separator.
        decimal: The decimal mark.
    """
    reader = make_reader(columns, spec, decimal).fit(train)
    typed, _ = reader.read(train)
    return Pipeline([("cells", reader), ("columns", fit_columns(columns, reader, typed, scale))]), typed


def fit_columns(columns: tuple[Column, ...], reader: CellReader, typed: pd.DataFrame, scale: str) -> ColumnTransformer:
    """Return the encoder and scaler of typed columns, fitted on train.

    Args:
        columns: The columns.
        reader: The reader that typed them.
        typed: The typed rows of train.
        scale: Scaling of numbers and dates: standard, minmax, robust or none.
    """
    numeric = [each.name for each in columns if each.kind == "numeric"]
    dates = [reader.date_feature(each.name, field) for each in columns if each.kind == "date" for field in DATE_FIELDS]
    booleans = [each.name for each in columns if each.kind == "boolean"]
    categories = [each.name for each in columns if each.kind == "categorical"]
    # One indicator per column with missing cells in train. For a date, the year represents all five features.
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
    return transformer.fit(typed)


def to_matrix(pipeline: Pipeline, typed: pd.DataFrame) -> npt.NDArray[np.generic]:
    """Return the matrix (m, n_x) of typed columns: the output of the steps between the cell reader and the network."""
    X: Any = typed
    for name, step in pipeline.steps:
        if name not in ("cells", "network"):
            X = step.transform(X)
    return np.asarray(X)


def feature_names(pipeline: Pipeline) -> tuple[str, ...]:
    """Return the names of the columns of the matrix. Names that occur twice are prefixed with the step."""
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
    # Rare categories share one column with unknown ones. With few examples, no category is considered rare.
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
