"""The transformers of typed columns to features: scalings and encodings of numbers, and categories as 0 and 1."""

from typing import Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils.validation import check_is_fitted

from study.spec.encoding import Encoding

SCALERS: dict[str, type[TransformerMixin]] = {
    "standard": StandardScaler,
    "minmax": MinMaxScaler,
    "robust": RobustScaler,
}
RARE_ROWS = 5
RARE_FROM = 100
MAXIMUM_CATEGORIES = 50
MISSING_CATEGORY = "(missing)"
MOST_NORMAL = 3.0  # the largest normal quantile
QUANTILES = 1000  # at most so many quantiles are computed of a column, as in scikit-learn

Floats = npt.NDArray[np.floating]


class PiecewiseLinearEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Encode numbers by bins, as in Gorishniy et al., "On Embeddings for Numerical Features" (NeurIPS 2022).

    The edges b₀ < b₁ < … < b_T of a column's bins are quantiles of the rows on which the encoder is fitted. Feature t
    of a number x is (x − bₜ₋₁) / (bₜ − bₜ₋₁), clipped to [0, 1]: 0 below the bin, linear in it, and 1 above it. Columns
    with fewer than two bins have no features, since a single bin would only scale the number.

    Args:
        bins: Largest number of bins for each column, T. There are fewer if quantiles coincide.

    Attributes:
        edges_: The edges of each column's bins, from the lowest to the highest.
    """

    def __init__(self, bins: int = 8) -> None:
        self.bins = bins

    def fit(self, X: npt.ArrayLike, _y: object = None) -> Self:
        """Compute the edges of the bins."""
        values = np.asarray(X, dtype=np.float64)
        self.n_features_in_ = values.shape[1]
        self.edges_ = [self._edges(values[:, column]) for column in range(values.shape[1])]
        return self

    def _edges(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        distinct = np.unique(values)
        if len(distinct) <= self.bins + 1:
            return distinct
        return np.unique(np.quantile(values, np.linspace(0, 1, self.bins + 1)))

    def transform(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Return the features of all columns, float32: those of the first column, then those of the second, …."""
        check_is_fitted(self)
        values = np.asarray(X, dtype=np.float64)
        encoded = np.empty((len(values), sum(self._counts())), dtype=np.float32)
        first = 0
        for column, (edges, count) in enumerate(zip(self.edges_, self._counts(), strict=True)):
            if count:
                within = (values[:, column, None] - edges[:-1]) / np.diff(edges)
                encoded[:, first : first + count] = np.clip(within, 0, 1)
                first += count
        return encoded

    def get_feature_names_out(self, input_features: npt.ArrayLike | None = None) -> npt.NDArray[np.object_]:
        """Return the names of the features, such as age_bin_1."""
        names = [f"x{column}" for column in range(self.n_features_in_)] if input_features is None else input_features
        return np.array(
            [
                f"{name}_bin_{number + 1}"
                for name, count in zip(np.asarray(names), self._counts(), strict=True)
                for number in range(count)
            ],
            dtype=object,
        )

    def _counts(self) -> list[int]:
        """Return the number of features of each column."""
        return [len(edges) - 1 if len(edges) > 2 else 0 for edges in self.edges_]


def scale_numbers(scale: str) -> Pipeline:
    """Return the transformer that fills gaps with the median, and scales.

    Args:
        scale: standard, minmax, robust or none.
    """
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    return Pipeline([("impute", imputer), *([] if scale == "none" else [("scale", SCALERS[scale]())])])


def encode_numbers(encoding: Encoding, scale: str, examples: int) -> Pipeline:
    """Return the transformer of numeric columns.

    Args:
        encoding: The encoding.
        scale: The scaling of "standard" and "ple": standard, minmax, robust or none.
        examples: Number of rows that it will be fitted on.
    """
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    if encoding.name == "quantile":
        quantiles = QuantileTransformer(
            n_quantiles=min(QUANTILES, examples), output_distribution="normal", subsample=None, random_state=0
        )
        return Pipeline([("impute", imputer), ("quantile", quantiles), ("clip", _clip())])
    if encoding.name == "ple":
        scaled = "passthrough" if scale == "none" else SCALERS[scale]()
        both = FeatureUnion(
            [("scale", scaled), ("bins", PiecewiseLinearEncoder(encoding.bins))], verbose_feature_names_out=False
        )
        return Pipeline([("impute", imputer), ("encode", both)])
    return scale_numbers(scale)


def encode_categories(examples: int) -> Pipeline:
    """Return the transformer of categories to columns of 0 and 1.

    Rare categories share one column with unknown ones. With few examples, no category is considered rare.

    Args:
        examples: Number of rows that it will be fitted on.
    """
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


def _clip() -> FunctionTransformer:
    """Return the transformer that clips normal quantiles: those of the smallest and the largest number are ±5.2."""
    limits = {"a_min": -MOST_NORMAL, "a_max": MOST_NORMAL}
    return FunctionTransformer(np.clip, kw_args=limits, feature_names_out="one-to-one")
