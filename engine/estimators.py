"""`DNNClassifier` and `DNNRegressor`: the engine as scikit-learn estimators, for pipelines and searches.

Examples are rows here, as in all of scikit-learn. `from engine import DNNClassifier` imports this module, and with it
scikit-learn, which nothing else in the engine needs.
"""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import Tags, column_or_1d, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from engine.arrays import Array, FloatType
from engine.estimator_base import DenseNetworkEstimator, mean_and_scale, rows_that_count


class _FittedClassifier:
    """Attributes that training a classifier sets."""

    classes_: Array


class _FittedRegressor:
    """Attributes that training a regressor sets."""

    target_mean_: Array
    target_scale_: Array
    _flat: bool


@dataclass(eq=False, repr=False)
class DNNClassifier(_FittedClassifier, ClassifierMixin, DenseNetworkEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A dense network for classification, with a sigmoid output for two classes, softmax for more, and cross-entropy.

    The defaults work well without tuning on small tables (wine, iris, breast cancer, digits, moons, and synthetic ones
    of up to 4,000 rows, by cross-validation): two hidden layers of 64 and 32 relu units, standardized features, Adam
    with a learning rate of 0.003 on a cosine schedule, and an L2 penalty of 0.01. The penalty matters most with a few
    hundred rows, which such a network would otherwise memorize; with many thousands of rows, 0.001 is better.

    Args:
        hidden_layer_sizes: number of units of each hidden layer; () is logistic regression.
        hidden_activation: "relu", "leaky_relu", "tanh", "sigmoid", "elu", "gelu", "silu" or "identity" for all hidden
            layers, or one name per layer.
        learning_rate: initial learning rate, above 0, which the schedule reduces.
        iterations: number of updates; None means 30 epochs, but at least 500 updates.
        optimizer: "adam", "adamw", "rmsprop", "nesterov", "momentum" or "gradient_descent".
        batch_size: size of a mini-batch; None means the full batch; "auto" means the full batch for up to 1,000
            examples, and 128 for more.
        schedule: "cosine", "constant", "inverse_time" or "step".
        final_fraction: ratio of the final to the initial learning rate.
        momentum: μ of momentum and Nesterov, β₁ of Adam.
        beta2: decay of the mean square in RMSProp and Adam.
        epsilon: added to the root of the mean square.
        l2: λ of the penalty (λ/2) Σ ‖W[l]‖² on the mean loss.
        dropout: share of hidden units dropped in each iteration.
        max_gradient_norm: maximum norm of the gradient; a larger gradient is scaled down. None means no limit.
        initialization: "auto" (suited to the activation), "he", "xavier", "gaussian" or "zeros".
        standardize: scale features to mean 0 and variance 1, as measured in `fit` or in the first `partial_fit`.
        class_weight: None, a weight for each label, or "balanced", which gives every class the same total weight.
        early_stopping: hold out validation_fraction of the rows, stop after `patience` evaluations without a lower
            cost on them (one evaluation every `evaluate_every` iterations), and keep the best parameters.
        validation_fraction: see early_stopping.
        patience: see early_stopping.
        evaluate_every: see early_stopping.
        warm_start: start `fit` from the current parameters.
        random_state: seed of the initial parameters, the held-out rows, shuffling and dropout.

    Attributes:
        classes_: sorted labels.
        architecture_, parameters_: the trained network, as the engine represents it.
        loss_curve_: cost before each update; loss_ is the last one.
        validation_curve_: cost on the held-out rows at each evaluation.
        n_iter_: number of updates.
        status_: "complete", "stopped" (early) or "diverged", which also emits a ConvergenceWarning.
        mean_, scale_: mean and scale of each feature.
        n_features_in_, feature_names_in_: as in all scikit-learn estimators.

    Examples:
        >>> from engine import DNNClassifier
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True, as_frame=True)
        >>> model = DNNClassifier((16,), iterations=200, random_state=0).fit(X[::2], y[::2])
        >>> bool(model.score(X[1::2], y[1::2]) > 0.9)
        True
        >>> model.predict_proba(X[1::2]).shape
        (75, 3)
    """

    _: KW_ONLY
    class_weight: Mapping[object, float] | Literal["balanced"] | None = None

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train on rows X, (m, n_x), and labels y, (m,).

        Args:
            X: features, one row per example.
            y: labels of any type, with at least two different values.
            sample_weight: (m,), at least 0; examples with weight 0 are ignored.

        Raises:
            ValueError: if X, y, a weight or a parameter is invalid; the message names the value.
        """
        rows, labels = self._checked(X, y, reset=True)
        classes = np.unique(labels)
        if len(classes) < 2:
            raise ValueError(f"a classifier needs at least 2 classes, got 1 class: {classes[0]!r}")
        if self.warm_start and hasattr(self, "classes_") and not np.array_equal(classes, self.classes_):
            raise ValueError(f"with warm_start, y must have the classes {self.classes_}, got {classes}")
        self.classes_ = classes
        rows, labels, weight = self._weighted(rows, labels, sample_weight)
        return self._fit(rows, self._one_hot(labels, rows.dtype), self._output(), weight, labels)

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch from the current state, with a constant learning rate.

        Args:
            X: (m, n_x).
            y: (m,).
            classes: all possible labels; required in the first call, unless `fit` has already been called.
            sample_weight: (m,).

        Raises:
            ValueError: if classes are missing in the first call or differ in a later one, or y has other labels.
        """
        first = not hasattr(self, "classes_")
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit")
        rows, labels = self._checked(X, y, reset=first)
        given = self.classes_ if classes is None else np.unique(np.asarray(classes))
        if not first and not np.array_equal(given, self.classes_):
            raise ValueError(f"classes must be those of the first call, {self.classes_}, got {given}")
        if len(given) < 2:
            raise ValueError(f"a classifier needs at least 2 classes, got 1 class: {given[0]!r}")
        unknown = np.setdiff1d(labels, given)
        if unknown.size:
            raise ValueError(f"y has labels that are not among the classes {given}: {unknown}")
        self.classes_ = given
        rows, labels, weight = self._weighted(rows, labels, sample_weight)
        return self._partial_fit(rows, self._one_hot(labels, rows.dtype), self._output(), weight)

    def predict(self, X: ArrayLike) -> Array:
        """Return the most probable label of each row, with shape (m,)."""
        A = self._predict(X)
        chosen = (A[:, 0] > 0.5).astype(np.intp) if A.shape[1] == 1 else A.argmax(axis=1)
        labels: Array = self.classes_[chosen]
        return labels

    def predict_proba(self, X: ArrayLike) -> Array:
        """Return the probabilities, with shape (m, classes) and columns in the order of `classes_`."""
        A = self._predict(X)
        return np.hstack([1 - A, A]) if A.shape[1] == 1 else A

    def predict_log_proba(self, X: ArrayLike) -> Array:
        """Return the logarithm of `predict_proba`, which is minus infinity if a probability rounds to 0."""
        with np.errstate(divide="ignore"):
            logarithms: Array = np.log(self.predict_proba(X))
        return logarithms

    def _checked(self, X: ArrayLike, y: ArrayLike, *, reset: bool) -> tuple[Array, Array]:
        rows, labels = validate_data(self, X, y, dtype=(np.float64, np.float32), reset=reset)
        labels = column_or_1d(labels, warn=True)
        check_classification_targets(labels)
        return rows, labels

    def _output(self) -> str:
        return "sigmoid" if len(self.classes_) == 2 else "softmax"

    def _one_hot(self, y: Array, dtype: FloatType) -> Array:
        """Return one-hot rows, or a column of 0 and 1 for two classes."""
        places = np.searchsorted(self.classes_, y)
        if len(self.classes_) == 2:
            return places.astype(dtype).reshape(-1, 1)
        rows: Array = np.eye(len(self.classes_), dtype=dtype)[places]
        return rows

    def _weighted(self, X: Array, y: Array, sample_weight: ArrayLike | None) -> tuple[Array, Array, Array | None]:
        """Return the rows with positive weight, and their weights multiplied by those of their classes."""
        kept, weight = rows_that_count(X, sample_weight)
        X, y = X[kept], y[kept]
        if self.class_weight is None:
            return X, y, weight
        weight = np.ones(len(y)) if weight is None else weight
        if self.class_weight == "balanced":
            places = np.searchsorted(self.classes_, y)
            mass = np.bincount(places, weight)
            return X, y, weight * (weight.sum() / (np.count_nonzero(mass) * mass[places]))
        return X, y, weight * compute_sample_weight(self.class_weight, y)


@dataclass(eq=False, repr=False)
class DNNRegressor(_FittedRegressor, RegressorMixin, DenseNetworkEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """A dense network for regression with one or several targets: identity output, squared error.

    Parameters, attributes and defaults are those of `DNNClassifier`, except class_weight and classes_. With
    standardize, targets are scaled to mean 0 and variance 1 as well, and costs refer to the scaled targets.

    Examples:
        >>> from engine import DNNRegressor
        >>> from sklearn.datasets import load_diabetes
        >>> X, y = load_diabetes(return_X_y=True)
        >>> model = DNNRegressor((16,), iterations=200, random_state=0).fit(X[:400], y[:400])
        >>> bool(model.score(X[400:], y[400:]) > 0.4)
        True
    """

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train on rows X, (m, n_x), and targets y, (m,) or (m, n_y).

        Args:
            X: features, one row per example.
            y: one number per example, or one row per example.
            sample_weight: (m,), at least 0; examples with weight 0 are ignored.

        Raises:
            ValueError: if X, y, a weight or a parameter is invalid; the message names the value.
        """
        X, Y, weight = self._checked(X, y, sample_weight, reset=True)
        return self._fit(X, Y, "identity", weight, None)

    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train for one epoch from the current state, with a constant learning rate.

        Features and targets are scaled as in the first call.
        """
        X, Y, weight = self._checked(X, y, sample_weight, reset=not hasattr(self, "_state"))
        return self._partial_fit(X, Y, "identity", weight)

    def predict(self, X: ArrayLike) -> Array:
        """Return predictions as float64 in the shape of the targets: (m,) or (m, n_y)."""
        A = self._predict(X)
        values: Array = A * self.target_scale_ + self.target_mean_
        return values[:, 0] if self._flat else values

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _checked(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, *, reset: bool
    ) -> tuple[Array, Array, Array | None]:
        rows, targets = validate_data(
            self, X, y, dtype=(np.float64, np.float32), multi_output=True, y_numeric=True, reset=reset
        )
        self._flat = targets.ndim == 1
        kept, weight = rows_that_count(rows, sample_weight)
        # Targets stay in float64 until they are centered: near 1e8, float32 cannot represent differences of 4.
        return rows[kept], targets.reshape(len(targets), -1)[kept].astype(np.float64), weight

    def _measure(self, X: Array, Y: Array, sample_weight: Array | None) -> None:
        super()._measure(X, Y, sample_weight)
        self.target_mean_, self.target_scale_ = mean_and_scale(Y, sample_weight, self.standardize)

    def _scaled_targets(self, Y: Array) -> Array:
        scaled = (Y - self.target_mean_) / self.target_scale_
        return np.ascontiguousarray(scaled.T, dtype=self.mean_.dtype)
