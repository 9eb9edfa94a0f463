"""The last step of preprocessing: typed columns become an (m, n_x) matrix. It is fitted on train only."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import Pipeline

from study.data.encoders import encode_categories, encode_numbers, scale_numbers
from study.data.kinds import Column
from study.data.preprocessing import DATE_FIELDS, CellReader, make_reader
from study.spec.data import DataSpec
from study.spec.encoding import STANDARD, Encoding


def fit(
    columns: tuple[Column, ...],
    train: pd.DataFrame,
    scale: str,
    spec: DataSpec,
    decimal: str,
    encodings: Sequence[Encoding] = (STANDARD,),
) -> tuple[dict[Encoding, Pipeline], pd.DataFrame]:
    """Return a transformer for each encoding, fitted on the raw rows of train, and these rows as typed columns.

    The typed rows are returned to avoid reading the cells twice. Booleans, categories and indicators of missing
    cells become 0 or 1.

    Args:
        columns: The columns to use.
        train: The raw rows of train.
        scale: Scaling of numbers and dates: standard, minmax, robust or none.
        spec: The `[data]` table, which sets the markers of missing cells and the thousands separator.
        decimal: The decimal mark.
        encodings: The encodings of numbers.
    """
    reader = make_reader(columns, spec, decimal).fit(train)
    typed, _ = reader.read(train)
    pipelines = {}
    for encoding in encodings:
        encoder = fit_columns(columns, reader, typed, scale, encoding)
        pipelines[encoding] = Pipeline([("cells", reader), ("columns", encoder)])
    return pipelines, typed


def fit_columns(
    columns: tuple[Column, ...],
    reader: CellReader,
    typed: pd.DataFrame,
    scale: str,
    encoding: Encoding = STANDARD,
) -> ColumnTransformer:
    """Return the encoder and scaler of typed columns, fitted on train.

    Args:
        columns: The columns.
        reader: The reader that typed them.
        typed: The typed rows of train.
        scale: Scaling of numbers and dates: standard, minmax, robust or none.
        encoding: The encoding of numbers.
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
    if encoding != STANDARD and numeric:
        steps.append(("numbers", encode_numbers(encoding, scale, len(typed)), numeric))
        if dates:
            steps.append(("dates", scale_numbers(scale), dates))
    elif numeric or dates:
        steps.append(("numbers", scale_numbers(scale), [*numeric, *dates]))
    if booleans:
        steps.append(("truths", SimpleImputer(strategy="most_frequent", keep_empty_features=True), booleans))
    if gaps:
        steps.append(("gaps", MissingIndicator(features="all", error_on_new=False), gaps))
    if categories:
        steps.append(("categories", encode_categories(len(typed)), categories))
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
